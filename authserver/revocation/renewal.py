"""A new log, for a database that lost commits: what was taken back and forgotten must not come back to life."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.audit import Caller
from authserver.model.log import LogHead
from authserver.model.revocation import RevocationTarget
from authserver.model.time import SECOND
from authserver.revocation.records import carry, chain_start
from authserver.revocation.revoker import Revoker
from authserver.revocation.witness import CachedWitness
from authserver.storage.channels import tell_revoked
from authserver.storage.interface import Bus, Compose, LogStore, NewLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    head: LogHead
    before: LogHead
    keys: tuple[str, ...]
    """The kids that were withdrawn."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """`authserver log renew`. Everybody has to log in again, and every token that was issued before is refused."""

    store: LogStore
    compose: Compose
    revoker: Revoker
    kids: Callable[[], Awaitable[Sequence[str]]]
    """The keys that are published, read from the database now, the one that signs first."""
    witness: CachedWitness
    audit: AuditLog
    bus: Bus
    now: Clock
    changed: Callable[[], Awaitable[None]]
    """Told after the commit: copies of the issuer's version are old."""

    async def renew(self, *, caller: Caller, reason: str = "", keep_keys: bool = False) -> Renewed:
        """Raises StorageUnavailable, also half way; to be repeated then, nothing is lost by doing it twice.

        The keys first: until the log is new nobody signs checkpoints, so if this ends in between, everybody sees that
        it is not done. A key that was revoked after the backup was made is back in use; only its end is certain.
        """
        before = await self.store.head()
        keys = () if keep_keys else await self._withdraw_keys(caller, reason or "the log was renewed")
        # The versions that were lost moved on by one each; none of them has reached the seconds since 1970.
        log = secrets.token_hex(8)
        new = NewLog(
            log=log,
            start=chain_start(log),
            least_version=self.now() // SECOND,
            compose=self.compose,
            carry=carry,
        )
        event = self.audit.event(
            EventType.LOG_RENEWED, caller, log=log, instead_of=before.log, keys=list(keys), reason=reason or None
        )
        head = await self.store.renew(new, now=self.now, event=event)
        await self.witness.forget()
        await self.changed()
        await tell_revoked(self.bus)
        return Renewed(head=head, before=before, keys=keys)

    async def _withdraw_keys(self, caller: Caller, reason: str) -> tuple[str, ...]:
        kids = tuple(await self.kids())
        for kid in kids:
            await self.revoker.revoke(RevocationTarget(kind="kid", value=kid), reason=reason, caller=caller)
        return kids
