"""One request, one answer, one connection, and an end to all of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpcore

from authserver.model.time import Duration
from authserver.outgoing.errors import OutgoingFailed, OutgoingRefused
from authserver.outgoing.network import JudgedNetwork
from authserver.outgoing.resolver import Resolver
from authserver.outgoing.target import Target, read_target

MAX_HEAD_BYTES = 16_384
MAX_BODY_BYTES = 65_536
AT_ONCE = 32
"""Exchanges of one process; the others wait, and that counts against their time."""

_OURS = {"User-Agent": "authserver", "Accept-Encoding": "identity"}
_FAULTS = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ssl.SSLError, OSError)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, whole, of any status but a redirect."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; of repeated ones the last."""
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """In lower case, without parameters; "" when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Outgoing:
    """https only, over a connection of its own, to an address on the public Internet, never by a proxy.

    A redirect, an encoded body and one that is too large are refused, not followed, not unpacked and not read on.
    """

    def __init__(
        self, resolve: Resolver, *, timeout: Duration, ca_file: str | None = None, allow_loopback: bool = False
    ) -> None:
        """`timeout` is for a whole exchange, from the name to the last byte. `ca_file`: PEM, instead of the system's
        authorities. Raises OSError or ssl.SSLError when it cannot be read."""
        self._resolve = resolve
        self._timeout = timeout
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self.allow_loopback = allow_loopback
        """Also plain http, to this machine alone."""

    def check(self, url: str) -> Target:
        """What can be said of a URL without asking anybody; raises OutgoingRefused."""
        return read_target(url, allow_loopback=self.allow_loopback)

    async def get(
        self,
        url: str,
        *,
        accept: str = "application/json",
        max_bytes: int = MAX_BODY_BYTES,
        timeout: Duration | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """`headers` go beside ours, `If-None-Match` for instance. Raises OutgoingRefused or OutgoingFailed."""
        sent = {"Accept": accept, **(headers or {})}
        return await self._exchange("GET", self.check(url), sent, None, max_bytes, timeout)

    async def post(
        self,
        url: str,
        body: bytes,
        content_type: str,
        *,
        accept: str = "*/*",
        max_bytes: int = MAX_BODY_BYTES,
        timeout: Duration | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Raises OutgoingRefused or OutgoingFailed; after the latter the other side may have got it."""
        sent = {"Accept": accept, "Content-Type": content_type, **(headers or {})}
        return await self._exchange("POST", self.check(url), sent, body, max_bytes, timeout)

    async def _exchange(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        content: bytes | None,
        max_bytes: int,
        timeout: Duration | None,
    ) -> Fetched:
        seconds = (self._timeout if timeout is None else timeout) / 1000
        try:
            async with asyncio.timeout(seconds), self._at_once:
                return await self._ask(method, target, headers, content, max_bytes, seconds)
        except TimeoutError:
            raise OutgoingFailed("does not answer in time") from None
        except _FAULTS as error:
            raise OutgoingFailed(_in_words(error)) from None

    async def _ask(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        content: bytes | None,
        max_bytes: int,
        seconds: float,
    ) -> Fetched:
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        sent = list({"Host": target.authority, "Connection": "close", **_OURS, **headers}.items())
        connection = self._connection(target, url.origin, max_bytes)
        try:
            patience = {"timeout": {"connect": seconds}}
            async with connection.stream(method, url, headers=sent, content=content, extensions=patience) as response:
                received = _headers(response)
                _refuse_head(response.status, received, max_bytes)
                return Fetched(response.status, received, await _body(response, max_bytes))
        finally:
            await connection.aclose()

    def _connection(self, target: Target, origin: httpcore.Origin, max_bytes: int) -> httpcore.AsyncHTTPConnection:
        network = JudgedNetwork(
            self._resolve,
            allow_loopback=self.allow_loopback,
            only_loopback=target.is_plain,
            # A body in chunks is longer on the wire: by half at most where the sender means well.
            max_bytes=MAX_HEAD_BYTES + 2 * max_bytes,
        )
        return httpcore.AsyncHTTPConnection(origin=origin, ssl_context=self._tls, network_backend=network)


def _headers(response: httpcore.Response) -> dict[str, str]:
    if sum(len(name) + len(value) + 4 for name, value in response.headers) > MAX_HEAD_BYTES:
        raise OutgoingRefused("answers with too much")
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


def _refuse_head(status: int, headers: Mapping[str, str], max_bytes: int) -> None:
    if 300 <= status < 400 and status != 304:
        raise OutgoingRefused("answers with a redirect")
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise OutgoingRefused("answers with an encoded body")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > max_bytes:
        raise OutgoingRefused("answers with too much")


async def _body(response: httpcore.Response, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > max_bytes:
            raise OutgoingRefused("answers with too much")
    return bytes(body)


def _in_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) or "certificate verify failed" in str(error).lower():
        return "has no certificate that is trusted here"
    if isinstance(error, httpcore.ProtocolError):
        return "does not answer in HTTP"
    return "cannot be connected to, or cut the connection"
