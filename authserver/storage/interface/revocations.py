"""Taking back, and asking whether something was taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from authserver.model.audit import AuditEvent
from authserver.model.revocation import (
    EntryKind,
    OutboxEntry,
    RevocationOutcome,
    RevocationTarget,
    TokenFacts,
    TokenState,
)
from authserver.model.time import Instant


class RevocationStore(Protocol):
    async def revoke(
        self, target: RevocationTarget, *, at: Instant, reason: str, event: AuditEvent
    ) -> RevocationOutcome:
        """Take something back, with its outbox entries and its audit event, in one transaction.

        The event of an ended family or session gets the user, client and session of its row.

        jti: remembered until it expires; said again with a later end, until then. family: dead.
        session: ended with its families.
        user, client, all: the revocation version moves on by one, which kills whatever was born under
        an older one (a constant cost, whatever their number). kid: the key is withdrawn from the JWKS
        and everything it signed is refused; the active key is only withdrawn by a rotation: raises
        KeyIsUsed for it.

        The numbers of a user, client or all are None when they could not be had in time.
        """
        ...

    async def preview(self, target: RevocationTarget, *, now: Instant) -> RevocationOutcome:
        """What `revoke` would end, changing nothing; `outbox_id` is None."""
        ...

    async def check(self, facts: TokenFacts) -> TokenState:
        """One statement, six independent tests, any of which denies: kid, jti, sid, and the versions of
        subject, client and issuer; also a user or client that is disabled or gone. Unknown denies."""
        ...

    async def position(self, kind: EntryKind, value: str, *, key: str) -> int | None:
        """The id of the last outbox entry about this value, also when it is in the log by now, where `key` stands
        for it."""
        ...

    async def outbox(self, *, after: int, limit: int) -> Sequence[OutboxEntry]:
        """Entries by id; on PostgreSQL a smaller id may commit later than a larger one."""
        ...
