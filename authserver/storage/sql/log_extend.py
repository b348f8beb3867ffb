"""From the outbox to the end of the log, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.clock import Clock
from authserver.model.log import Extension, LinkedRecord, LogEnd, LogRecord
from authserver.model.revocation import OutboxEntry
from authserver.model.time import Instant
from authserver.storage.interface import Compose, StorageUnavailable
from authserver.storage.sql.database import Database, Undo
from authserver.storage.sql.tables import rev_head, rev_log

LOCK = {
    "sqlite": text("SELECT log, seq, hash, token_ttl, time FROM rev_head WHERE id = 1"),  # the transaction is the lock
    # The settings hold for this transaction. Plans are made once, often when the outbox is empty: without the first
    # they would read and sort all of it for every batch. The second: a process that hangs here holds up all others.
    "postgresql": text(
        "SELECT log, seq, hash, token_ttl, time, set_config('enable_seqscan', 'off', true),"
        " set_config('idle_in_transaction_session_timeout', '2000', true)"
        " FROM rev_head WHERE id = 1 FOR UPDATE SKIP LOCKED"
    ),
}
# Always from the smallest id there is: two entries about the same thing have ids in the order of their commits
# (both changed the same row), but one of a smaller id that was committed late must not come after its successor.
TAKE = text(
    "DELETE FROM revocation_outbox WHERE id IN (SELECT id FROM revocation_outbox ORDER BY id LIMIT :limit)"
    " RETURNING id, kind, value, version, expires_at, created_at"
)


async def extend(connection: AsyncConnection, compose: Compose, now: Clock, limit: int) -> Extension | None:
    held = (await connection.execute(LOCK[connection.dialect.name])).one_or_none()
    if held is None:
        raise Undo(None)
    log, seq, hash_, token_ttl, time = held[:5]
    entries = await take(connection, limit)
    time = max(time, now())  # after they were read, so that no token was issued later that they should refuse
    end = LogEnd(log, seq, bytes(hash_), token_ttl, time)
    linked = tuple(compose(end, entries))
    if linked:
        await append(connection, linked, time)
    last = (linked[-1].record.seq, linked[-1].hash) if linked else (end.seq, end.hash)
    return Extension(records=linked, log=log, seq=last[0], hash=last[1], drained=len(entries) < limit)


async def take(connection: AsyncConnection, limit: int) -> list[OutboxEntry]:
    """The oldest entries, which are in the outbox no more."""
    rows = await connection.execute(TAKE, {"limit": limit})
    return sorted((OutboxEntry(**row._mapping) for row in rows), key=lambda entry: entry.id)


async def append(connection: AsyncConnection, linked: Sequence[LinkedRecord], time: Instant) -> None:
    """At least one. The caller holds the head."""
    await connection.execute(insert(rev_log), [_values(each, time) for each in linked])
    await connection.execute(
        update(rev_head).where(rev_head.c.id == 1).values(seq=linked[-1].record.seq, hash=linked[-1].hash, time=time)
    )


def _values(linked: LinkedRecord, time: Instant) -> dict[str, Any]:
    return {**linked.record._asdict(), "hash": linked.hash, "outbox_id": linked.outbox_id, "at": time}


present_log = select(rev_head.c.log).where(rev_head.c.id == 1).scalar_subquery()
RECORDS = select(rev_log.c.seq, rev_log.c.kind, rev_log.c.key, rev_log.c.version, rev_log.c.expires)


async def read_records(connection: AsyncConnection, log: str, *, after: int, limit: int) -> list[LinkedRecord]:
    wanted = RECORDS.add_columns(rev_log.c.hash, rev_log.c.outbox_id).where(rev_log.c.seq > after, present_log == log)
    rows = await connection.execute(wanted.order_by(rev_log.c.seq).limit(limit))
    return [LinkedRecord(LogRecord(*row[:5]), bytes(row.hash), row.outbox_id) for row in rows]


async def vacuum_outbox(db: Database) -> None:
    """After a burst: what was deleted lies in the way of every look at the outbox until PostgreSQL gets to it."""
    if db.dialect != "postgresql":
        return

    async def work(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("VACUUM revocation_outbox")

    with suppress(StorageUnavailable):
        await db.read_patiently(work)
