"""What the verifier asks of the network, and which addresses it talks to at all.

`wire.HttpTransport` is the one that is used; tests and services with needs of their own (a proxy, a Unix socket) bring
another.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import SplitResult, quote_plus, urlsplit

SILENCE = 3.0
"""Seconds without a byte after which an answer is given up."""


class TransportError(Exception):
    """No answer, or none that is acceptable: cut off, too slow, too large, a redirect. Never holds credentials."""


class TimedOut(TransportError):
    """Silent for too long, or not done by the deadline."""


class TooLarge(TransportError):
    """More bytes than were asked for; nothing of them was kept."""


class TransportClosed(TransportError):
    """`close` was called."""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    """Names in lower case; of repeated ones the last."""
    body: bytes = field(repr=False)


class Download(Protocol):
    """An answer whose body is read piece by piece, while it arrives."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def pieces(self) -> Iterator[bytes]:
        """Bytes as they come, none of them empty; ends with the body. Raises TransportError, also for a cut body."""
        ...

    def close(self) -> None:
        """End it, from any thread: whoever reads gets a TransportError at once."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Transport(Protocol):
    """Sends requests; may be used by several threads at once.

    Any status is an answer except 3xx, which raises TransportError: what is followed is never elsewhere than
    configured. `timeout` is the longest silence, `deadline` the longest time for all of it, both in seconds.
    """

    def get(
        self, url: str, *, limit: int, headers: Mapping[str, str] = {}, timeout: float = SILENCE, deadline: float = 10.0
    ) -> Response:
        """`limit`: the longest body, in bytes; TooLarge beyond."""
        ...

    def post(
        self,
        url: str,
        body: bytes,
        *,
        limit: int,
        headers: Mapping[str, str] = {},
        timeout: float = SILENCE,
        deadline: float = 10.0,
    ) -> Response: ...

    def open(
        self, url: str, *, headers: Mapping[str, str] = {}, timeout: float = SILENCE, deadline: float | None = None
    ) -> Download:
        """GET, back as soon as the head is there. The body is as long as it likes: the reader counts."""
        ...

    def close(self) -> None:
        """Ends everything under way, from any thread; what comes later raises TransportClosed."""
        ...


def cause_of(status: int, *, credentials: bool) -> str | None:
    """Why the issuer probably answered with this status, in words that say what to do; None where nobody knows."""
    if status == 401 and not credentials:
        return "this is for clients only, give client_id and client_secret"
    if status in (401, 403):
        return "the issuer refused these credentials" if credentials else "the issuer refused"
    return None


def same_origin(url: str, other: str) -> bool:
    """Whether both have the same scheme, host and port: credentials for one may be shown to the other."""
    return _origin(url) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def checked_url(url: str, name: str = "the address") -> SplitResult:
    """The parts of an https URL, or of an http one on this very machine; raises ValueError for any other.

    http would let anybody on the way read credentials and, worse, feed keys. `name`: what the error calls it; a
    URL with a password is not repeated there.
    """
    if not isinstance(url, str):
        raise ValueError(f"{name} {url!r}: must be a text")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{name} {url!r}: {error}") from None
    host = parts.hostname or ""
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    strange = parts.fragment or any(c <= " " or c > "~" for c in url)
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{name} with credentials in it: must be without")
    if not secure or not host or strange or port == 0:
        raise ValueError(f"{name} {url!r}: must be https, or http on loopback, without credentials and fragment")
    return parts


def is_loopback(host: str) -> bool:
    """By name only `localhost`: what another name resolves to is not for us to believe."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def basic_credentials(client_id: str, client_secret: str) -> str:
    """The value of `Authorization` (RFC 6749 section 2.3.1: form-encoded first, then RFC 7617)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")
