"""Notes: what went wrong on the way, counted each time and logged now and then."""

from __future__ import annotations

import logging
from collections import Counter

from .clock import Clock
from .logcopy import ForkedLog
from .records import FeedFault
from .transport import TransportError
from .troubles import REPEAT_SECONDS, Troubles

NAMES = (
    "gaps", "older_checkpoints", "refused_checkpoints", "broken_chains", "forks", "new_logs", "malformed",
    "snapshots", "refused_snapshots", "tiles", "out_of_reach", "reconnects", "connection_failures",
    "unexpected_answers", "nothing_new", "mistakes", "reports", "report_failures",
)  # fmt: skip
"""All that is counted; a number that is missing until something happens is no use to an alarm."""

logger = logging.getLogger("authserver.verifier")


class Notes:
    """Counters of the feed, by the `code` of faults and the names of events."""

    def __init__(self, monotonic: Clock, troubles: Troubles | None = None) -> None:
        self.counters: Counter[str] = Counter(dict.fromkeys(NAMES, 0))
        self.troubles = troubles or Troubles(monotonic)
        self._monotonic = monotonic
        self._logged: dict[str, float] = {}

    def count(self, name: str) -> None:
        self.counters[name] += 1

    def event(self, name: str, text: str, level: int = logging.WARNING) -> None:
        self.count(name)
        now = self._monotonic()
        if now - self._logged.get(name, -REPEAT_SECONDS) >= REPEAT_SECONDS:
            self._logged[name] = now
            logger.log(level, "%s", text)

    def fault(self, error: FeedFault | TransportError) -> None:
        """A fork is the one that somebody should get up for."""
        if isinstance(error, TransportError):
            name, level, text = "connection_failures", logging.WARNING, f"the revocation feed cannot be had: {error}"
        else:
            level = logging.CRITICAL if isinstance(error, ForkedLog) else logging.WARNING
            name, text = error.code, f"the revocation feed cannot be followed: {error}"
        self.troubles.note("feed", text)
        self.event(name, text, level)

    def well(self) -> None:
        """The feed brought what can be used."""
        self.troubles.over("feed")
