"""What every changing verb writes beside its change, in the same transaction: the audit event. And pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.page import Page, PageRequest
from authserver.storage.sql import tables
from authserver.storage.sql.hot import Step, inserting
from authserver.storage.sql.rows import event_values

T = TypeVar("T")
MAX_PAGE = 200
RECORD = tables.audit.insert()
RECORD_HOT = inserting(tables.audit, tuple(column.name for column in tables.audit.columns), conflict="")
_LAST_ENTRY = {
    "sqlite": text("SELECT max(id) FROM revocation_outbox"),  # exact: this transaction holds the write lock
    "postgresql": text("SELECT currval(pg_get_serial_sequence('revocation_outbox', 'id'))"),
}


async def record(connection: AsyncConnection, event: AuditEvent | None) -> None:
    if event is not None:
        await connection.execute(RECORD, event_values(event))


def recording(event: AuditEvent) -> Step:
    """`record`, as the last step of a hot transaction."""
    return Step(RECORD_HOT, event_values(event))


async def last_entry(connection: AsyncConnection) -> int:
    """The id of the last outbox entry that this transaction wrote; only after it wrote one."""
    found: int = (await connection.execute(_LAST_ENTRY[connection.dialect.name])).scalar_one()
    return found


def limit_of(page: PageRequest) -> int:
    """One row more than asked for says whether there is a next page."""
    return max(1, min(page.limit, MAX_PAGE)) + 1


def page_of(rows: Sequence[T], page: PageRequest, key: Callable[[T], str]) -> Page[T]:
    limit = limit_of(page) - 1
    items = tuple(rows[:limit])
    return Page(items, key(items[-1]) if len(rows) > limit else None)
