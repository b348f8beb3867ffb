"""Cache and bus: faster or sooner, never the truth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from authserver.model.time import Duration


class Cache(Protocol):
    """May forget anything at any time and answers None or 0 when it cannot answer; never raises."""

    async def get(self, key: str) -> bytes | None: ...

    async def set(self, key: str, value: bytes, *, ttl: Duration) -> None: ...

    async def delete(self, key: str) -> None: ...

    async def count(self, key: str, *, window: Duration) -> int:
        """Add one and return the sum, which `get` tells in digits; forgotten `window` after the first. When the
        shared cache is down, the process counts for itself."""
        ...


class Bus(Protocol):
    """Says "look again" to the other processes. Messages may be lost, doubled or reordered."""

    async def publish(self, channel: str, message: bytes = b"") -> None:
        """Best effort, bounded in time; never raises."""
        ...

    def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Messages from now on. An empty one is delivered after each (re)connection, because
        anything may have been missed. Ends only by cancellation."""
        ...

    @property
    def connected(self) -> bool: ...
