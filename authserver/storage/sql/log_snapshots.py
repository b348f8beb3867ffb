"""Snapshots of the log: what is alive of it, in parts that are written one by one and then offered as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, insert, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.log import LogRecord, Snapshot
from authserver.model.time import MINUTE, Instant
from authserver.storage.interface import AlreadyExists
from authserver.storage.sql.database import Database, T, Work
from authserver.storage.sql.tables import rev_head, rev_log, rev_snapshot_parts, rev_snapshots, rev_work

BY_INDEX = text("SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)")
"""Plans are made once, often when the log is short: each page would then read and sort all of it."""
LIVING = text(
    # A key is a hash over its kind too. The sub-select is one look at the index; a join would be planned as a scan.
    """
SELECT seq, kind, key, version, expires FROM rev_log l
WHERE seq > :after AND seq <= :upto AND expires >= :over_before
 AND seq = (SELECT max(n.seq) FROM rev_log n WHERE n.key = l.key AND n.seq <= :upto)
 AND (SELECT log FROM rev_head WHERE id = 1) = :log
ORDER BY seq LIMIT :limit
"""
)
FIELDS = (
    rev_snapshots.c.log,
    rev_snapshots.c.seq,
    rev_snapshots.c.hash,
    rev_snapshots.c.sha256,
    rev_snapshots.c.entries,
    rev_snapshots.c.size,
    rev_snapshots.c.parts,
    rev_snapshots.c.build,
    rev_snapshots.c.created_at,
)


class SnapshotVerbs:
    """The part of `LogStore` that is about snapshots."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim_snapshot(self, *, now: Instant, until: Instant) -> bool:
        held = rev_work.c.snapshot_until
        # A claim that ends much later than ours was made under a clock that was ahead.
        free = or_(held <= now, held > until + MINUTE)

        async def work(connection: AsyncConnection) -> bool:
            claim = update(rev_work).where(rev_work.c.id == 1, free).values(snapshot_until=until)
            return bool((await connection.execute(claim)).rowcount)

        return await self._db.write(work)

    async def living(self, log: str, *, after: int, upto: int, over_before: int, limit: int) -> Sequence[LogRecord]:
        values = {"log": log, "after": after, "upto": upto, "over_before": over_before, "limit": limit}

        async def work(connection: AsyncConnection) -> Sequence[LogRecord]:
            return [LogRecord(*row) for row in await connection.execute(LIVING, values)]

        return await self._by_index(work)

    async def _by_index(self, work: Work[T]) -> T:
        if self._db.dialect == "sqlite":
            return await self._db.read(work)

        async def indexed(connection: AsyncConnection) -> T:
            await connection.execute(BY_INDEX)
            return await work(connection)

        return await self._db.write(indexed)

    async def add_part(self, build: str, number: int, body: bytes) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(rev_snapshot_parts), {"build": build, "number": number, "body": body})

        await self._db.write(work)

    async def publish(self, snapshot: Snapshot) -> bool:
        same_log = exists().where(rev_head.c.id == 1, rev_head.c.log == snapshot.log)
        same_hash = exists().where(rev_log.c.seq == snapshot.seq, rev_log.c.hash == snapshot.hash)
        newer = exists().where(rev_snapshots.c.log == snapshot.log, rev_snapshots.c.seq >= snapshot.seq)
        values = [literal(getattr(snapshot, column.name), column.type) for column in FIELDS]
        offered = insert(rev_snapshots).from_select(FIELDS, select(*values).where(and_(same_log, same_hash, ~newer)))

        async def work(connection: AsyncConnection) -> bool:
            return bool((await connection.execute(offered)).rowcount)

        try:
            return await self._db.write(work)
        except AlreadyExists:
            return False

    async def newest_snapshot(self) -> Snapshot | None:
        return await self._newest(rev_snapshots.c.log == rev_head.c.log)

    async def snapshot(self, log: str, seq: int) -> Snapshot | None:
        same_log = and_(rev_snapshots.c.log == rev_head.c.log, rev_snapshots.c.log == log)
        return await self._newest(and_(same_log, rev_snapshots.c.seq == seq))

    async def _newest(self, where: ColumnElement[bool]) -> Snapshot | None:
        wanted = select(*FIELDS).where(where, rev_head.c.id == 1).order_by(rev_snapshots.c.seq.desc()).limit(1)

        async def work(connection: AsyncConnection) -> Snapshot | None:
            row = (await connection.execute(wanted)).one_or_none()
            return None if row is None else _read(row)

        return await self._db.read(work)

    async def snapshot_part(self, build: str, number: int) -> bytes | None:
        wanted = select(rev_snapshot_parts.c.body).where(
            rev_snapshot_parts.c.build == build, rev_snapshot_parts.c.number == number
        )

        async def work(connection: AsyncConnection) -> bytes | None:
            body = (await connection.execute(wanted)).scalar_one_or_none()
            return None if body is None else bytes(body)

        return await self._db.read(work)


def _read(row: Any) -> Snapshot:
    values = row._asdict()
    return Snapshot(**values | {"hash": bytes(values["hash"]), "sha256": bytes(values["sha256"])})
