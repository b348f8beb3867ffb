"""The single words of a client: its id, its name, its scopes, its secret."""

from __future__ import annotations

import re
import unicodedata

from authserver.model.inputs import InvalidField, is_uuid, text
from authserver.oauth.client_ids import is_document_id
from authserver.tokens.handles import new_client_secret

LONGEST_NAME = 200
LONGEST_WORD = 200

_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
"""scope-token of RFC 6749 section 3.3."""
_SECRET = re.compile(r"[!-~]{32,200}")
_JOINERS = "\u200c\u200d"
"""Invisible, and needed to write some languages."""


def client_id(field: str, value: object) -> str:
    """An id that an administrator chooses: never a URL, which would be the id of a document."""
    named = text(field, value, longest=64)
    if not _CLIENT_ID.fullmatch(named):
        raise InvalidField(field, "may have letters, digits and . _ ~ - only, and starts with a letter or digit")
    if is_uuid(named.lower()):
        raise InvalidField(field, "must not look like a UUID: those are the subjects of users (RFC 9068 section 5)")
    return named


def is_client_id(value: str) -> bool:
    """Whether a client of any origin can have this id."""
    return _CLIENT_ID.fullmatch(value) is not None or is_document_id(value, loopback=True)


def another_client(field: str, value: object) -> str:
    """The id of a client of any origin, or "*" for all of them."""
    if not isinstance(value, str) or not (value == "*" or is_client_id(value)):
        raise InvalidField(field, 'must hold ids of clients, or "*"')
    return value


def name(field: str, value: object) -> str:
    """What people are shown. Nothing in it may turn the text around or hide."""
    shown = text(field, value, longest=LONGEST_NAME)
    if not shown.strip():
        raise InvalidField(field, "must not be blank")
    if any(unicodedata.category(character) == "Cf" and character not in _JOINERS for character in shown):
        raise InvalidField(field, "must not contain characters that are invisible or change the direction of writing")
    return shown


def scope(field: str, value: object) -> str:
    if not isinstance(value, str) or not _SCOPE.fullmatch(value):
        raise InvalidField(field, "must hold scope tokens (RFC 6749 section 3.3): no spaces, quotes or backslashes")
    return value


def word(field: str, value: object) -> str:
    """Text that is compared and not read: an `acr`, a type of RFC 9396, a version."""
    return text(field, value, longest=LONGEST_WORD)


def new_secret(given: str | None) -> str:
    """A random secret, or the given one if it is long enough to be kept as a fast hash (see `ClientSecret.sha256`)."""
    if given is None:
        return new_client_secret()[0]
    if not _SECRET.fullmatch(given):
        raise InvalidField("client_secret", "must have 32 to 200 visible ASCII characters, drawn at random")
    return given
