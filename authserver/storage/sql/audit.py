"""The audit log: events of their own, and reading it. Other verbs write theirs through `books.record`."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.page import Page, PageRequest
from authserver.storage.interface import AuditFilter
from authserver.storage.sql import rows
from authserver.storage.sql.alive import Condition
from authserver.storage.sql.books import limit_of, page_of, record
from authserver.storage.sql.database import Database
from authserver.storage.sql.tables import audit

EQUAL = ("type", "actor", "user_id", "client_id", "session_id")


class SqlAudit:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def append(self, event: AuditEvent) -> None:
        async def work(connection: AsyncConnection) -> None:
            await record(connection, event)

        await self._db.write(work)

    async def list(self, page: PageRequest, where: AuditFilter) -> Page[AuditEvent]:
        wanted = select(audit).where(*_conditions(where)).order_by(audit.c.id.desc()).limit(limit_of(page))
        if page.after is not None:
            wanted = wanted.where(audit.c.id < page.after)

        async def work(connection: AsyncConnection) -> Page[AuditEvent]:
            found = [rows.event(tuple(row)) for row in await connection.execute(wanted)]
            return page_of(found, page, lambda event: event.id)

        return await self._db.read(work)


def _conditions(where: AuditFilter) -> list[Condition]:
    """`since` is included, `until` is not."""
    conditions: list[Condition] = [
        audit.c[name] == getattr(where, name) for name in EQUAL if getattr(where, name) is not None
    ]
    if where.types:
        conditions.append(audit.c.type.in_(where.types))
    if where.since is not None:
        conditions.append(audit.c.at >= where.since)
    if where.until is not None:
        conditions.append(audit.c.at < where.until)
    return conditions
