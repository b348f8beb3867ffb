"""Refresh-token families: one row each, rotated by one statement.

Why reuse may be looked for in a second step: a secret's hash only ever goes from current to parent
to stale, never back. See docs/decisions/0003-two-step-rotation.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import and_, exists, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.grant import Family
from authserver.model.revocation import RevocationOutcome
from authserver.model.time import MINUTE, Instant
from authserver.storage.interface import RefusalReason, Rotated, Rotation, RotationRefused, RotationResult
from authserver.storage.sql import rows
from authserver.storage.sql.alive import Condition, client_stands, family_alive, issuer_stands, user_stands
from authserver.storage.sql.books import record
from authserver.storage.sql.database import Database
from authserver.storage.sql.ending import end_family
from authserver.storage.sql.hot import HotStatement
from authserver.storage.sql.tables import families, sessions

LAZY = MINUTE
"""How far behind the idle end of a family that does not rotate may lag."""

ALIVE = """
 families.id = :family AND families.client_id = :client AND families.dead_at IS NULL
 AND families.abs_until > :now AND families.idle_until > :now
 AND (bound_to IS NULL OR bound_to = :key)
 AND (cur_hash = :presented OR prev_hash = :presented AND (rotated_at > :grace_from OR cur_hash = :next))
 AND EXISTS (SELECT 1 FROM users u WHERE u.id = families.user_id AND u.enabled AND u.version = user_version)
 AND EXISTS (SELECT 1 FROM clients c WHERE c.id = :client AND c.enabled AND c.version = client_version)
 AND EXISTS (SELECT 1 FROM issuer i WHERE i.id = 1 AND i.revocation_version = families.issuer_version)
 AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = families.session_id AND s.dead_at IS NULL AND s.abs_until > :now)
"""
PRESENTED: dict[str, Any] = {
    "family": str,
    "client": str,
    "presented": bytes,
    "next": bytes,
    "now": int,
    "grace_from": int,
    "key": str,
}

ROTATE = HotStatement(
    f"""
UPDATE families SET
 generation = CASE WHEN cur_hash = :presented THEN generation + 1 ELSE generation END,
 prev_hash = CASE WHEN cur_hash = :presented THEN cur_hash ELSE prev_hash END,
 salt = CASE WHEN cur_hash = :presented THEN :salt ELSE salt END,
 rotated_at = CASE WHEN cur_hash = :presented THEN :now ELSE rotated_at END,
 idle_until = CASE WHEN cur_hash <> :presented THEN idle_until
                   WHEN :until < abs_until THEN :until ELSE abs_until END,
 cur_hash = CASE WHEN cur_hash = :presented THEN :next ELSE cur_hash END
