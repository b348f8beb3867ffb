"""Proof that the database lost commits: a checkpoint that we signed and that the log as it is cannot have led to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from authserver import telemetry
from authserver.model.errors import InvalidToken
from authserver.model.log import LogHead
from authserver.model.time import DAY, Duration
from authserver.storage.interface import Cache

CACHE_KEY: Final = "log:witness"
KEPT_FOR: Duration = 30 * DAY

_log = telemetry.logger("authserver.log")


class SignedPlace(NamedTuple):
    """What a checkpoint of ours says of the log, old or new; its signature was checked."""

    log: str
    seq: int
    hash: bytes


class WitnessedLog(Protocol):
    """`LogStore`, as far as checkpoints are compared with it."""

    async def head(self) -> LogHead: ...

    async def hash_at(self, log: str, seq: int) -> bytes | None: ...

    async def accuse(self, log: str, witness: str) -> bool: ...


async def proves_a_loss(log: WitnessedLog, place: SignedPlace) -> bool:
    """We signed it, so the log stood there once. The head must be read after the checkpoint came in: the log that led
    to it was committed before."""
    head = await log.head()
    if place.log != head.log:
        return place.log not in head.left
    if place.seq > head.seq:
        return True
    known = head.hash if place.seq == head.seq else await log.hash_at(place.log, place.seq)
    return known is not None and known != place.hash


@dataclass(slots=True)
class CachedWitness:
    """The newest checkpoint, kept where a restored database does not reach: in the shared cache.

    A process that is started on the backup of yesterday would sign a log that contradicts what was signed until a
    minute ago; it asks here first.
    """

    cache: Cache
    log: WitnessedLog
    read_checkpoint: Callable[[str], SignedPlace]
    """Raises InvalidToken for what no key of ours has signed as a checkpoint; a checkpoint may be of any age."""
    _kept: str | None = None

    async def recall(self) -> None:
        """Before the first checkpoint is signed. Raises StorageUnavailable."""
        found = await self.cache.get(CACHE_KEY)
        if found is None:
            return
        try:
            token = found.decode("ascii")
            place = self.read_checkpoint(token)
        except (InvalidToken, UnicodeDecodeError):  # of an issuer that was there before, perhaps
            _log.warning("the checkpoint in the cache is not of this issuer's keys; it proves nothing")
            return
        if await proves_a_loss(self.log, place):
            await self.log.accuse((await self.log.head()).log, token)

    async def keep(self, signed: str | None) -> None:
        """Never raises."""
        if signed is not None and signed != self._kept:
            await self.cache.set(CACHE_KEY, signed.encode("ascii"), ttl=KEPT_FOR)
            self._kept = signed

    async def forget(self) -> None:
        await self.cache.delete(CACHE_KEY)
