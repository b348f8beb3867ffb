"""Drop what has expired: the policy; the work is the store's."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.clock import Clock
from authserver.storage.interface import Housekeeping, MaintenanceStore


@dataclass(frozen=True, slots=True)
class PurgeJob:
    maintenance: MaintenanceStore
    keep: Housekeeping
    now: Clock

    async def run_once(self) -> dict[str, int]:
        """Rows deleted, by table. Safe to run on every node at once."""
        return await self.maintenance.purge(self.keep, now=self.now())
