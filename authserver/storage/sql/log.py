"""The revocation log: its head, its end, its records. Snapshots, purge and renewal are beside it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.clock import Clock
from authserver.model.audit import AuditEvent
from authserver.model.log import TILE, Extension, LinkedRecord, LogHead, LogRecord, SnapshotRef
from authserver.model.time import Duration, Instant
from authserver.storage.interface import Compose, NewLog
from authserver.storage.sql.database import Database
from authserver.storage.sql.hot import HotStatement
from authserver.storage.sql.log_extend import extend, present_log, read_records, vacuum_outbox
from authserver.storage.sql.log_purge import purge
from authserver.storage.sql.log_renew import renew
from authserver.storage.sql.log_snapshots import SnapshotVerbs
from authserver.storage.sql.tables import rev_head, rev_log

HEAD = HotStatement(
    """
SELECT h.log, h.seq, h.hash, h.floor, EXISTS (SELECT 1 FROM revocation_outbox), h.token_ttl, h.witness, h.left_logs,
 s.seq, s.hash, s.sha256
FROM rev_head h LEFT JOIN rev_snapshots s
 ON s.log = h.log AND s.seq = (SELECT max(seq) FROM rev_snapshots WHERE log = h.log)
WHERE h.id = 1
"""
)
SEQUENCE_OF = HotStatement("SELECT seq FROM rev_log WHERE outbox_id = :id", id=int)
MUCH = 10_000
"""So many dead rows make the question whether the outbox is empty slow; about a tenth of a millisecond."""


class SqlLog(SnapshotVerbs):
    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._dead = 0
        """Rows that this process has taken out of the outbox since it was last cleaned by it."""

    async def head(self) -> LogHead:
        (row,) = await self._db.hot(HEAD)
        log, seq, hash_, floor, pending, token_ttl, witness, left, snap, snap_hash, sha256 = row
        return LogHead(
            log=log,
            seq=seq,
            hash=bytes(hash_),
            floor=floor,
            pending=bool(pending),
            token_ttl=token_ttl,
            snapshot=None if snap is None else SnapshotRef(snap, bytes(snap_hash), bytes(sha256)),
            witness=witness,
            left=frozenset(left.split()),
        )

    async def extend(self, compose: Compose, *, now: Clock, limit: int) -> Extension | None:
        async def work(connection: AsyncConnection) -> Extension | None:
            return await extend(connection, compose, now, limit)

        done = await self._db.write(work)
        if done is not None:
            self._dead += len(done.records)
        return done

    async def tidy(self) -> None:
        if self._dead >= MUCH:
            self._dead = 0
            await vacuum_outbox(self._db)

    async def records(self, log: str, *, after: int, limit: int) -> Sequence[LinkedRecord]:
        async def work(connection: AsyncConnection) -> Sequence[LinkedRecord]:
            return await read_records(connection, log, after=after, limit=limit)

        return await self._db.read(work)

    async def tile(self, log: str, number: int) -> Sequence[LogRecord] | None:
        first, end = max(1, number * TILE), (number + 1) * TILE
        there = select(rev_head.c.floor <= first, rev_head.c.seq >= end - 1).where(rev_head.c.log == log)

        async def work(connection: AsyncConnection) -> Sequence[LogRecord] | None:
            found = (await connection.execute(there)).one_or_none()
            if found is None or not all(found):
                return None
            linked = await read_records(connection, log, after=first - 1, limit=end - first)
            linked = [each for each in linked if each.record.seq < end]
            # Between the two statements the floor may have moved on, or the log been renewed.
            return [each.record for each in linked] if len(linked) == end - first else None

        return await self._db.read(work)

    async def hash_at(self, log: str, seq: int) -> bytes | None:
        wanted = select(rev_log.c.hash).where(rev_log.c.seq == seq, present_log == log)

        async def work(connection: AsyncConnection) -> bytes | None:
            found = (await connection.execute(wanted)).scalar_one_or_none()
            return None if found is None else bytes(found)

        return await self._db.read(work)

    async def sequence_of(self, outbox_id: int) -> int | None:
        rows = await self._db.hot(SEQUENCE_OF, id=outbox_id)
        return int(rows[0][0]) if rows else None

    async def purge(self, *, now: Instant) -> dict[str, int]:
        return await purge(self._db, now=now)

    async def raise_token_ttl(self, token_ttl: Duration) -> None:
        raised = update(rev_head).where(rev_head.c.token_ttl < token_ttl).values(token_ttl=token_ttl)

        async def is_due(connection: AsyncConnection) -> bool:
            return bool((await connection.execute(select(rev_head.c.token_ttl < token_ttl))).scalar_one())

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(raised)

        if await self._db.read(is_due):
            await self._db.write(work)

    async def accuse(self, log: str, witness: str) -> bool:
        kept = update(rev_head).where(rev_head.c.log == log, rev_head.c.witness.is_(None)).values(witness=witness)

        async def work(connection: AsyncConnection) -> bool:
            return bool((await connection.execute(kept)).rowcount)

        return await self._db.write(work)

    async def renew(self, new: NewLog, *, now: Clock, event: AuditEvent) -> LogHead:
        async def work(connection: AsyncConnection) -> None:
            await renew(connection, new, now, event)

        await self._db.write(work)
        return await self.head()
