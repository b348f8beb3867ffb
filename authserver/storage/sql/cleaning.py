"""Deleting what can no longer matter: whole weeks on PostgreSQL, rows in small batches elsewhere.

Every batch is a transaction of its own, found without a lock and deleted by key, so that nobody
waits for it. What cannot be had now (a lock, for instance) is left for the next run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.ids import uuid7_floor
from authserver.model.time import HOUR, MINUTE, Instant
from authserver.storage.interface import Housekeeping, StorageUnavailable
from authserver.storage.sql.database import Database
from authserver.storage.sql.partitions import (
    PARTITIONED,
    create_partitions,
    default_of,
    drop_partition,
    old_partitions,
    partition,
)
from authserver.storage.sql.tables import (
    audit,
    authorization_codes,
    device_requests,
    families,
    initial_access_tokens,
    logout_deliveries,
    logout_outbox,
    metadata,
    pushed_requests,
    reference_tokens,
    revoked_tokens,
    sessions,
    throttle,
    used_once,
)

BATCH = 500
SLACK = MINUTE
"""Tokens are refused until a little after they expired, for clocks that lag."""


class Expired(NamedTuple):
    """Rows of a table that nobody needs any more."""

    table: Table
    key: ColumnElement[Any]
    where: ColumnElement[bool]


async def purge(db: Database, keep: Housekeeping, *, now: Instant) -> dict[str, int]:
    """Rows deleted, or partitions dropped, by table."""
    unneeded = now - max(keep.keep_dead, keep.token_ttl + SLACK)
    done = dict.fromkeys(PARTITIONED, 0)
    if db.dialect == "postgresql":
        with suppress(StorageUnavailable):
            await db.write(lambda connection: create_partitions(connection, now=now, patient=False))
        done = {name: await _drop_weeks(db, metadata.tables[name], unneeded) for name in PARTITIONED}
    for expired in (*_sessions_and_families(db, unneeded), *_others(keep, now)):
        name = expired.table.name.removesuffix("_default")
        done[name] = done.get(name, 0) + await _delete(db, expired)
    return done


def _sessions_and_families(db: Database, unneeded: Instant) -> Iterator[Expired]:
    """On PostgreSQL only the few rows of the default partition are deleted one by one."""
    for table in (families, sessions):
        rows = table if db.dialect == "sqlite" else partition(table, default_of(table.name))
        yield Expired(rows, rows.c.id, _over(rows, unneeded))


def _others(keep: Housekeeping, now: Instant) -> Iterator[Expired]:
    yield Expired(revoked_tokens, revoked_tokens.c.jti, revoked_tokens.c.expires_at < now - SLACK)
    yield Expired(audit, audit.c.id, audit.c.id < uuid7_floor(now - keep.keep_audit))
    yield Expired(throttle, throttle.c.bucket, throttle.c.tat < now)
    codes = authorization_codes.c
    yield Expired(authorization_codes, codes.handle_hash, codes.kept_until < now - SLACK)
    for table in (pushed_requests, used_once, reference_tokens):
        (key,) = table.primary_key
        yield Expired(table, key, table.c.expires_at < now - SLACK)
    # A device hears why it waits in vain, if it asks soon.
    yield Expired(device_requests, device_requests.c.handle_hash, device_requests.c.expires_at < now - HOUR)
    yield from _kept_to_be_seen(now - keep.keep_dead)


def _kept_to_be_seen(before: Instant) -> Iterator[Expired]:
    tokens, deliveries, outbox = initial_access_tokens.c, logout_deliveries.c, logout_outbox.c
    used_up = and_(tokens.uses_left == 0, tokens.created_at < before)
    yield Expired(initial_access_tokens, tokens.id, or_(tokens.expires_at < before, used_up))
    # Nobody delivers them, or they would be gone: whom they are about was logged out long ago.
    yield Expired(logout_deliveries, deliveries.id, deliveries.created_at < before)
    yield Expired(logout_outbox, outbox.id, outbox.created_at < before)


def _over(table: Table, before: Instant) -> ColumnElement[bool]:
    return or_(table.c.abs_until < before, and_(table.c.dead_at.is_not(None), table.c.dead_at < before))


async def _drop_weeks(db: Database, table: Table, unneeded: Instant) -> int:
    """Drop each past week in which every row is over, whatever the lifetimes were when it was written."""
    dropped = 0
    with suppress(StorageUnavailable):
        for name in await db.read(lambda connection: old_partitions(connection, table.name, before=unneeded)):
            dropped += await _drop_week(db, partition(table, name), unneeded)
    return dropped


async def _drop_week(db: Database, week: Table, unneeded: Instant) -> bool:
    needed = select(week.c.id).where(~_over(week, unneeded)).limit(1)

    async def is_over(connection: AsyncConnection) -> bool:
        return (await connection.execute(needed)).first() is None

    if not await db.read_patiently(is_over):
        return False
    await db.write(lambda connection: drop_partition(connection, week.name))
    return True


async def _delete(db: Database, expired: Expired) -> int:
    total = 0
    while True:
        gone = await _delete_batch(db, expired)
        total += gone
        if gone < BATCH:
            return total


async def _delete_batch(db: Database, expired: Expired) -> int:
    async def find(connection: AsyncConnection) -> list[Any]:
        return list((await connection.execute(select(expired.key).where(expired.where).limit(BATCH))).scalars())

    keys = await db.read(find)

    async def work(connection: AsyncConnection) -> int:
        return (await connection.execute(delete(expired.table).where(expired.key.in_(keys), expired.where))).rowcount

    return await db.write(work) if keys else 0
