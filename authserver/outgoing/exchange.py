"""The exchange itself, by httpcore. Imported for the first request (see `client.Outgoing`)."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import httpcore

from authserver.outgoing.errors import OutgoingFailed, OutgoingRefused
from authserver.outgoing.fetched import Fetched
from authserver.outgoing.network import JudgedNetwork
from authserver.outgoing.resolver import Resolver
from authserver.outgoing.target import Target

MAX_HEAD_BYTES = 16_384

_OURS = {"User-Agent": "authserver", "Accept-Encoding": "identity"}
_FAULTS = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ssl.SSLError, OSError)


@dataclass(frozen=True, slots=True)
class Exchanges:
    resolve: Resolver
    tls: ssl.SSLContext
    allow_loopback: bool

    async def ask(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        content: bytes | None,
        *,
        max_bytes: int,
        seconds: float,
    ) -> Fetched:
        """`seconds` to connect; the whole of it is the caller's to time, whose TimeoutError comes through. Raises
        OutgoingRefused or OutgoingFailed."""
        try:
            return await self._ask(method, target, headers, content, max_bytes, seconds)
        except TimeoutError:
            raise
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
            self.resolve,
            allow_loopback=self.allow_loopback,
            only_loopback=target.is_plain,
            # A body in chunks is longer on the wire: by half at most where the sender means well.
            max_bytes=MAX_HEAD_BYTES + 2 * max_bytes,
        )
        return httpcore.AsyncHTTPConnection(origin=origin, ssl_context=self.tls, network_backend=network)


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
