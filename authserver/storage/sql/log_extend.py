"""From the outbox to the end of the log, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any

from sqlalchemy import select, text, update
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
# In two steps, each with one plan, by the index, whatever PostgreSQL believes of the outbox: one statement for both
# joined the outbox with itself, and after quiet times it read all of a burst for each portion of it.
LAST_OF_PORTION = text("SELECT id FROM revocation_outbox ORDER BY id LIMIT 1 OFFSET :before")
LAST_OF_ALL = text("SELECT id FROM revocation_outbox ORDER BY id DESC LIMIT 1")
TAKE = text(
    "DELETE FROM revocation_outbox WHERE id <= :last RETURNING id, kind, value, version, expires_at, created_at"
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


# Written by hand, for bursts: half the work of an insert that SQLAlchemy writes row by row. PostgreSQL takes columns
# as arrays, one statement for all rows.
COLUMNS = "seq, kind, key, version, expires, hash, outbox_id, at"
APPEND = {
    "sqlite": f"INSERT INTO rev_log ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "postgresql": f"INSERT INTO rev_log ({COLUMNS}) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[],"
    " $4::bigint[], $5::bigint[], $6::bytea[], $7::bigint[], $8::bigint[])",
}


async def take(connection: AsyncConnection, limit: int) -> list[OutboxEntry]:
    """The oldest entries, which are in the outbox no more: `limit`, and those that are committed late in between."""
    last = await connection.scalar(LAST_OF_PORTION, {"before": limit - 1}) or await connection.scalar(LAST_OF_ALL)
    if last is None:
        return []
    rows = sorted((await connection.execute(TAKE, {"last": last})).all(), key=itemgetter(0))
    return [
        OutboxEntry(id=id_, kind=kind, value=value, version=version, expires_at=expires_at, created_at=created_at)
        for id_, kind, value, version, expires_at, created_at in rows
    ]


async def append(connection: AsyncConnection, linked: Sequence[LinkedRecord], time: Instant) -> None:
    """At least one. The caller holds the head."""
    rows: list[tuple[Any, ...]] = [(*each.record, each.hash, each.outbox_id, time) for each in linked]
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql(APPEND["sqlite"], rows)
    else:
        await connection.exec_driver_sql(APPEND["postgresql"], tuple(map(list, zip(*rows, strict=True))))
    await connection.execute(
        update(rev_head).where(rev_head.c.id == 1).values(seq=linked[-1].record.seq, hash=linked[-1].hash, time=time)
    )


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
