"""One request, one answer, one connection, and an end to all of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING

from authserver.model.time import Duration
from authserver.outgoing.errors import OutgoingFailed
from authserver.outgoing.fetched import Fetched
from authserver.outgoing.resolver import Resolver
from authserver.outgoing.target import Target, read_target

if TYPE_CHECKING:
    from authserver.outgoing.exchange import Exchanges

MAX_BODY_BYTES = 65_536
AT_ONCE = 32
"""Exchanges of one process; the others wait, and that counts against their time."""


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
        self._tls = None if ca_file is None else ssl.create_default_context(cafile=ca_file)
        self._exchanges: Exchanges | None = None
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
        if self._exchanges is None:  # before the clock starts: it is not the other side that takes this long
            self._exchanges = await asyncio.to_thread(self._open)
        try:
            async with asyncio.timeout(seconds), self._at_once:
                return await self._exchanges.ask(method, target, headers, content, max_bytes=max_bytes, seconds=seconds)
        except TimeoutError:
            raise OutgoingFailed("does not answer in time") from None

    def _open(self) -> Exchanges:
        """httpcore and the system's authorities, 5 MB and 60 ms, for the first request: most servers send none."""
        from authserver.outgoing.exchange import Exchanges

        tls = self._tls or ssl.create_default_context()
        return Exchanges(self._resolve, tls, self.allow_loopback)
