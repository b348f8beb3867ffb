"""What a process needs to keep the log, in one record."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.revocation.follower import LogFollower
from authserver.revocation.renewal import Renewal
from authserver.revocation.snapshots import SnapshotJob
from authserver.revocation.witness import CachedWitness


@dataclass(frozen=True, slots=True)
class LogKeeping:
    follower: LogFollower
    snapshots: SnapshotJob
    witness: CachedWitness
    renewal: Renewal

    def fault(self) -> str | None:
        """Why no checkpoints are signed, in words that may be public; None while they are."""
        return "lost commits: run authserver log renew" if self.follower.fault else None
