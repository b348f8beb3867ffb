"""Cache and Bus inside one process: enough for one worker, and what Redis falls back to."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from authserver.clock import Clock, system_clock
from authserver.model.time import Duration, Instant


@dataclass(slots=True)
class _Entry:
    value: bytes
    expires_at: Instant
    count: int = 0


@dataclass(slots=True)
class LocalCache:
    """Bounded: the least recently used entry goes first, so that a flood of keys costs no memory.

    Each kind of key (`login:known`, `login:failed`) has its own bound: failures from ten thousand networks must not
    push out which addresses the owners of accounts are known on.
    """

    now: Clock = system_clock
    size: int = 10_000
    """Entries of one kind."""
    _entries: defaultdict[str, OrderedDict[str, _Entry]] = field(default_factory=lambda: defaultdict(OrderedDict))

    async def get(self, key: str) -> bytes | None:
        entry = self._living(key)
        return entry.value if entry else None

    async def set(self, key: str, value: bytes, *, ttl: Duration) -> None:
        self._put(key, _Entry(value, self.now() + ttl))

    async def delete(self, key: str) -> None:
        self._alike(key).pop(key, None)

    async def count(self, key: str, *, window: Duration) -> int:
        entry = self._living(key)
        if entry is None:
            entry = _Entry(b"", self.now() + window)
            self._put(key, entry)
        entry.count += 1
        entry.value = str(entry.count).encode()
        return entry.count

    def _living(self, key: str) -> _Entry | None:
        entries = self._alike(key)
        entry = entries.get(key)
        if entry is None:
            return None
        if entry.expires_at <= self.now():
            del entries[key]
            return None
        entries.move_to_end(key)
        return entry

    def _put(self, key: str, entry: _Entry) -> None:
        entries = self._alike(key)
        entries[key] = entry
        entries.move_to_end(key)
        if len(entries) > self.size:
            entries.popitem(last=False)

    def _alike(self, key: str) -> OrderedDict[str, _Entry]:
        """The entries of the key's kind: the names before its second colon, which are ours and few."""
        return self._entries[":".join(key.split(":", 2)[:2]) if key.count(":") > 1 else ""]


@dataclass(slots=True)
class LocalBus:
    """Reaches the subscribers of this process. A slow one loses messages, not memory: "look again" said
    twice means no more than said once."""

    backlog: int = 100
    _queues: dict[str, set[asyncio.Queue[bytes]]] = field(default_factory=lambda: defaultdict(set))

    async def publish(self, channel: str, message: bytes = b"") -> None:
        for queue in tuple(self._queues[channel]):
            if not queue.full():
                queue.put_nowait(message)

    async def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue(self.backlog)
        self._queues[channel].add(queue)
        try:
            yield b""
            while True:
                yield await queue.get()
        finally:
            self._queues[channel].discard(queue)

    @property
    def connected(self) -> bool:
        return True
