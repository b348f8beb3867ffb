"""Values that came from outside, read into the shapes of this package or refused with the field's name.

Pure functions: what a text, a moment or an identifier may look like, wherever it was entered
(a JSON body, a query string, the command line).
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from ipaddress import ip_address

from .errors import Refused
from .time import Instant

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LAST_MOMENT = 253_402_300_799
"""9999-12-31T23:59:59Z in seconds: what RFC 3339 can still write."""


class InvalidField(Refused):
    """One named field of a request is missing, malformed or out of bounds (400)."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}", extra={"field": field})
        self.field = field
        self.problem = problem


def text(field: str, value: object, *, longest: int, shortest: int = 1) -> str:
    """A single line of text: `shortest` to `longest` characters, no control characters, no lone surrogates."""
    if not isinstance(value, str):
        raise InvalidField(field, "must be a string")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise InvalidField(field, "must not contain control characters")
    if not shortest <= len(value) <= longest:
        raise InvalidField(field, f"must have {shortest} to {longest} characters")
    return value


def whole_number(field: str, value: object, *, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidField(field, "must be a whole number")
    if not least <= value <= most:
        raise InvalidField(field, f"must be between {least} and {most}")
    return value


def truth(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidField(field, "must be true or false")
    return value


def is_uuid(value: str) -> bool:
    """In the form that `ids.uuid7` writes: lower case, with hyphens."""
    return _UUID.fullmatch(value) is not None


def uuid(field: str, value: object) -> str:
    if not isinstance(value, str) or not is_uuid(value):
        raise InvalidField(field, "must be a UUID")
    return value


def moment(field: str, value: object) -> Instant:
    """Seconds since the epoch (RFC 7519 NumericDate, whole) or RFC 3339 text with its offset."""
    if isinstance(value, int) and not isinstance(value, bool):
        return whole_number(field, value, least=0, most=_LAST_MOMENT) * 1000
    if not isinstance(value, str) or len(value) > 40 or "T" not in value.upper():
        raise InvalidField(field, "must be whole seconds since 1970 or an RFC 3339 time")
    return _rfc3339(field, value)


def _rfc3339(field: str, value: str) -> Instant:
    try:
        parsed = datetime.fromisoformat(value)
        if parsed.tzinfo is None:
            raise InvalidField(field, "must name its offset from UTC, for instance Z")
        seconds = parsed.astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        raise InvalidField(field, "must be whole seconds since 1970 or an RFC 3339 time") from None
    if seconds < 0:
        raise InvalidField(field, "must not be before 1970")
    return round(seconds * 1000)


def shown(name: str) -> str:
    """A name that nobody knows, fit to be repeated in an answer."""
    return "".join(c if c.isprintable() else "?" for c in name[:40]) or "(empty)"


def is_loopback(host: str) -> bool:
    """An address of this machine, or the name that stands for it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def rfc3339(at: Instant) -> str:
    """UTC with milliseconds, for instance 2026-01-31T12:00:00.000Z."""
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"
