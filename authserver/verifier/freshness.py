"""How old the copy is, and by what clock its entries end (docs/feed.md, "Following it safely")."""

from __future__ import annotations

from collections import OrderedDict
from math import inf
from typing import NamedTuple

from .checkpoint import TOLERANCE, Checkpoint
from .clock import Clock

CACHE_ALLOWANCE = 2.0
"""Seconds that a copy from a shared cache may be older than it is taken for."""
_REMEMBERED_FOR = 60 + 2 * TOLERANCE
"""Seconds after which the same checkpoint cannot come again, because it has expired whatever the clocks say."""
_REMEMBERED = 8192


class Point(NamedTuple):
    """Everything that was acknowledged by this monotonic moment, which was `at` (milliseconds) there, is known here."""

    moment: float
    at: int


class Anchor:
    """A connection of our own: what its first checkpoint says is taken for as new as the request for it."""

    def __init__(self, start: float) -> None:
        self.start = start
        """Monotonic, before anything was sent."""
        self.first_at: int | None = None

    def moment(self, at: int, requested: float) -> float:
        """The earliest moment that `at` can have been; `requested` is the start of the request that it answers."""
        if self.first_at is None:
            self.first_at = at
        return max(requested, self.start + (at - self.first_at) / 1000)


class Freshness:
    """The age of the copy. Moves on only with checkpoints whose records are all here."""

    def __init__(self, monotonic: Clock, wall: Clock) -> None:
        self._monotonic, self._wall = monotonic, wall
        self._point: Point | None = None
        self._ahead = 0.0
        """By how much the wall clock was ahead of the monotonic one when the copy last moved on."""
        self._seen: OrderedDict[tuple[str, int, int], float] = OrderedDict()

    def age(self) -> float:
        """Seconds; infinite before the first checkpoint.

        A wall clock that is set forward makes the copy older until the next checkpoint: a machine whose monotonic clock
        stood still with it (paused from outside) has no other sign of the time that it missed.
        """
        point = self._point  # once: another thread moves it
        if point is None:
            return inf
        return max(0.0, self._monotonic() - point.moment) + self._missed()

    def issuer_now(self) -> float | None:
        """Seconds since the epoch by the issuer's clock."""
        point = self._point
        return None if point is None else point.at / 1000 + self._monotonic() - point.moment

    def since(self, issued_at: int) -> float | None:
        """Seconds, at most, since the issuer's clock showed `issued_at` (seconds since the epoch)."""
        now = self.issuer_now()
        return None if now is None else max(0.0, now - issued_at) + self._missed()

    def _missed(self) -> float:
        """Seconds by which the wall clock went ahead of the monotonic one since the copy last moved on."""
        return max(0.0, self._wall() - self._monotonic() - self._ahead)

    def direct(self, checkpoint: Checkpoint, anchor: Anchor, requested: float | None = None) -> Point:
        """What a checkpoint proves that came over a connection of our own: a delayed one is seen to be old."""
        moment = anchor.moment(checkpoint.at, anchor.start if requested is None else requested)
        return self._first_seen(checkpoint, min(self._monotonic(), moment))

    def cached(self, checkpoint: Checkpoint) -> Point:
        """Behind a shared cache there is only the issuer's clock; it and ours must be synchronised."""
        old = max(0.0, self._wall() - checkpoint.at / 1000 - CACHE_ALLOWANCE)
        return self._first_seen(checkpoint, self._monotonic() - old)

    def advance(self, point: Point) -> None:
        """Its records are applied."""
        if self._point is None or point.moment > self._point.moment:
            # In this order: whoever asks in between takes the copy for too old, if anything.
            self._point = point
            self._ahead = self._wall() - self._monotonic()

    def _first_seen(self, checkpoint: Checkpoint, moment: float) -> Point:
        """The same checkpoint proves no more when it comes again, from a stuck cache or whoever repeats it."""
        key = (checkpoint.log, checkpoint.seq, checkpoint.at)
        while self._seen and (len(self._seen) >= _REMEMBERED or self._is_over(next(iter(self._seen.values())))):
            self._seen.popitem(last=False)
        return Point(min(moment, self._seen.setdefault(key, moment)), checkpoint.at)

    def _is_over(self, moment: float) -> bool:
        return moment < self._monotonic() - _REMEMBERED_FOR


class PurgeClock:
    """Issuer time for forgetting: never ahead of the issuer's clock, of our own, or of what a monotonic clock allows.

    Each clock is taken for what it would show had it only ever been set back: one that was an hour ahead for a while
    would make us forget what is still alive when it is right again.
    """

    def __init__(self, monotonic: Clock, wall: Clock) -> None:
        self._monotonic, self._wall = monotonic, wall
        self._offset = inf
        """The least that either clock was ever ahead of the monotonic one."""

    def now_at(self, at: int) -> float:
        """Seconds since the epoch, when a checkpoint of `at` (milliseconds) has just come."""
        now = self._monotonic()
        self._offset = min(self._offset, at / 1000 - now, self._wall() - now)
        return now + self._offset
