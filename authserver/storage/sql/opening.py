"""Writing sessions and families. The versions are read by the statement that writes them, which checks who is enabled
too: whoever revokes in between is not missed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from sqlalchemy import and_, insert, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.grant import Family, Versions
from authserver.model.session import Session
from authserver.model.time import Instant
from authserver.storage.interface import FirstFamilies, Redeemed, RedeemRefusal, StorageUnavailable
from authserver.storage.sql import rows
from authserver.storage.sql.alive import issuer_stands, user_stands
from authserver.storage.sql.books import record
from authserver.storage.sql.database import ATTEMPTS, Database, Undo
from authserver.storage.sql.tables import clients, families, issuer, sessions, users

Spend: TypeAlias = Callable[[AsyncConnection], Awaitable[RedeemRefusal | None]]
"""Marks what is redeemed as spent, or says why it may not be."""


async def redeem(
    db: Database, spend: Spend, first: FirstFamilies, *, at: Instant, event: AuditEvent
) -> Redeemed | RedeemRefusal:
    """Spend something and open what it gives, in one transaction. What gives nothing is spent all the same."""

    async def work(connection: AsyncConnection) -> Redeemed | RedeemRefusal | None:
        refusal = await spend(connection)
        if refusal is not None:
            return refusal
        opened = await _open(connection, first, at)
        if opened is None:
            return "over"
        await record(connection, event)
        return opened

    for _ in range(ATTEMPTS):
        redeemed = await db.write(work)
        if redeemed is not None:
            return redeemed
    raise StorageUnavailable("gave up after repeated revocations")


async def _open(connection: AsyncConnection, first: FirstFamilies, at: Instant) -> Redeemed | None:
    versions = await insert_family(connection, first.family, at, hold=True)
    if versions is None or first.offline is None:
        return None if versions is None else Redeemed(versions)
    session, family = first.offline
    begun = await _insert_beside(connection, session, first.family.session_id)
    offline = await insert_family(connection, family, at, hold=False) if begun else None
    if offline is None:  # a revocation was committed since the first of these statements, which will see it now
        raise Undo(None)
    return Redeemed(versions, offline)


async def insert_session(connection: AsyncConnection, session: Session, password_hash: str | None) -> Versions | None:
    values = _session_values(session)
    values |= {"user_version": users.c.version, "issuer_version": issuer.c.revocation_version}
    source = (
        select(*(values[name].label(name) for name in rows.SESSION))
        .select_from(users.join(issuer, issuer.c.id == 1))
        .where(users.c.id == session.user_id, users.c.enabled)
    )
    if password_hash is not None:
        source = source.where(users.c.password_hash == password_hash)
    written = await connection.execute(
        insert(sessions).from_select(rows.SESSION, source).returning(sessions.c.user_version, sessions.c.issuer_version)
    )
    row = written.first()
    return Versions(row.user_version, 0, row.issuer_version) if row is not None else None


async def _insert_beside(connection: AsyncConnection, session: Session, parent: str) -> bool:
    """Under the versions of the session it comes from, not today's: what revokes that one revokes this one."""
    values = _session_values(session)
    values |= {"user_version": sessions.c.user_version, "issuer_version": sessions.c.issuer_version}
    source = select(*(values[name].label(name) for name in rows.SESSION)).where(
        sessions.c.id == parent,
        sessions.c.user_id == session.user_id,
        sessions.c.dead_at.is_(None),
        user_stands(sessions),
        issuer_stands(sessions),
    )
    written = insert(sessions).from_select(rows.SESSION, source).returning(sessions.c.id)
    return (await connection.execute(written)).first() is not None


async def insert_family(connection: AsyncConnection, family: Family, now: Instant, *, hold: bool) -> Versions | None:
    """`hold`: lock the session, so that an end of it waits for this family or is seen here."""
    values = _literals(families, rows.family_values(family))
    values |= {
        "user_version": sessions.c.user_version,
        "client_version": clients.c.version,
        "issuer_version": sessions.c.issuer_version,
    }
    source = (
        select(*(values[name].label(name) for name in rows.FAMILY))
        .select_from(sessions.join(clients, clients.c.id == family.client_id))
        .where(
            sessions.c.id == family.session_id,
            sessions.c.user_id == family.user_id,
            sessions.c.dead_at.is_(None),
            sessions.c.abs_until > now,
            or_(sessions.c.kind == "token", sessions.c.idle_until > now),
            and_(user_stands(sessions), issuer_stands(sessions)),
            clients.c.enabled,
        )
    )
    if hold:
        source = source.with_for_update(read=True, of=sessions)
    written = await connection.execute(
        insert(families)
        .from_select(rows.FAMILY, source)
        .returning(families.c.user_version, families.c.client_version, families.c.issuer_version)
    )
    row = written.first()
    return Versions(*row) if row is not None else None


def _session_values(session: Session) -> dict[str, Any]:
    return _literals(sessions, rows.as_values(session, sessions))


def _literals(table: Any, values: dict[str, Any]) -> dict[str, Any]:
    return {name: literal(value, table.c[name].type) for name, value in values.items()}
