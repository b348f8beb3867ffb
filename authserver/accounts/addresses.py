"""Close an address from which too many log-ins fail, also when it sends all of them at the same time.

Log-ins from one address take turns: only as many are checked at once as may still fail before the address is
closed, and never more than `parallel`. Who has to wait is not refused, so that an office behind one address may
send any number of right passwords; once the address is closed, all who wait are.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from authserver import telemetry
from authserver.clock import Clock
from authserver.model.errors import TemporarilyUnavailable
from authserver.model.time import Duration, Instant
from authserver.storage.interface import Cache

MAX_CLOSED: Final = 10_000
"""Closed addresses that this process remembers by itself, for when the shared cache is down."""

_log = telemetry.logger("authserver.accounts")


@dataclass(slots=True, eq=False)
class _Lane:
    """Of one address, while somebody from there is checked or waits for it."""

    failures: int = 0
    """As the cache told last."""
    inside: int = 0
    waiting: deque[asyncio.Future[bool]] = field(default_factory=deque)

    def idle(self) -> bool:
        return not self.inside and not self.waiting


@dataclass(slots=True, eq=False)
class Passage:
    """A turn; whoever has it must leave, and may do so twice."""

    _leave: Callable[[], None] | None = field(default=None, repr=False)

    def leave(self) -> None:
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressGate:
    cache: Cache
    now: Clock
    limit: int
    """Failures that close an address ..."""
    window: Duration
    """... within this time, and for so long."""
    parallel: int
    """Log-ins from one address that are checked at the same time."""
    max_waiting: int
    """Log-ins from all addresses that may wait for their turn."""
    _closed: OrderedDict[str, Instant] = field(default_factory=OrderedDict, repr=False)
    _lanes: dict[str, _Lane] = field(default_factory=dict, repr=False)

    async def enter(self, address: str) -> Passage | None:
        """Wait for a turn; None: the address is closed. Raises TemporarilyUnavailable when too many wait."""
        if await self.closed_for(address):
            return None
        failures = await self._failures(address)
        lane = self._lanes.setdefault(address, _Lane())
        if failures is not None or lane.failures >= self.limit:  # of a window that is over
            lane.failures = failures or 0
        try:
            admitted = await self._turn(lane)
        finally:
            self._forget_idle(address, lane)
        return Passage(lambda: self._left(address, lane)) if admitted else None

    async def closed_for(self, address: str) -> Duration:
        """0: open."""
        until = self._closed.get(address, 0)
        if until > self.now():
            return until - self.now()
        return self.window if await self.cache.get(_closed_key(address)) is not None else 0

    async def failed(self, address: str) -> None:
        """Count a failure, and close the address when it was one too many."""
        failures = await self.cache.count(_failed_key(address), window=self.window)
        if failures == self.limit:
            _log.warning(
                "too many failed log-ins from one address; if it is a proxy, set TRUSTED_PROXIES",
                network=address,
                failures=failures,
            )
        if failures >= self.limit:
            self._remember_closed(address)
            await self.cache.set(_closed_key(address), b"1", ttl=self.window)
        lane = self._lanes.get(address)
        if lane is not None:
            lane.failures = failures
            self._call(lane)

    async def _failures(self, address: str) -> int | None:
        told = await self.cache.get(_failed_key(address))
        return int(told) if told is not None and told.isdigit() else None

    async def _turn(self, lane: _Lane) -> bool:
        """Whether there is one; False: closed."""
        if lane.failures >= self.limit:
            return False
        if not lane.waiting and self._room(lane):
            lane.inside += 1
            return True
        if sum(len(other.waiting) for other in self._lanes.values()) >= self.max_waiting:
            raise TemporarilyUnavailable("too many log-ins at once, try again", retry_after=2)
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        lane.waiting.append(turn)
        return await self._called(lane, turn)

    async def _called(self, lane: _Lane, turn: asyncio.Future[bool]) -> bool:
        try:
            return await turn
        except asyncio.CancelledError:
            if turn in lane.waiting:
                lane.waiting.remove(turn)
            elif not turn.cancelled() and turn.result():  # given up on just when it was there: the next one's
                lane.inside -= 1
                self._call(lane)
            raise

    def _room(self, lane: _Lane) -> bool:
        return lane.inside < min(self.parallel, self.limit - lane.failures)

    def _call(self, lane: _Lane) -> None:
        """Give free turns to those who wait, or tell them that there will be none."""
        while lane.waiting and (lane.failures >= self.limit or self._room(lane)):
            turn = lane.waiting.popleft()
            if not turn.done():
                admitted = lane.failures < self.limit
                lane.inside += admitted
                turn.set_result(admitted)

    def _left(self, address: str, lane: _Lane) -> None:
        lane.inside -= 1
        self._call(lane)
        self._forget_idle(address, lane)

    def _forget_idle(self, address: str, lane: _Lane) -> None:
        if lane.idle() and self._lanes.get(address) is lane:
            del self._lanes[address]

    def _remember_closed(self, address: str) -> None:
        self._closed[address] = self.now() + self.window
        self._closed.move_to_end(address)
        if len(self._closed) > MAX_CLOSED:
            self._closed.popitem(last=False)


def _failed_key(address: str) -> str:
    return f"login:failed:{address}"


def _closed_key(address: str) -> str:
    return f"login:closed:{address}"
