"""A new log, after the database lost commits of the old one."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.clock import Clock
from authserver.model.audit import AuditEvent
from authserver.model.log import LogEnd, LogRecord
from authserver.model.revocation import OutboxEntry
from authserver.model.time import DAY, SECOND, Duration, Instant
from authserver.storage.interface import NewLog
from authserver.storage.sql.books import last_entry, record
from authserver.storage.sql.log_extend import RECORDS, append
from authserver.storage.sql.tables import (
    issuer,
    rev_head,
    rev_log,
    rev_snapshot_parts,
    rev_snapshots,
    revocation_outbox,
)

LONGEST_TOKEN: Duration = DAY
"""No setting allows more. What was lost may be a longer lifetime, too, under which tokens were issued."""


async def renew(connection: AsyncConnection, new: NewLog, now: Clock, event: AuditEvent) -> None:
    head = (await connection.execute(select(rev_head).where(rev_head.c.id == 1).with_for_update())).one()
    time = max(head.time, now())
    keys = await _living_keys(connection, time)
    for table in (rev_log, rev_snapshots, rev_snapshot_parts):
        await connection.execute(delete(table))
    left = f"{head.left_logs} {head.log}".strip()
    values = {"log": new.log, "seq": 0, "hash": new.start, "floor": 1, "witness": None, "left_logs": left}
    await connection.execute(update(rev_head).where(rev_head.c.id == 1).values(values))
    start = LogEnd(new.log, 0, new.start, max(head.token_ttl, LONGEST_TOKEN), time)
    first = new.compose(start, [await _refuse_all(connection, new)])
    end = LogEnd(new.log, first[-1].record.seq, first[-1].hash, head.token_ttl, time)
    await append(connection, [*first, *new.carry(end, keys)], time)
    await record(connection, event)


async def _living_keys(connection: AsyncConnection, time: Instant) -> list[LogRecord]:
    """Whoever has a key that was revoked writes tokens of any version: what refuses all older ones does not help."""
    wanted = RECORDS.where(rev_log.c.kind == "kid", rev_log.c.expires >= time // SECOND)
    return [LogRecord(*row) for row in await connection.execute(wanted.order_by(rev_log.c.seq))]


async def _refuse_all(connection: AsyncConnection, new: NewLog) -> OutboxEntry:
    """Move the issuer's version on; the entry that the trigger writes is taken at once, so that it is the first record
    however small the id of another that is committed later."""
    version = await connection.scalar(select(issuer.c.revocation_version).where(issuer.c.id == 1).with_for_update())
    moved = max((version or 0) + 1, new.least_version)
    await connection.execute(update(issuer).where(issuer.c.id == 1).values(revocation_version=moved, log_id=new.log))
    entry = await last_entry(connection)
    taken = await connection.execute(
        delete(revocation_outbox).where(revocation_outbox.c.id == entry).returning(*revocation_outbox.c)
    )
    return OutboxEntry(**taken.one()._mapping)
