"""Callers that ask and do not read: whatever they were sent stays in our memory until they do.

A peer whose buffer is full, or of whom nothing but its buffer is left, has a bounded time to take some of it;
then the connection is cut. There is no kinder way: an error message would have to wait in the same buffer.
"""

from __future__ import annotations

import asyncio

LEAST_READ = 16_384
"""Bytes that a peer has to take within the time; less is a trick to hold the connection."""


class ReadingPeer:
    """Watches one connection while something is owed to its peer."""

    __slots__ = ("_deadline", "_loop", "_seconds", "_transport", "_unread")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._deadline: asyncio.TimerHandle | None = None
        self._unread = 0

    def watch(self) -> None:
        """From now on it has to read; a second call changes nothing."""
        if self._deadline is None:
            self._unread = self._transport.get_write_buffer_size()
            self._start()

    def rest(self) -> None:
        """Its buffer has emptied, or it is gone."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _start(self) -> None:
        self._deadline = self._loop.call_later(self._seconds, self._look)

    def _look(self) -> None:
        self._deadline = None
        unread = self._transport.get_write_buffer_size()
        if unread > self._unread - LEAST_READ and unread:
            self._transport.abort()
            return
        self._unread = unread
        if unread:
            self._start()
