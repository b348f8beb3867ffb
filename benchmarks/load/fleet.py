"""All connections of a load process, and the windows of time they are let loose for."""

from __future__ import annotations

import asyncio
from functools import partial
from time import perf_counter

from benchmarks.load.connection import Connection
from benchmarks.load.plan import Plan, Window
from benchmarks.load.source import AnswerError, source_of

DRAIN = 30.0
"""Seconds after the end of a window in which the last answers must come."""


class Fleet:
    """Runs windows one after another; chains go on from one window to the next."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._source = source_of(plan)
        self._must_contain = plan.must_contain.encode()
        self._connections: list[Connection] = []
        self._sent: list[float] = []
        self._latencies: list[float] = []
        self._waiting = 0
        self._until = 0.0
        self._left = 0
        self._error = ""
        self._idle = asyncio.Event()

    async def window(self, seconds: float, at_most: int) -> Window:
        """Load for `seconds`, or for `at_most` requests, whichever is less; returns once all are answered."""
        await self._connect()
        start = perf_counter()
        self._begin(start + seconds, at_most)
        try:
            await asyncio.wait_for(self._idle.wait(), seconds + DRAIN)
        except TimeoutError:
            self._error = self._error or f"{self._waiting} requests without an answer"
        elapsed = perf_counter() - start
        self._disconnect()
        return self._summary(elapsed)

    async def _connect(self) -> None:
        # Anew for each window: a server closes connections that were idle between two of them.
        loop = asyncio.get_running_loop()
        for number in range(self._plan.connections):
            make = partial(Connection, partial(self._answered, number), self._lost)
            _, connection = await loop.create_connection(make, "127.0.0.1", self._plan.port)
            self._connections.append(connection)

    def _disconnect(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def _begin(self, until: float, at_most: int) -> None:
        self._until, self._left, self._error = until, at_most, ""
        self._latencies = []
        self._sent = [0.0] * len(self._connections)
        self._waiting = len(self._connections)
        self._idle.clear()
        for number in range(len(self._connections)):
            self._send_next(number)

    def _send_next(self, number: int) -> None:
        now = perf_counter()
        request = self._source.next(number) if now < self._until and self._left > 0 and not self._error else None
        if request is None:
            self._waiting -= 1
            if self._waiting == 0:
                self._idle.set()
            return
        self._left -= 1
        self._sent[number] = now
        self._connections[number].send(request)

    def _answered(self, number: int, status: int, body: bytes) -> None:
        self._latencies.append(perf_counter() - self._sent[number])
        try:
            if not 200 <= status < 300:
                raise AnswerError(f"status {status}: {body[:300]!r}")
            if self._must_contain not in body:
                raise AnswerError(f"an answer without {self._plan.must_contain}: {body[:300]!r}")
            self._source.answered(number, body)
        except (AnswerError, ValueError, KeyError) as error:
            self._error = self._error or str(error)
        self._send_next(number)

    def _lost(self) -> None:
        self._error = self._error or "the server closed a connection"
        self._idle.set()

    def _summary(self, elapsed: float) -> Window:
        ordered = sorted(self._latencies) or [0.0]
        return Window(
            requests=len(self._latencies),
            seconds=elapsed,
            p50_ms=1000 * ordered[len(ordered) // 2],
            p99_ms=1000 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
            error=self._error,
            access_tokens=self._source.take_tokens() if not self._error else [],
        )
