"""Many readers of the stream in one process, and the moment at which each has a revocation under a checkpoint.

Config: `port`, `headers`, `count`. Answers `{"open": N}`; then each line `{}` arms them for one more record, answered
`{"armed": true}` and, once every reader has it, `{"moments": [...], "lost": N}`.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import uvloop

from benchmarks.follow.events import Stream, connect, until
from benchmarks.follow.orders import answer, config, orders

AT_ONCE = 50
OPEN_SECONDS = 60.0
DELIVERY_SECONDS = 20.0


class Readers:
    def __init__(self, told: dict[str, Any]) -> None:
        self._port, self._headers, self._count = told["port"], told["headers"], told["count"]
        self._streams: list[Stream] = []
        self._ready: set[Stream] = set()
        self._moments: dict[Stream, float] = {}
        self._expected = 0

    async def open(self) -> None:
        for start in range(0, self._count, AT_ONCE):
            some = range(start, min(start + AT_ONCE, self._count))
            self._streams += await asyncio.gather(*(connect(self._port, self._headers, self._covered) for _ in some))
        if not await until(lambda: len(self._ready) == self._count, OPEN_SECONDS):
            statuses = sorted({stream.status for stream in self._streams})
            answer(error=f"{len(self._ready)} of {self._count} streams began; statuses {statuses}")
        answer(open=len(self._ready))

    async def deliver(self) -> None:
        for stream in self._streams:
            stream.records = 0
        self._moments, self._expected = {}, 1
        answer(armed=True)
        await until(lambda: len(self._moments) + self.lost >= self._count, DELIVERY_SECONDS)
        self._expected = 0
        answer(moments=list(self._moments.values()), lost=self._count - len(self._moments))

    @property
    def lost(self) -> int:
        return sum(stream.lost for stream in self._streams if stream not in self._moments)

    def _covered(self, stream: Stream, events: bytes) -> None:
        if self._expected and stream.records >= self._expected:
            self._moments.setdefault(stream, monotonic())
        elif not self._expected:
            self._ready.add(stream)


async def main() -> None:
    readers = Readers(config())
    await readers.open()
    waiting = iter(orders())
    while await asyncio.to_thread(next, waiting, None) is not None:
        await readers.deliver()


if __name__ == "__main__":
    uvloop.run(main())
