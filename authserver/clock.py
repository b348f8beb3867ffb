"""The time, as a parameter: `Clock` is a callable, so that tests pass their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

from authserver.model.time import Instant

Clock: TypeAlias = Callable[[], Instant]


def system_clock() -> Instant:
    """Wall-clock time of this machine, in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


class SteadyClock:
    """The database's time, carried on by this machine's monotonic clock.

    Nodes whose wall clocks differ, or step, agree on deadlines: only the monotonic clock runs
    between two calls of `anchor`.
    """

    def __init__(self) -> None:
        self._anchor = system_clock()
        self._monotonic = time.monotonic_ns()

    def __call__(self) -> Instant:
        return self._anchor + (time.monotonic_ns() - self._monotonic) // 1_000_000

    def anchor(self, database_now: Instant, round_trip_ns: int = 0) -> int:
        """Set the time from a database answer that took `round_trip_ns`; returns the correction in ms."""
        monotonic = time.monotonic_ns()
        now = database_now + round_trip_ns // 2_000_000
        correction = now - (self._anchor + (monotonic - self._monotonic) // 1_000_000)
        self._anchor, self._monotonic = now, monotonic
        return correction


class PurgeClock:
    """The time by which things are forgotten: never ahead of `now`, and never faster than the monotonic clock runs.

    A clock that is an hour ahead for a while would otherwise delete what still denies tokens once it is right again.
    """

    def __init__(self, now: Clock, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._now, self._monotonic_ns = now, monotonic_ns
        self._last, self._asked = now(), monotonic_ns()

    def __call__(self) -> Instant:
        asked = self._monotonic_ns()
        self._last = min(self._now(), self._last + (asked - self._asked) // 1_000_000)
        self._asked = asked
        return self._last
