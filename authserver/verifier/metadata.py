"""Where the issuer's endpoints are: its metadata (RFC 8414), asked for when something needs an address."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from .clock import Clock
from .strict import Malformed, json_object
from .transport import Response, Transport, TransportError, checked_url

MAX_METADATA = 64 * 1024
"""Bytes."""
MAX_AGE = 3600.0
RETRY_AFTER = 1.0
"""Seconds after a failure in which nobody tries again: a queue of callers must not wait out a timeout each."""
DEADLINE = 5.0

_WELL_KNOWN = "/.well-known/oauth-authorization-server"


class Unreachable(Exception):
    """The issuer did not answer, or not with what was asked for. Never holds credentials."""


@dataclass(frozen=True, slots=True)
class Metadata:
    jwks_uri: str
    introspection_endpoint: str | None
    revocation_feed_endpoint: str | None


def metadata_url(issuer: str) -> str:
    """RFC 8414 section 3.1: the well-known part stands between host and path. Raises ValueError for no issuer URL."""
    checked_url(issuer, "issuer")
    parts = urlsplit(issuer)
    if parts.query or "?" in issuer:
        raise ValueError(f"issuer {issuer!r}: must be without a query (RFC 8414 section 2)")
    return urlunsplit((parts.scheme, parts.netloc, _WELL_KNOWN + parts.path.rstrip("/"), "", ""))


class Discovery:
    """The metadata, kept for an hour; an old one is better than none while the issuer is away."""

    def __init__(self, issuer: str, transport: Transport, monotonic: Clock) -> None:
        self.issuer = issuer
        self._url = metadata_url(issuer)
        self._transport = transport
        self._monotonic = monotonic
        self._known: Metadata | None = None
        self._expires = self._retry = float("-inf")
        self._failure = ""
        self.renew_locks()

    def renew_locks(self) -> None:
        """After a fork: the lock may be held by a thread that does not exist here."""
        self._lock = threading.Lock()

    def doubt(self) -> None:
        """What one of the addresses answered makes no sense: ask for them again before the next use."""
        self._expires = float("-inf")

    def get(self) -> Metadata:
        """Waits for the network if it must; raises Unreachable."""
        known = self._known
        if known is not None and self._monotonic() < self._expires:
            return known
        with self._lock:
            now = self._monotonic()
            if now >= self._expires and now >= self._retry:
                self._fetch(now)
            if self._known is None:
                raise Unreachable(self._failure)
            return self._known

    def _fetch(self, now: float) -> None:
        try:
            self._known = self._read(json_answer(self._ask(), "application/json"))
        except Unreachable as error:
            self._failure = str(error)
            self._retry = self._monotonic() + RETRY_AFTER
        else:
            self._expires = now + MAX_AGE

    def _ask(self) -> Response:
        try:
            return self._transport.get(
                self._url, limit=MAX_METADATA, headers={"Accept": "application/json"}, deadline=DEADLINE
            )
        except TransportError as error:
            raise Unreachable(f"metadata: {error}") from None

    def _read(self, body: bytes) -> Metadata:
        document = _object(body, "metadata")
        named = document.get("issuer")
        if named != self.issuer:  # RFC 8414 section 3.3: byte for byte
            raise Unreachable(
                f"the metadata names issuer {str(named)[:200]!r}, this verifier was given {self.issuer!r}"
            )
        jwks_uri = self._address(document, "jwks_uri")
        if jwks_uri is None:
            raise Unreachable("metadata: no jwks_uri")
        return Metadata(
            jwks_uri,
            self._address(document, "introspection_endpoint"),
            self._address(document, "revocation_feed_endpoint"),
        )

    def _address(self, document: Mapping[str, Any], name: str) -> str | None:
        if name not in document:
            return None
        try:
            secure = checked_url(document[name]).scheme == "https"
        except (ValueError, TypeError, AttributeError):
            raise Unreachable(f"metadata: {name} is not an address to be used") from None
        if self.issuer.startswith("https:") and not secure:
            raise Unreachable(f"metadata: {name} is http, of an https issuer")
        return str(document[name])


def json_answer(response: Response, *media_types: str) -> bytes:
    """The body of a plain 200 of one of these types; raises Unreachable."""
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status != 200:
        raise Unreachable(f"status {response.status}")
    if media_type not in media_types:
        raise Unreachable("another media type")
    if response.headers.get("content-encoding", "identity") != "identity":  # not asked for: could be a bomb
        raise Unreachable("a content encoding")
    return response.body


def _object(body: bytes, what: str) -> dict[str, Any]:
    try:
        return json_object(body)
    except Malformed as error:
        raise Unreachable(f"{what}: {error}") from None
