"""Deleting what can no longer matter, in small batches: by the week on PostgreSQL, by rows elsewhere."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.time import MINUTE, Instant
from authserver.storage.interface import Housekeeping
from authserver.storage.sql.database import Database
from authserver.storage.sql.partitions import create_partitions
from authserver.storage.sql.tables import audit, families, revoked_tokens, sessions, throttle

BATCH = 500
SLACK = MINUTE
"""Tokens are refused until a little after they expired, for clocks that lag."""


async def purge(db: Database, keep: Housekeeping, *, now: Instant) -> dict[str, int]:
    """Rows deleted by table; every batch is a transaction of its own, so that nobody waits long."""
    if db.dialect == "postgresql":
        await db.write(lambda connection: create_partitions(connection, now=now))
    return {table.name: await _purge_rows(db, table, key, where) for table, key, where in _expired(keep, now)}


def _expired(keep: Housekeeping, now: Instant) -> list[tuple[Table, ColumnElement[Any], ColumnElement[bool]]]:
    unneeded = now - max(keep.keep_dead, keep.token_ttl + SLACK)
    return [
        (families, families.c.id, _over(families, unneeded)),
        (sessions, sessions.c.id, _over(sessions, unneeded)),
        (revoked_tokens, revoked_tokens.c.jti, revoked_tokens.c.expires_at < now - SLACK),
        (audit, audit.c.id, audit.c.at < now - keep.keep_audit),
        (throttle, throttle.c.bucket, throttle.c.tat < now),
    ]


def _over(table: Table, before: Instant) -> ColumnElement[bool]:
    return or_(table.c.abs_until < before, and_(table.c.dead_at.is_not(None), table.c.dead_at < before))


async def _purge_rows(db: Database, table: Table, key: ColumnElement[Any], where: ColumnElement[bool]) -> int:
    batch = delete(table).where(key.in_(select(key).where(where).limit(BATCH)))

    async def work(connection: AsyncConnection) -> int:
        return (await connection.execute(batch)).rowcount

    gone = total = await db.write(work)
    while gone == BATCH:
        gone = await db.write(work)
        total += gone
    return total
