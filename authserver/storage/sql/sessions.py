"""Sessions, and the families that are opened under them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from sqlalchemy import BigInteger, Select, Text, and_, bindparam, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.grant import Family, Versions
from authserver.model.page import Page, PageRequest
from authserver.model.revocation import RevocationOutcome
from authserver.model.session import Session
from authserver.model.time import Instant
from authserver.storage.interface import SessionFilter, SessionTouch
from authserver.storage.sql import rows
from authserver.storage.sql.alive import Condition, end_reason, session_alive
from authserver.storage.sql.books import limit_of, page_of, record
from authserver.storage.sql.database import Database, Undo
from authserver.storage.sql.ending import end_sessions
from authserver.storage.sql.hot import HotStatement
from authserver.storage.sql.opening import insert_family, insert_session
from authserver.storage.sql.renewal import renew_session
from authserver.storage.sql.tables import families, sessions

_LIVING_BROWSER = (
    f"SELECT {rows.columns(sessions, 's.')} FROM sessions s"
    " JOIN users u ON u.id = s.user_id JOIN issuer i ON i.id = 1"
    " WHERE s.id = :id AND s.kind = 'browser' AND s.dead_at IS NULL"
    " AND s.idle_until > :now AND s.abs_until > :now"
    " AND u.enabled AND u.version = s.user_version AND i.revocation_version = s.issuer_version"
)
BROWSER = HotStatement(_LIVING_BROWSER, id=str, now=int)
AUTHENTICATE = HotStatement(f"{_LIVING_BROWSER} AND s.secret_hash = :secret", id=str, secret=bytes, now=int)
TOUCH = HotStatement(
    "UPDATE sessions SET last_seen_at = :now,"
    " idle_until = CASE WHEN :until < abs_until THEN :until ELSE abs_until END"
    f" WHERE id = :id AND dead_at IS NULL AND last_seen_at <= :before RETURNING {rows.columns(sessions)}",
    writes=True,
    id=str,
    now=int,
    until=int,
    before=int,
)
MOVED = Versions(-1, -1, -1)
"""On PostgreSQL a revocation may commit between the statements of a log-in, whose second one then refuses. That is no
reason to refuse a good password: what holds the second time decides."""


class SqlSessions:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(
        self, session: Session, family: Family | None, *, password_hash: str | None, event: AuditEvent
    ) -> Versions | None:
        async def work(connection: AsyncConnection) -> Versions | None:
            versions = await insert_session(connection, session, password_hash)
            if versions is None:
                raise Undo
            if family is not None:
                versions = await insert_family(connection, family, session.created_at, hold=False)
            if versions is None:
                raise Undo(MOVED)
            await record(connection, event)
            return versions

        begun = await self._db.write(work)
        if begun is MOVED:
            begun = await self._db.write(work)
        return None if begun is MOVED else begun

    async def renew(
        self,
        renewed: Session,
        secret_hash: bytes,
        *,
        repeated_since: Instant,
        password_hash: str | None,
        event: AuditEvent,
    ) -> Session | Literal["changed"] | None:
        async def work(connection: AsyncConnection) -> Session | Literal["changed"] | None:
            stored = await renew_session(connection, renewed, secret_hash, repeated_since, password_hash)
            if isinstance(stored, Session):
                await record(connection, event)
            return stored

        return await self._db.write(work)

    async def add_family(self, family: Family, *, event: AuditEvent | None) -> Versions | None:
        async def work(connection: AsyncConnection) -> Versions | None:
            versions = await insert_family(connection, family, family.created_at, hold=True)
            if versions is not None:
                await record(connection, event)
            return versions

        return await self._db.write(work)

    async def authenticate(
        self, session_id: str, secret_hash: bytes, *, now: Instant, touch: SessionTouch | None = None
    ) -> Session | None:
        found = await self._db.hot(AUTHENTICATE, id=session_id, secret=secret_hash, now=now)
        if not found:
            return None
        session = rows.session(found[0])
        if touch is None or now - session.last_seen_at < touch.interval:
            return session
        moved = await self._db.hot(TOUCH, id=session_id, now=now, until=now + touch.idle, before=now - touch.interval)
        return rows.session(moved[0]) if moved else session

    async def get(self, session_id: str, *, now: Instant) -> Session | None:
        # Each code that is redeemed asks for one of kind "browser"; whether others live is for their families to say.
        found = await self._db.hot(BROWSER, id=session_id, now=now)
        if found:
            return rows.session(found[0])

        async def work(connection: AsyncConnection) -> Session | None:
            row = (await connection.execute(GET, {"session": session_id, "now": now})).first()
            return _session(row) if row is not None else None

        return await self._db.read(work)

    async def end(self, session_id: str, *, at: Instant, reason: str, event: AuditEvent) -> RevocationOutcome:
        return await self._end(sessions.c.id == session_id, at, reason, event)

    async def end_others(
        self, user_id: str, keep_session_id: str, *, at: Instant, reason: str, event: AuditEvent
    ) -> RevocationOutcome:
        others = and_(sessions.c.user_id == user_id, sessions.c.id != keep_session_id, session_alive(at))
        return await self._end(others, at, reason, event)

    async def list(self, page: PageRequest, where: SessionFilter, *, now: Instant) -> Page[Session]:
        state = (session_alive(now).label("alive"), end_reason(now).label("over"))
        wanted = _with_last_use().add_columns(*state).where(*_conditions(where, now))
        wanted = wanted.order_by(sessions.c.id.desc()).limit(limit_of(page))
        if page.after is not None:
            wanted = wanted.where(sessions.c.id < page.after)

        async def work(connection: AsyncConnection) -> Page[Session]:
            found = [_listed(row) for row in await connection.execute(wanted)]
            return page_of(found, page, lambda session: session.id)

        return await self._db.read(work)

    async def _end(self, where: Condition, at: Instant, reason: str, event: AuditEvent) -> RevocationOutcome:
        async def work(connection: AsyncConnection) -> RevocationOutcome:
            outcome = await end_sessions(connection, where, at=at, reason=reason)
            if outcome.changed:
                await record(connection, event)
            return outcome

        return await self._db.write(work)


def _with_last_use() -> Select[Any]:
    used = select(func.max(families.c.rotated_at)).where(families.c.session_id == sessions.c.id).correlate(sessions)
    return select(*sessions.c, used.scalar_subquery().label("used_at"))


GET = _with_last_use().where(
    sessions.c.id == bindparam("session", type_=Text()), session_alive(bindparam("now", type_=BigInteger()))
)
"""Put together once: that costs more than to run it."""


def _session(row: Any) -> Session:
    values = list(row[: len(rows.SESSION)])
    if row.kind == "token" and row.used_at is not None:
        values[rows.SESSION.index("last_seen_at")] = max(row.used_at, row.last_seen_at)
    return rows.session(values)


def _listed(row: Any) -> Session:
    alive = bool(row.alive)
    return replace(_session(row), alive=alive, dead_reason=None if alive else row.over)


def _conditions(where: SessionFilter, now: Instant) -> list[Condition]:
    conditions: list[Condition] = [] if where.include_dead else [session_alive(now)]
    if where.user_id is not None:
        conditions.append(sessions.c.user_id == where.user_id)
    if where.client_id is not None:
        family = exists().where(families.c.session_id == sessions.c.id, families.c.client_id == where.client_id)
        conditions.append(or_(sessions.c.client_id == where.client_id, family.correlate(sessions)))
    return conditions
