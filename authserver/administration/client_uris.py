"""The addresses of a client: where answers go, what this server fetches, what people can follow."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from authserver.administration.fields import Reader
from authserver.model.client import ApplicationType
from authserver.model.inputs import InvalidField, is_loopback, text
from authserver.oauth.scopes import is_resource

LONGEST_URI = 512

_URI_TEXT = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")
"""The characters of RFC 3986: no spaces, quotes, backslashes, controls or non-ASCII."""
_DANGEROUS_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})


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
    _refuse_user_information(field, parts)
    if parts.scheme == "https" and parts.hostname:
        return uri
    if parts.scheme == "http" and is_loopback(parts.hostname or ""):
        return uri
    if is_private_use(uri):
        return uri
    raise InvalidField(field, "must be https, http on a loopback address, or a scheme named after a domain")


def is_private_use(uri: str) -> bool:
    """Of a scheme that an app takes for itself, such as com.example.app (RFC 8252 section 7.1)."""
    return "." in urlsplit(uri).scheme


def is_local(uri: str) -> bool:
    """On the machine of whoever follows it, where any program may listen."""
    parts = urlsplit(uri)
    return parts.scheme in ("http", "https") and is_loopback(parts.hostname or "")


def kind_of(redirect_uris: Collection[str]) -> ApplicationType:
    """Where answers go tells a native application from a web application where nobody says which it is."""
    return "native" if any(is_local(uri) or is_private_use(uri) for uri in redirect_uris) else "web"


def page(field: str, value: object) -> str:
    """What people may follow or look at: https."""
    uri = _uri(field, value)
    parts = urlsplit(uri)
    _refuse_user_information(field, parts)
    if parts.scheme != "https" or not parts.hostname:
        raise InvalidField(field, "must be an https URL")
    return uri


def fetched(*, loopback: bool) -> Reader:
    """A URL that this server calls: https, or with `loopback` (OUTGOING_ALLOW_LOOPBACK) http on this machine."""

    def read(field: str, value: object) -> str:
        from authserver.outgoing import OutgoingRefused, read_target  # heavy, and rarely needed at the command line

        uri = _uri(field, value)
        try:
            read_target(uri, allow_loopback=loopback)
        except OutgoingRefused as error:
            raise InvalidField(field, f"cannot be asked by this server: it {error.why}") from None
        return uri

    return read


def _refuse_user_information(field: str, parts: SplitResult) -> None:
    if "@" in parts.netloc:
        raise InvalidField(field, "must not carry user information")


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
