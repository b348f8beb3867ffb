"""JSON bodies of the admin API: known fields only, each read by a function that names it when it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from urllib.parse import urlsplit

from authserver.model.client import Client
from authserver.model.inputs import InvalidField, is_uuid, text, truth, whole_number
from authserver.model.time import SECOND, Duration

Reader = Callable[[str, object], object]

LONGEST_NAME = 200
LONGEST_URI = 512
MOST_ITEMS = 100

_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
"""scope-token of RFC 6749 section 3.3."""
_URI_TEXT = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")
"""The characters of RFC 3986: no spaces, quotes, backslashes, controls or non-ASCII."""
_DANGEROUS_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def read_fields(body: Mapping[str, object], readers: Mapping[str, Reader]) -> dict[str, object]:
    """Every field of `body` through its reader; raises InvalidField for one that has none."""
    for name in body:
        if name not in readers:
            shown = "".join(c if c.isprintable() else "?" for c in name[:40]) or "(empty)"
            raise InvalidField(shown, f"is not a field of this request; known are: {', '.join(readers)}")
    return {name: readers[name](name, value) for name, value in body.items()}


def required(fields: Mapping[str, object], *names: str) -> None:
    for name in names:
        if name not in fields:
            raise InvalidField(name, "is required")


def client_id(field: str, value: object) -> str:
    named = text(field, value, longest=64)
    if not _CLIENT_ID.fullmatch(named):
        raise InvalidField(field, "may have letters, digits and . _ ~ - only, and starts with a letter or digit")
    if is_uuid(named.lower()):
        raise InvalidField(field, "must not look like a UUID: those are the subjects of users (RFC 9068 section 5)")
    return named


def is_client_id(value: str) -> bool:
    return _CLIENT_ID.fullmatch(value) is not None


def one_of(*choices: str) -> Reader:
    def read(field: str, value: object) -> str:
        if value not in choices:
            raise InvalidField(field, f"must be one of {', '.join(choices)}")
        return str(value)

    return read


def several(read_one: Callable[[str, object], str], most: int = MOST_ITEMS) -> Reader:
    """A list without duplicates, as a tuple in the given order."""

    def read(field: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise InvalidField(field, f"must be a list of at most {most} strings")
        items = tuple(read_one(field, item) for item in value)
        if len(set(items)) != len(items):
            raise InvalidField(field, "names the same thing twice")
        return items

    return read


def name(field: str, value: object) -> str:
    shown = text(field, value, longest=LONGEST_NAME)
    if not shown.strip():
        raise InvalidField(field, "must not be blank")
    return shown


def scope(field: str, value: object) -> str:
    if not isinstance(value, str) or not _SCOPE.fullmatch(value):
        raise InvalidField(field, "must hold scope tokens (RFC 6749 section 3.3): no spaces, quotes or backslashes")
    return value


def resource(field: str, value: object) -> str:
    """A resource indicator: an absolute URI without a fragment (RFC 8707 section 2)."""
    uri = _uri(field, value)
    if not urlsplit(uri).netloc and ":" not in uri:
        raise InvalidField(field, "must hold absolute URIs")
    return uri


def redirect_uri(field: str, value: object) -> str:
    """https, http on a loopback address, or a private-use scheme with a dot (RFC 8252 sections 7.1 and 7.3)."""
    uri = _uri(field, value)
    parts = urlsplit(uri)
    if parts.username is not None or parts.password is not None:
        raise InvalidField(field, "must not carry user information")
    if parts.scheme == "https" and parts.hostname:
        return uri
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return uri
    if "." in parts.scheme:
        return uri
    raise InvalidField(field, "must be https, http on a loopback address, or a scheme named after a domain")


def _uri(field: str, value: object) -> str:
    uri = text(field, value, longest=LONGEST_URI)
    try:
        parts = urlsplit(uri)
        _ = parts.port, parts.hostname
    except ValueError:
        raise InvalidField(field, "must hold absolute URIs") from None
    if not _URI_TEXT.fullmatch(uri) or not parts.scheme or parts.scheme in _DANGEROUS_SCHEMES:
        raise InvalidField(field, "must hold absolute URIs")
    if "#" in uri:
        raise InvalidField(field, "must hold URIs without a fragment")
    return uri


def seconds(least: int, most: int) -> Reader:
    """Whole seconds in, milliseconds out."""

    def read(field: str, value: object) -> Duration:
        return whole_number(field, value, least=least, most=most) * SECOND

    return read


def nullable(read_value: Reader) -> Reader:
    def read(field: str, value: object) -> object:
        return None if value is None else read_value(field, value)

    return read


def client_readers(grant_types: Collection[str], longest_token: Duration) -> dict[str, Reader]:
    """The fields of a client that may be set and changed, by the names of `model.client.Client`."""
    return {
        "name": name,
        "auth_method": one_of("client_secret_basic", "client_secret_post", "none"),
        "grant_types": several(lambda field, value: str(one_of(*sorted(grant_types))(field, value))),
        "scopes": several(scope),
        "resources": several(resource),
        "audiences": several(resource),
        "redirect_uris": several(redirect_uri),
        "first_party": truth,
        "refresh_rotation": one_of("always", "never"),
        "access_token_ttl": nullable(seconds(1, longest_token // SECOND)),
    }


def check_client(client: Client) -> None:
    """What no single field can tell: combinations that would leave a client useless or unsafe."""
    if client.is_public and "client_credentials" in client.grant_types:
        raise InvalidField("grant_types", "client_credentials needs a client that authenticates")
    if client.is_public and client.audiences:
        raise InvalidField("audiences", "a client without a secret cannot introspect")
    if client.is_public and client.refresh_rotation == "never":
        raise InvalidField("refresh_rotation", "must be always for a client without a secret (RFC 9700 section 4.14)")
