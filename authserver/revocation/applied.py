"""What resource servers say they have applied: proof of effect, and now and then proof that we lost something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from authserver import telemetry
from authserver.clock import Clock
from authserver.model.log import LogHead
from authserver.model.resource_server import ResourceServer
from authserver.model.time import DAY, Duration
from authserver.storage.interface import ResourceServerStore

KEEP_SILENT: Duration = DAY
"""A resource server that has not reported for so long is forgotten."""

_log = telemetry.logger("authserver.revocation.applied")


class SignedPlace(NamedTuple):
    """What a checkpoint of ours says of the log, old or new; its signature was checked."""

    log: str
    seq: int
    hash: bytes


class AppliedLog(Protocol):
    """`LogStore`, as far as reports are compared with it."""

    async def head(self) -> LogHead: ...

    async def hash_at(self, log: str, seq: int) -> bytes | None: ...

    async def accuse(self, log: str, witness: str) -> bool: ...


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
    log: AppliedLog
    read_checkpoint: Callable[[str], SignedPlace]
    """Raises InvalidToken for what no key of ours has signed as a checkpoint; a checkpoint may be of any age."""
    wake: Callable[[], None]
    """Have the log looked at now."""
    now: Clock

    async def take(self, report: Report) -> None:
        """Raises InvalidToken for a checkpoint that is not ours."""
        place = self.read_checkpoint(report.checkpoint)
        if await self._proves_a_loss(place):
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

    async def _proves_a_loss(self, place: SignedPlace) -> bool:
        """We signed it, so the log stood there once. The head is read after the report came in: the log that led to the
        checkpoint was committed before."""
        head = await self.log.head()
        if place.log != head.log:
            return place.log not in head.left
        if place.seq > head.seq:
            return True
        known = head.hash if place.seq == head.seq else await self.log.hash_at(place.log, place.seq)
        return known is not None and known != place.hash

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
