"""Writing sessions and families. The versions are read by the statement that writes them, which checks who is enabled
too: whoever revokes in between is not missed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

from sqlalchemy import BigInteger, Column, ColumnElement, Insert, Table, bindparam, func, insert, or_, select
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
from authserver.storage.sql.hot import HotStatement, Step
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
    version = first.client_version
    versions = await insert_family(connection, first.family, at, hold=True, client_version=version)
    if versions is None or first.offline is None:
        return None if versions is None else Redeemed(versions)
    session, family = first.offline
    begun = await _insert_beside(connection, session, first.family.session_id)
    offline = await insert_family(connection, family, at, hold=False, client_version=version) if begun else None
    if offline is None:  # a revocation was committed since the first of these statements, which will see it now
        raise Undo(None)
    return Redeemed(versions, offline)


async def insert_session(connection: AsyncConnection, session: Session, password_hash: str | None) -> Versions | None:
    statement = NEW_SESSION if password_hash is None else NEW_SESSION_BY_PASSWORD
    checked = {} if password_hash is None else {"password_hash": password_hash}
    row = (await connection.execute(statement, _session_values(session) | checked)).first()
    return Versions(row.user_version, 0, row.issuer_version) if row is not None else None


async def _insert_beside(connection: AsyncConnection, session: Session, parent: str) -> bool:
    """Under the versions of the session it comes from, not today's: what revokes that one revokes this one."""
    return (await connection.execute(SESSION_BESIDE, _session_values(session) | {"parent": parent})).first() is not None


async def insert_family(
    connection: AsyncConnection, family: Family, now: Instant, *, hold: bool, client_version: int | None = None
) -> Versions | None:
    """`hold`: lock the session, so that an end of it waits for this family or is seen here. `client_version`: only
    while the client is at this one."""
    values = _new_family(family, now, client_version)
    row = (await connection.execute(NEW_FAMILY_HELD if hold else NEW_FAMILY, values)).first()
    return Versions(*row) if row is not None else None


def opening(family: Family, now: Instant, client_version: int | None) -> Step:
    """`insert_family` that holds the session, as a step of a hot transaction: it gives its versions, or no row."""
    return Step(NEW_FAMILY_HOT, _new_family(family, now, client_version))


def _new_family(family: Family, now: Instant, client_version: int | None) -> dict[str, Any]:
    return _named(rows.family_values(family), rows.FAMILY) | {"now": now, "client_version": client_version}


# -- the statements, put together once: that costs as much as running them


def _new(table: Table, **read: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """The values of a new row: those that are `read` in the same statement, the others are given as `new_<column>`."""
    return [read[column.name].label(column.name) if column.name in read else _given(column) for column in table.columns]


def _given(column: Column[Any]) -> ColumnElement[Any]:
    return bindparam(f"new_{column.name}", type_=column.type).label(column.name)


def _named(values: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {f"new_{name}": values[name] for name in names}


def _session_values(session: Session) -> dict[str, Any]:
    return _named(rows.as_values(session, sessions), rows.SESSION)


def _session_of(*where: ColumnElement[bool]) -> Insert:
    read = {"user_version": users.c.version, "issuer_version": issuer.c.revocation_version}
    source = select(*_new(sessions, **read)).select_from(users.join(issuer, issuer.c.id == 1))
    enabled = source.where(users.c.id == bindparam("new_user_id"), users.c.enabled, *where)
    return insert(sessions).from_select(rows.SESSION, enabled)


def _session_beside() -> Insert:
    read = {"user_version": sessions.c.user_version, "issuer_version": sessions.c.issuer_version}
    source = select(*_new(sessions, **read)).where(
        sessions.c.id == bindparam("parent"),
        sessions.c.user_id == bindparam("new_user_id"),
        sessions.c.dead_at.is_(None),
        user_stands(sessions),
        issuer_stands(sessions),
    )
    return insert(sessions).from_select(rows.SESSION, source)


def _family_of_living(*, hold: bool) -> Insert:
    now = bindparam("now", type_=BigInteger)
    version = bindparam("client_version", type_=BigInteger)
    source = (
        select(
            *_new(
                families,
                user_version=sessions.c.user_version,
                client_version=clients.c.version,
                issuer_version=sessions.c.issuer_version,
            )
        )
        .select_from(sessions.join(clients, clients.c.id == bindparam("new_client_id")))
        .where(
            sessions.c.id == bindparam("new_session_id"),
            sessions.c.user_id == bindparam("new_user_id"),
            sessions.c.dead_at.is_(None),
            sessions.c.abs_until > now,
            or_(sessions.c.kind == "token", sessions.c.idle_until > now),
            user_stands(sessions),
            issuer_stands(sessions),
            clients.c.enabled,
            clients.c.version == func.coalesce(version, clients.c.version),
        )
    )
    held = source.with_for_update(read=True, of=sessions) if hold else source
    return insert(families).from_select(rows.FAMILY, held)


SESSION_VERSIONS = (sessions.c.user_version, sessions.c.issuer_version)
FAMILY_VERSIONS = (families.c.user_version, families.c.client_version, families.c.issuer_version)
NEW_SESSION = _session_of().returning(*SESSION_VERSIONS)
NEW_SESSION_BY_PASSWORD = _session_of(users.c.password_hash == bindparam("password_hash")).returning(*SESSION_VERSIONS)
SESSION_BESIDE = _session_beside().returning(sessions.c.id)
NEW_FAMILY = _family_of_living(hold=False).returning(*FAMILY_VERSIONS)
NEW_FAMILY_HELD = _family_of_living(hold=True).returning(*FAMILY_VERSIONS)
NEW_FAMILY_HOT = HotStatement(NEW_FAMILY_HELD, writes=True)
