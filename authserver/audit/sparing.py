"""A bound on audit events that refused callers cause, so that nobody can fill the log, or bury others in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from authserver.model.time import MINUTE, Instant

EVENTS_PER_MINUTE = 10
"""Of one kind by one caller, per process. The metrics count all of them."""


@dataclass(slots=True)
class Sparing:
    _minute: int = 0
    _seen: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def allows(self, now: Instant, *who: str) -> bool:
        """Whether one more event of `who` may be written in this minute."""
        if now // MINUTE != self._minute:
            self._minute = now // MINUTE
            self._seen.clear()
        self._seen[who] += 1
        return self._seen[who] <= EVENTS_PER_MINUTE
