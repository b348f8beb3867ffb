"""What resource servers say they have applied: proof of effect, and now and then proof that we lost something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authserver import telemetry
from authserver.clock import Clock
from authserver.model.resource_server import ResourceServer
from authserver.model.time import DAY, Duration
from authserver.revocation.witness import SignedPlace, WitnessedLog, proves_a_loss
from authserver.storage.interface import ResourceServerStore

KEEP_SILENT: Duration = DAY
"""A resource server that has not reported for so long is forgotten."""

_log = telemetry.logger("authserver.revocation.applied")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    client_id: str
    instance: str
    checkpoint: str
    entries: int
    address: str
    version: str | None


@dataclass(frozen=True, slots=True)
class AppliedReports:
    servers: ResourceServerStore
    log: WitnessedLog
    read_checkpoint: Callable[[str], SignedPlace]
    """Raises InvalidToken for what no key of ours has signed as a checkpoint; a checkpoint may be of any age."""
    wake: Callable[[], None]
    """Have the log looked at now."""
    now: Clock

    async def take(self, report: Report) -> None:
        """Raises InvalidToken for a checkpoint that is not ours."""
        place = self.read_checkpoint(report.checkpoint)
        if await proves_a_loss(self.log, place):
            await self._accuse(report)
        now = self.now()
        await self.servers.report(
            ResourceServer(
                client_id=report.client_id,
                instance=report.instance,
                log=place.log,
                seq=place.seq,
                entries=report.entries,
                address=report.address,
                version=report.version,
                first_seen=now,
                reported_at=now,
            )
        )

    async def forget_silent(self) -> int:
        return await self.servers.purge(before=self.now() - KEEP_SILENT)

    async def _accuse(self, report: Report) -> None:
        head = await self.log.head()
        if await self.log.accuse(head.log, report.checkpoint):
            _log.critical(
                "the database has lost commits: a resource server follows a log that is not this one",
                client_id=report.client_id,
                instance=report.instance,
                cure="authserver log renew",
            )
            self.wake()
