"""What a resource server has said of itself: which revocations it has applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .time import MINUTE, Duration, Instant

SILENT_AFTER: Duration = MINUTE
"""A resource server that has not reported for so long may be gone, or cut off; it is no proof of anything any more."""

ResourceServerState = Literal["current", "behind", "silent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceServer:
    """One process of a resource server, as it reported last."""

    client_id: str
    instance: str
    """Its own name, unique among the processes of this client."""
    log: str
    seq: int
    """The last record it has applied, out of a checkpoint that we signed."""
    entries: int
    """How many records it holds."""
    address: str
    version: str | None
    """What it says it is: its User-Agent."""
    first_seen: Instant
    reported_at: Instant

    def lag(self, log: str, seq: int) -> int | None:
        """How many records it lacks of the log up to `seq`; None if it follows another log, and so lacks them all."""
        return max(0, seq - self.seq) if self.log == log else None

    def state(self, log: str, seq: int, now: Instant) -> ResourceServerState:
        if now - self.reported_at > SILENT_AFTER:
            return "silent"
        return "current" if self.lag(log, seq) == 0 else "behind"
