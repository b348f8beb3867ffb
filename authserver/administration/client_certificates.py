"""By which name in its certificate a client is known (RFC 8705 section 2.1.2): only such as can ever match."""

from __future__ import annotations

import re
from ipaddress import ip_address

from authserver.model.inputs import InvalidField, text
from authserver.tokens.client_certificate import read_distinguished_name

LONGEST = 500
_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
)


def subject_name(field: str, value: object) -> str:
    """A distinguished name as RFC 4514 writes it."""
    named = text(field, value, longest=LONGEST)
    try:
        read_distinguished_name(named)
    except ValueError as error:
        raise InvalidField(field, f"is {error}") from None
    return named


def host_name(field: str, value: object) -> str:
    """Compared as a whole: a wildcard would match nothing."""
    named = text(field, value, longest=LONGEST)
    if _HOST.fullmatch(named) is None:
        raise InvalidField(field, "must be one host name, without wildcards")
    return named


def address(field: str, value: object) -> str:
    """In its usual spelling."""
    named = text(field, value, longest=LONGEST)
    try:
        return str(ip_address(named))
    except ValueError:
        raise InvalidField(field, "must be an IP address") from None


def other_name(field: str, value: object) -> str:
    """A URI or an e-mail address, compared byte by byte."""
    return text(field, value, longest=LONGEST)
