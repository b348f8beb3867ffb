"""Taking back, and asking whether something was taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.revocation import (
    EntryKind,
    OutboxEntry,
    RevocationOutcome,
    RevocationTarget,
    TokenFacts,
    TokenState,
)
from authserver.model.time import HOUR, Instant
from authserver.storage.interface import KeyIsUsed, StorageUnavailable
from authserver.storage.sql.books import last_entry, record
from authserver.storage.sql.database import Database
from authserver.storage.sql.ending import NOT_FOUND, UNCHANGED, end_family, end_sessions
from authserver.storage.sql.hot import HotStatement
from authserver.storage.sql.keys import WITHDRAWN
from authserver.storage.sql.reach import BEFORE, counted, preview
from authserver.storage.sql.tables import (
    clients,
    device_requests,
    families,
    issuer,
    rev_log,
    revocation_outbox,
    revoked_tokens,
    sessions,
    signing_keys,
    users,
)
from authserver.storage.sql.upserts import insert_or

CHECK = HotStatement(
    """
SELECT (SELECT state FROM signing_keys WHERE kid = :kid), (SELECT 1 FROM revoked_tokens WHERE jti = :jti),
 f.session_id, f.dead_at, u.enabled, u.version, u.username, c.enabled, c.version, i.revocation_version
FROM issuer i LEFT JOIN families f ON f.id = :family LEFT JOIN users u ON u.id = :subject
 LEFT JOIN clients c ON c.id = :client WHERE i.id = 1
