"""The fields of a client that may be set and changed, and what they may hold together."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from authserver.administration.fields import Reader, nullable, one_of, seconds, several
from authserver.model.client import Client
from authserver.model.inputs import InvalidField, is_loopback, is_uuid, text, truth
from authserver.model.time import SECOND, Duration
from authserver.oauth.scopes import is_resource
from authserver.tokens.handles import new_client_secret

LONGEST_NAME = 200
LONGEST_URI = 512

_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
"""scope-token of RFC 6749 section 3.3."""
_URI_TEXT = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")
"""The characters of RFC 3986: no spaces, quotes, backslashes, controls or non-ASCII."""
_SECRET = re.compile(r"[!-~]{32,200}")
_DANGEROUS_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})


def client_id(field: str, value: object) -> str:
    named = text(field, value, longest=64)
    if not _CLIENT_ID.fullmatch(named):
        raise InvalidField(field, "may have letters, digits and . _ ~ - only, and starts with a letter or digit")
    if is_uuid(named.lower()):
        raise InvalidField(field, "must not look like a UUID: those are the subjects of users (RFC 9068 section 5)")
    return named


def is_client_id(value: str) -> bool:
    return _CLIENT_ID.fullmatch(value) is not None


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
    if not is_resource(uri):
        raise InvalidField(field, "must hold absolute URIs without a fragment")
    return uri


def redirect_uri(field: str, value: object) -> str:
    """https, http on a loopback address, or a private-use scheme with a dot (RFC 8252 sections 7.1 and 7.3)."""
    uri = _uri(field, value)
    parts = urlsplit(uri)
    if parts.username is not None or parts.password is not None:
        raise InvalidField(field, "must not carry user information")
    if parts.scheme == "https" and parts.hostname:
        return uri
    if parts.scheme == "http" and is_loopback(parts.hostname or ""):
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


def with_defaults(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a new client; what it may do where nothing is said follows from how it authenticates."""
    method = fields.get("auth_method", "client_secret_basic")
    grants = ("refresh_token",) if method == "none" else ("client_credentials",)
    return {"auth_method": method, "grant_types": grants, **fields}


def check_client(client: Client) -> None:
    """What no single field can tell: combinations that would leave a client useless or unsafe."""
    if not client.is_public:
        return
    if "client_credentials" in client.grant_types:
        raise InvalidField("grant_types", "must not hold client_credentials for a client without a secret")
    if client.audiences:
        raise InvalidField("audiences", "must be empty for a client without a secret: it cannot introspect")
    if client.refresh_rotation == "never":
        raise InvalidField("refresh_rotation", "must be always for a client without a secret (RFC 9700 section 4.14)")


def new_secret(given: str | None) -> str:
    """A random secret, or the given one if it is long enough to be kept as a fast hash (see `ClientSecret.sha256`)."""
    if given is None:
        return new_client_secret()[0]
    if not _SECRET.fullmatch(given):
        raise InvalidField("client_secret", "must have 32 to 200 visible ASCII characters, drawn at random")
    return given
