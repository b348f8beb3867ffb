"""How often this process asks strangers' servers, on whose behalf, and which of them it leaves alone for a while.

In memory: what matters is that nobody can make this process a cannon, and a flood costs the database nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from authserver.clock import Clock
from authserver.model.time import Duration, Instant

MOST_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class Burst:
    """`burst` at once, then one per `interval`, for each name (a generic cell rate limiter)."""

    burst: int
    interval: Duration
    now: Clock
    _due: OrderedDict[str, Instant] = field(default_factory=OrderedDict)

    def admits(self, name: str) -> bool:
        now = self.now()
        due = max(self._due.get(name, 0), now)
        if due - now > (self.burst - 1) * self.interval:
            return False
        self._due[name] = due + self.interval
        self._due.move_to_end(name)
        if len(self._due) > MOST_REMEMBERED:
            self._due.popitem(last=False)
        return True


@dataclass(slots=True)
class Until:
    """Names with a moment up to which something is so."""

    now: Clock
    _until: OrderedDict[str, Instant] = field(default_factory=OrderedDict)

    def __contains__(self, name: str) -> bool:
        return self._until.get(name, 0) > self.now()

    def put(self, name: str, until: Instant) -> None:
        self._until[name] = until
        self._until.move_to_end(name)
        if len(self._until) > MOST_REMEMBERED:
            self._until.popitem(last=False)

    def drop(self, name: str) -> None:
        self._until.pop(name, None)