""",
    kid=str,
    jti=str,
    family=str,
    subject=str,
    client=str,
)
PUBLISHED = frozenset({"announced", "active", "retired"})
UNBOUNDED = 24 * HOUR
"""How long a jti is remembered when nobody said when its token expires."""
COUNTING_TIMEOUT = 2.0
"""Seconds that a revocation, which holds by then, waits for the number of what it ended."""

Verb = Callable[[AsyncConnection, RevocationTarget, Instant, str], Awaitable[RevocationOutcome]]


class SqlRevocations:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def revoke(
        self, target: RevocationTarget, *, at: Instant, reason: str, event: AuditEvent
    ) -> RevocationOutcome:
        async def work(connection: AsyncConnection) -> RevocationOutcome:
            outcome = await VERBS[target.kind](connection, target, at, reason)
            if outcome.changed:
                await record(connection, await _named(connection, target, event))
            return outcome

        outcome = await self._db.write(work)
        return await self._counted(target, outcome, at) if outcome.changed and target.kind in BEFORE else outcome

    async def preview(self, target: RevocationTarget, *, now: Instant) -> RevocationOutcome:
        async def work(connection: AsyncConnection) -> RevocationOutcome:
            return await preview(connection, target, now)

        return await self._db.read(work)

    async def _counted(self, target: RevocationTarget, outcome: RevocationOutcome, at: Instant) -> RevocationOutcome:
        """Only after the commit: counting a million sessions must not hold up their end, and whoever hears that the
        database did not answer would take the revocation for not done."""

        async def work(connection: AsyncConnection) -> RevocationOutcome:
            return await counted(connection, target, outcome, at, BEFORE[target.kind])

        try:
            async with asyncio.timeout(COUNTING_TIMEOUT):
                return await self._db.read(work)
        except (StorageUnavailable, TimeoutError):
            return replace(outcome, sessions=None, families=None)

    async def check(self, facts: TokenFacts) -> TokenState:
        found = await self._db.hot(
            CHECK, kid=facts.kid, jti=facts.jti, family=facts.family_id, subject=facts.subject, client=facts.client_id
        )
        return verdict(facts, found[0])

    async def position(self, kind: EntryKind, value: str, *, key: str) -> int | None:
        waiting = select(func.max(revocation_outbox.c.id)).where(
            revocation_outbox.c.kind == kind, revocation_outbox.c.value == value
        )
        logged = select(func.max(rev_log.c.outbox_id)).where(rev_log.c.key == key)

        async def work(connection: AsyncConnection) -> int | None:
            # One statement: an entry is in exactly one of the two places.
            found = (await connection.execute(select(waiting.scalar_subquery(), logged.scalar_subquery()))).one()
            return max((each for each in found if each is not None), default=None)

        return await self._db.read(work)

    async def outbox(self, *, after: int, limit: int) -> Sequence[OutboxEntry]:
        wanted = (
            select(revocation_outbox)
            .where(revocation_outbox.c.id > after)
            .order_by(revocation_outbox.c.id)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> Sequence[OutboxEntry]:
            return [OutboxEntry(**row._mapping) for row in await connection.execute(wanted)]

        return await self._db.read(work)


def verdict(facts: TokenFacts, row: Sequence[Any]) -> TokenState:
    """Six independent tests, of which any denies; nothing that is unknown is alive."""
    key_state, jti, session_id, dead_at, user_enabled, user_version, username, enabled, version, issuer_version = row
    own = facts.subject == facts.client_id  # client_credentials: the client is the subject, and nobody else
    if facts.kid is not None and key_state not in PUBLISHED:
        return _dead("kid")
    if jti is not None:
        return _dead("jti")
    if facts.family_id is not None and (session_id is None or dead_at is not None):
        return _dead("session")
    if not own and (not user_enabled or facts.versions.subject < user_version):
        return _dead("subject")
    if not enabled or facts.versions.client < version:
        return _dead("client")
    if facts.versions.issuer < issuer_version:
        return _dead("issuer")
    return TokenState(alive=True, session_id=session_id, username=username)


def _dead(reason: str) -> TokenState:
    return TokenState(alive=False, reason=reason)


OWNER: Mapping[str, Any] = {
    "family": select(families.c.user_id, families.c.client_id, families.c.session_id).where(
        families.c.id == bindparam("id")
    ),
    "session": select(sessions.c.user_id, sessions.c.client_id, sessions.c.id).where(sessions.c.id == bindparam("id")),
}


async def _named(connection: AsyncConnection, target: RevocationTarget, event: AuditEvent) -> AuditEvent:
    """With the user, client and session that the ended row belonged to: whoever asks about them finds the event."""
    if target.kind not in OWNER:
        return event
    user, client, session = (await connection.execute(OWNER[target.kind], {"id": target.value})).one()
    return replace(event, user_id=user, client_id=client, session_id=session)


async def _revoke_token(
    connection: AsyncConnection, target: RevocationTarget, at: Instant, reason: str
) -> RevocationOutcome:
    expires_at = at + UNBOUNDED if target.expires_at is None else target.expires_at
    if expires_at <= at:
        return UNCHANGED
    values = {"expires_at": expires_at, "revoked_at": at, "reason": reason}
    done = await connection.execute(
        insert_or(connection, revoked_tokens)
        .values(jti=target.value, **values)
        .on_conflict_do_update(
            index_elements=[revoked_tokens.c.jti], set_=values, where=revoked_tokens.c.expires_at < expires_at
        )
        .returning(revoked_tokens.c.jti)
    )
    if done.first() is None:
        return UNCHANGED
    return RevocationOutcome(found=True, changed=True, outbox_id=await last_entry(connection), sessions=0, families=0)


async def _revoke_family(
    connection: AsyncConnection, target: RevocationTarget, at: Instant, reason: str
) -> RevocationOutcome:
    return await end_family(connection, families.c.id == target.value, at=at, reason=reason)


async def _revoke_session(
    connection: AsyncConnection, target: RevocationTarget, at: Instant, reason: str
) -> RevocationOutcome:
    return await end_sessions(connection, sessions.c.id == target.value, at=at, reason=reason)


async def _revoke_user(
    connection: AsyncConnection, target: RevocationTarget, at: Instant, reason: str
) -> RevocationOutcome:
    return await _move_on(
        connection, update(users).where(users.c.id == target.value).values(version=users.c.version + 1, updated_at=at)
    )


async def _revoke_client(
    connection: AsyncConnection, target: RevocationTarget, at: Instant, reason: str
) -> RevocationOutcome:
    outcome = await _move_on(
        connection,
        update(clients).where(clients.c.id == target.value).values(version=clients.c.version + 1, updated_at=at),
    )
    # Codes know the version that they were given under; a device that was approved and has not come yet does not.
    waiting = (device_requests.c.client_id == target.value) & (device_requests.c.state == "approved")
    await connection.execute(update(device_requests).where(waiting).values(state="denied"))
    return outcome


async def _revoke_all(
    connection: AsyncConnection, target: RevocationTarget, at: Instant, reason: str
) -> RevocationOutcome:
    return await _move_on(
        connection, update(issuer).where(issuer.c.id == 1).values(revocation_version=issuer.c.revocation_version + 1)
    )


async def _move_on(connection: AsyncConnection, bump: Any) -> RevocationOutcome:
    """One row changes, whatever the number of sessions that this ends."""
    if not (await connection.execute(bump)).rowcount:
        return NOT_FOUND
    return RevocationOutcome(found=True, changed=True, outbox_id=await last_entry(connection), sessions=0, families=0)


async def _revoke_key(
    connection: AsyncConnection, target: RevocationTarget, at: Instant, reason: str
) -> RevocationOutcome:
    withdrawn = func.coalesce(signing_keys.c.remove_at, at + WITHDRAWN)
    done = await connection.execute(
        update(signing_keys)
        .where(signing_keys.c.kid == target.value, signing_keys.c.state.in_(("announced", "retired")))
        .values(state="revoked", revoked_at=at, reason=reason, remove_at=withdrawn)
    )
    if done.rowcount:
        return RevocationOutcome(
            found=True, changed=True, outbox_id=await last_entry(connection), sessions=0, families=0
        )
    state = await connection.scalar(select(signing_keys.c.state).where(signing_keys.c.kid == target.value))
    if state is None:
        return NOT_FOUND
    if state != "revoked":  # it signs, or did a moment ago
        raise KeyIsUsed
    return UNCHANGED


VERBS: Mapping[str, Verb] = {
    "jti": _revoke_token,
    "family": _revoke_family,
    "session": _revoke_session,
    "user": _revoke_user,
    "client": _revoke_client,
    "kid": _revoke_key,
    "all": _revoke_all,
}