WHERE {ALIVE} RETURNING {rows.columns(families)}
""",
    writes=True,
    salt=bytes,
    until=int,
    **PRESENTED,
)

LOOK = HotStatement(f"SELECT {rows.columns(families)} FROM families WHERE {ALIVE}", **PRESENTED)
EXTEND = HotStatement(
    "UPDATE families SET idle_until = CASE WHEN :until < abs_until THEN :until ELSE abs_until END"
    f" WHERE id = :family AND dead_at IS NULL AND idle_until > :now RETURNING {rows.columns(families)}",
    writes=True,
    family=str,
    until=int,
    now=int,
)
GET = HotStatement(f"SELECT {rows.columns(families)} FROM families WHERE id = :family", family=str)


class SqlFamilies:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, family_id: str) -> Family | None:
        found = await self._db.hot(GET, family=family_id)
        return rows.family(found[0]) if found else None

    async def is_alive(self, family_id: str, *, now: Instant) -> bool:
        wanted = select(families.c.id).where(families.c.id == family_id, family_alive(now))

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(wanted)).first() is not None

        return await self._db.read(work)

    async def rotate(self, rotation: Rotation, *, reuse_event: AuditEvent) -> Rotated | RotationRefused:
        rotated = await self._move(rotation) if rotation.rotate else await self._stay(rotation)
        if rotated is not None:
            return rotated

        async def work(connection: AsyncConnection) -> RotationRefused:
            return await _refuse(connection, rotation, reuse_event)

        return await self._db.write(work)

    async def end(
        self, family_id: str, *, client_id: str | None, at: Instant, reason: str, event: AuditEvent
    ) -> RevocationOutcome:
        owner = [] if client_id is None else [families.c.client_id == client_id]

        async def work(connection: AsyncConnection) -> RevocationOutcome:
            outcome = await end_family(connection, and_(families.c.id == family_id, *owner), at=at, reason=reason)
            if outcome.changed:
                await record(connection, event)
            return outcome

        return await self._db.write(work)

    async def _move(self, rotation: Rotation) -> Rotated | None:
        found = await self._db.hot(
            ROTATE, salt=rotation.next_salt, until=rotation.now + rotation.idle, **_presented(rotation)
        )
        if not found:
            return None
        family = rows.family(found[0])
        return Rotated(family, "rotated" if family.cur_hash == rotation.next_hash else "retry")

    async def _stay(self, rotation: Rotation) -> Rotated | None:
        """For a client whose refresh tokens do not rotate: nothing is written unless the idle end lags."""
        found = await self._db.hot(LOOK, **_presented(rotation))
        if not found:
            return None
        family = rows.family(found[0])
        until = rotation.now + rotation.idle
        if min(until, family.abs_until) - family.idle_until >= LAZY:
            moved = await self._db.hot(EXTEND, family=family.id, until=until, now=rotation.now)
            family = rows.family(moved[0]) if moved else family
        result: RotationResult = "unchanged" if family.cur_hash == rotation.presented_hash else "retry"
        return Rotated(family, result)


def _presented(rotation: Rotation) -> dict[str, Any]:
    return {
        "family": rotation.family_id,
        "client": rotation.client_id,
        "presented": rotation.presented_hash,
        "next": rotation.next_hash,
        "now": rotation.now,
        "grace_from": rotation.now - rotation.grace,
        "key": rotation.bound_to,
    }


async def _refuse(connection: AsyncConnection, rotation: Rotation, reuse_event: AuditEvent) -> RotationRefused:
    """Nothing was rotated: punish reuse, committed with its event before anybody is told; else say why."""
    mine = and_(families.c.id == rotation.family_id, families.c.client_id == rotation.client_id)
    hit = await connection.execute(
        update(families)
        .where(mine, family_alive(rotation.now), _has_key(rotation), _is_stale(rotation))
        .values(dead_at=rotation.now, dead_reason="reused")
        .returning(families.c.user_id, families.c.session_id)
    )
    victim = hit.first()
    if victim is not None:
        await record(connection, replace(reuse_event, user_id=victim.user_id, session_id=victim.session_id))
    found = (await connection.execute(select(*families.c, *_signs()).where(mine))).first()
    if found is None:
        return RotationRefused("unknown")
    family = rows.family(tuple(found)[: len(rows.FAMILY)])
    if family.bound_to not in (None, rotation.bound_to):
        return RotationRefused("key", family)
    return RotationRefused(_reason(family, bool(found.stands), bool(found.session_stands)), family)


def _has_key(rotation: Rotation) -> Condition:
    """A stolen token without its key harms nobody, whoever shows it: the family is not ended for it."""
    return or_(families.c.bound_to.is_(None), families.c.bound_to == rotation.bound_to)


def _is_stale(rotation: Rotation) -> Condition:
    """Neither the current secret nor its parent within the grace; a genuine token can then only be an old one."""
    c = families.c
    parent = and_(
        c.prev_hash.is_not(None),
        c.prev_hash == rotation.presented_hash,
        or_(c.rotated_at > rotation.now - rotation.grace, c.cur_hash == rotation.next_hash),
    )
    return and_(c.cur_hash != rotation.presented_hash, not_(parent))


def _signs() -> tuple[Any, ...]:
    session = exists().where(sessions.c.id == families.c.session_id, sessions.c.dead_at.is_(None)).correlate(families)
    return (
        and_(user_stands(families), issuer_stands(families), client_stands()).label("stands"),
        session.label("session_stands"),
    )


def _reason(family: Family, stands: bool, session_stands: bool) -> RefusalReason:
    if family.dead_reason == "reused":
        return "reused"
    if not stands:
        return "revoked"
    if not session_stands:
        return "session_ended"
    return "revoked" if family.dead_at is not None else "expired"  # only the deadlines are left
