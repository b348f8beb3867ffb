"""What may be said about a person: the claims of OpenID Connect Core section 5.1, read and bounded one by one.

They are kept as they were entered and told to whoever the person lets know; nothing here is proof of anything, except
where an administrator says so (`email_verified`, `phone_number_verified`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, cast
from urllib.parse import urlsplit

from authserver.administration.fields import Reader, nullable
from authserver.model.inputs import InvalidField, shown, text, truth

LONGEST: Final = 200
LONGEST_URL: Final = 512
LONGEST_EMAIL: Final = 254
"""RFC 5321 section 4.5.3.1.3, without its angle brackets."""
LONGEST_LINES: Final = 500
"""Of an address of several lines."""

_EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@(?:[^\s@.<>()\[\],;:\\\"]{1,63}\.)*[^\s@.<>()\[\],;:\\\"]{1,63}")
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,7}")
"""The shape of BCP 47; an underscore for the sake of old software, as the specification has it."""
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,31}){0,2}")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}(?:;ext=[0-9]{1,10})?")
_BIRTHDATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})-([0-9]{2}))?")
_LEAP_YEAR: Final = 2000
"""For a birthday without a year, which is written 0000."""
_URL = re.compile(r"[!-~]+")


def _line(field: str, value: object) -> str:
    return _visible(field, text(field, value, longest=LONGEST))


def _visible(field: str, value: str) -> str:
    if not value.strip():
        raise InvalidField(field, "must not be blank")
    return value


def _url(field: str, value: object) -> str:
    url = text(field, value, longest=LONGEST_URL)
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        is_web = False
    if not is_web or not _URL.fullmatch(url):
        raise InvalidField(field, "must be an http or https URL")
    return url


def _email(field: str, value: object) -> str:
    address = text(field, value, longest=LONGEST_EMAIL)
    if not _EMAIL.fullmatch(address):
        raise InvalidField(field, "must be an e-mail address, name@host")
    return address


def _locale(field: str, value: object) -> str:
    return _shaped(field, value, _LOCALE, "must be a language tag (BCP 47), for instance de-AT")


def _zoneinfo(field: str, value: object) -> str:
    return _shaped(field, value, _ZONE, "must be a time zone by its name, for instance Europe/Paris")


def _phone_number(field: str, value: object) -> str:
    return _shaped(field, value, _PHONE, "must be a number in E.164 form, for instance +4312345678")


def _shaped(field: str, value: object, shape: re.Pattern[str], otherwise: str) -> str:
    named = text(field, value, longest=LONGEST)
    if not shape.fullmatch(named):
        raise InvalidField(field, otherwise)
    return named


def _birthdate(field: str, value: object) -> str:
    """YYYY-MM-DD, 0000-MM-DD for a birthday that hides the year, or YYYY alone."""
    named = text(field, value, longest=10)
    match = _BIRTHDATE.fullmatch(named)
    try:
        if match is None:
            raise ValueError
        year, month, day = (int(part) if part else 1 for part in match.groups())
        date(year or (_LEAP_YEAR if match[2] else year), month, day)
    except ValueError:
        raise InvalidField(field, "must be a date, YYYY-MM-DD, or YYYY alone, or 0000-MM-DD") from None
    return named


def _lines(field: str, value: object) -> str:
    """Text of several lines (section 5.1.1)."""
    if not isinstance(value, str):
        raise InvalidField(field, "must be a string")
    given = value.replace("\r\n", "\n")
    text(field, given.replace("\n", " "), longest=LONGEST_LINES)
    return _visible(field, given)


ADDRESS: Final[Mapping[str, Reader]] = {
    "formatted": _lines,
    "street_address": _lines,
    "locality": _line,
    "region": _line,
    "postal_code": _line,
    "country": _line,
}
"""OpenID Connect Core section 5.1.1."""


def _address(field: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict) or not value:
        raise InvalidField(field, f"must be an object with some of {', '.join(ADDRESS)}")
    return _read(field + ".", value, ADDRESS)


CLAIMS: Final[Mapping[str, Reader]] = {
    "name": _line,
    "given_name": _line,
    "family_name": _line,
    "middle_name": _line,
    "nickname": _line,
    "preferred_username": _line,
    "profile": _url,
    "picture": _url,
    "website": _url,
    "email": _email,
    "email_verified": truth,
    "gender": _line,
    "birthdate": _birthdate,
    "zoneinfo": _zoneinfo,
    "locale": _locale,
    "phone_number": _phone_number,
    "phone_number_verified": truth,
    "address": _address,
}
"""What can be set. `sub` and `updated_at` are not: the server knows those by itself."""


def claims(field: str, value: object) -> dict[str, object]:
    """Every claim of a new person, none of them null. Raises InvalidField, which names the claim."""
    return _read(field + ".", _object(field, value), CLAIMS)


def claim_changes(field: str, value: object) -> dict[str, object]:
    """The claims to be changed; null takes one away."""
    return _read(field + ".", _object(field, value), {name: nullable(reader) for name, reader in CLAIMS.items()})


def _object(field: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidField(field, "must be an object")
    return value


def _read(prefix: str, members: Mapping[str, object], readers: Mapping[str, Reader]) -> dict[str, object]:
    for name in members:
        if name not in readers:
            raise InvalidField(prefix + shown(str(name)), f"is not known; known are: {', '.join(readers)}")
    return {name: readers[name](prefix + name, value) for name, value in members.items()}


def changes_of_texts(pairs: Iterable[str], known: Mapping[str, object]) -> dict[str, object]:
    """Changes as they are written at the command line, `name=value` each: an empty value takes the claim away, truths
    are true or false, and `address.country` names a part of the address, whose other parts stay as `known` has them.
    Raises InvalidField."""
    changes: dict[str, object] = {}
    address = dict(cast("Mapping[str, object]", known.get("address", {})))
    for pair in pairs:
        name, separator, value = pair.partition("=")
        top, _, part = name.partition(".")
        if not separator or top not in CLAIMS or (top == "address") != bool(part):
            raise InvalidField(shown(name), f"is not a claim: write NAME=VALUE, with one of {', '.join(_SPELT)}")
        if part:
            address[part] = value
            changes["address"] = {name: text for name, text in address.items() if text != ""} or None
        else:
            changes[name] = _meant(top, value)
    return claim_changes("claims", changes)


_SPELT = (*(name for name in CLAIMS if name != "address"), *(f"address.{part}" for part in ADDRESS))


def _meant(name: str, value: str) -> object:
    if value == "":
        return None
    return {"true": True, "false": False}.get(value, value) if CLAIMS[name] is truth else value
