"""Drop what has expired, so that no operator needs a cron job."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.clock import Clock
from authserver.storage.interface import Housekeeping, LogStore, MaintenanceStore


@dataclass(frozen=True, slots=True)
class PurgeJob:
    """One sweep at a time; run it every few minutes on every instance, they do not get in each other's way."""

    maintenance: MaintenanceStore
    log: LogStore
    keep: Housekeeping
    now: Clock
    """A `PurgeClock`: what still denies a token must outlast a clock that is ahead for a while."""

    async def run_once(self) -> dict[str, int]:
        """What was deleted, by table. Raises StorageUnavailable; whatever was not reached is for the next run."""
        now = self.now()
        return await self.maintenance.purge(self.keep, now=now) | await self.log.purge(now=now)
