"""Connections for httpcore to addresses that were judged, and never more bytes than were agreed on."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from typing import Any

from httpcore import SOCKET_OPTION, AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream, ConnectError, ConnectTimeout

from authserver.outgoing.addresses import is_loopback_address, is_public, parse_address
from authserver.outgoing.errors import OutgoingFailed, OutgoingRefused
from authserver.outgoing.resolver import Resolver

MOST_ADDRESSES = 3
"""Of one name, tried in turn."""


class JudgedNetwork(AsyncNetworkBackend):
    """Resolves a name itself and connects to one of the addresses that it looked at: what the name stands for a moment
    later does not matter (DNS rebinding)."""

    def __init__(self, resolve: Resolver, *, allow_loopback: bool, only_loopback: bool, max_bytes: int) -> None:
        self._resolve = resolve
        self._allow_loopback = allow_loopback
        self._only_loopback = only_loopback
        self._max_bytes = max_bytes
        self._below = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """`timeout` is for all addresses together."""
        addresses = (await self._judged(host))[:MOST_ADDRESSES]
        for address in addresses:
            try:
                patience = None if timeout is None else timeout / len(addresses)
                stream = await self._below.connect_tcp(address, port, patience, local_address, socket_options)
            except (ConnectError, ConnectTimeout):
                continue
            return _Counted(stream, _Budget(self._max_bytes))
        raise OutgoingFailed("cannot be connected to")

    async def _judged(self, host: str) -> Sequence[str]:
        """One private address among several is enough to refuse them all: no honest name has such a mixture."""
        addresses = [host] if parse_address(host) is not None else await self._resolve(host)
        if not addresses:
            raise OutgoingFailed("has a name that cannot be resolved")
        if not all(map(self._may_be_asked, addresses)):
            raise OutgoingRefused("is not on the public Internet")
        return addresses

    def _may_be_asked(self, text: str) -> bool:
        address = parse_address(text)
        if address is None:
            return False
        if is_loopback_address(address):
            return self._allow_loopback
        return is_public(address) and not self._only_loopback


class _Budget:
    """How many bytes may still come in on one connection."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise OutgoingRefused("answers with too much")


class _Counted(AsyncNetworkStream):
    """Head, body and the framing between them are counted together: none of them can grow without end."""

    def __init__(self, stream: AsyncNetworkStream, budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._stream.read(max_bytes, timeout)
        self._budget.take(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> AsyncNetworkStream:
        return _Counted(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._budget)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
