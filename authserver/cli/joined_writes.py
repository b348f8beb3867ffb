"""One system call for an answer.

uvicorn writes the head and the body of an answer one after the other, and uvloop hands each to the kernel at once.
The second call costs more CPU than all of our own work on a small answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class JoinedWrites:
    """A transport that sends what is written in one turn of the event loop in one piece, at the end of the turn."""

    __slots__ = ("_closing", "_held", "_loop", "_transport")

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, closing: Callable[[], None]
    ) -> None:
        """`closing` is called after every `close`: what was written may still be there, for as long as nobody
        reads it."""
        self._transport = transport
        self._loop = loop
        self._closing = closing
        self._held: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def write_alone(self, data: bytes) -> None:
        """After what is held, in a call of its own: `data` is not copied, which matters when many are sent the same."""
        self._flush()
        self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()
        self._closing()

    def _flush(self) -> None:
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            self._transport.write(data)
