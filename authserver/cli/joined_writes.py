"""One system call for an answer.

uvicorn writes the head and the body of an answer one after the other, and uvloop hands each to the kernel at once.
The second call costs more CPU than all of our own work on a small answer.
"""

from __future__ import annotations

import asyncio
from typing import Any


class JoinedWrites:
    """A transport that sends what is written in one turn of the event loop in one piece, at the end of the turn."""

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            self._transport.write(data)
