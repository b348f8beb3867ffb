"""Drop what has expired, so that no operator needs a cron job."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.clock import Clock
from authserver.storage.interface import Housekeeping, MaintenanceStore


@dataclass(frozen=True, slots=True)
class PurgeJob:
    """One sweep at a time; run it every few minutes on every instance, they do not get in each other's way."""

    maintenance: MaintenanceStore
    keep: Housekeeping
    now: Clock

    async def run_once(self) -> dict[str, int]:
        """What was deleted, by table. Raises StorageUnavailable; whatever was not reached is for the next run."""
        return await self.maintenance.purge(self.keep, now=self.now())
