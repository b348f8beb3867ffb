"""A relying party's back-channel logout endpoint on a loopback port, as bad as a test wants it to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import parse_qs

from tests.site import claims_of


@dataclass
class Receiver:
    port: int = 0
    status: int = 200
    headers: str = ""
    delay: float = 0
    """Seconds before it answers."""
    hold: asyncio.Event | None = None
    """Until this is set it does not answer."""
    tokens: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    under_way: int = 0
    most_at_once: int = 0
    _server: asyncio.Server | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/logout"

    @property
    def claims(self) -> list[dict[str, Any]]:
        return [claims_of(token) for token in self.tokens]

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def got(self, tokens: int, seconds: float = 5) -> None:
        """Until so many have come."""
        deadline = monotonic() + seconds
        while len(self.tokens) < tokens:
            assert monotonic() < deadline, f"{len(self.tokens)} of {tokens} log-outs were told in {seconds} s"
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line[16:]) for line in head.lower().splitlines() if line.startswith("content-length: "))
            body = (await reader.readexactly(length)).decode()
            self.heads.append(head)
            self.tokens.extend(parse_qs(body).get("logout_token", []))
            await asyncio.sleep(self.delay)
            if self.hold is not None:
                await self.hold.wait()
            writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n{self.headers}\r\n".encode())
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.under_way -= 1
            writer.close()


@asynccontextmanager
async def receiving(**behaviour: Any) -> AsyncIterator[Receiver]:
    receiver = Receiver(**behaviour)
    await receiver.open()
    try:
        yield receiver
    finally:
        await receiver.close()
