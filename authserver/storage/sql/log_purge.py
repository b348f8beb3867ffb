"""What of the log nobody needs any more. Order matters: snapshots, then the floor below them, then what is below it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.ids import uuid7_floor
from authserver.model.log import TILE
from authserver.model.time import HOUR, MINUTE, SECOND, Duration, Instant
from authserver.storage.sql.database import Database
from authserver.storage.sql.tables import rev_head, rev_log, rev_snapshot_parts, rev_snapshots

BATCH = 500
KEEP_SNAPSHOTS = 2
KEEP_SNAPSHOT_FOR: Duration = 10 * MINUTE
"""As long as somebody may still be reading one, or making one."""
KEEP_TILES_FOR: Duration = HOUR
"""Who was away for less goes on by tiles."""


async def purge(db: Database, *, now: Instant) -> dict[str, int]:
    done = {"rev_snapshots": await _drop_snapshots(db, now)}
    floor = await _raise_floor(db, now)
    done["rev_log"] = await _delete_over(db, floor, now)
    return done


async def _drop_snapshots(db: Database, now: Instant) -> int:
    present = select(rev_head.c.log).where(rev_head.c.id == 1).scalar_subquery()
    newest = (
        select(rev_snapshots.c.build)
        .where(rev_snapshots.c.log == present)
        .order_by(rev_snapshots.c.seq.desc())
        .limit(KEEP_SNAPSHOTS)
    )
    old = rev_snapshots.c.created_at < now - KEEP_SNAPSHOT_FOR
    unneeded = or_(rev_snapshots.c.log != present, rev_snapshots.c.build.not_in(newest) & old)
    # Also the parts of a snapshot that was never finished.
    nobodys = rev_snapshot_parts.c.build.not_in(select(rev_snapshots.c.build))
    left_behind = rev_snapshot_parts.c.build < uuid7_floor(now - KEEP_SNAPSHOT_FOR)

    async def work(connection: AsyncConnection) -> int:
        gone = (await connection.execute(delete(rev_snapshots).where(unneeded))).rowcount
        await connection.execute(delete(rev_snapshot_parts).where(nobodys, left_behind))
        return gone

    return await db.write(work)


async def _raise_floor(db: Database, now: Instant) -> int:
    """To the last tile that begins neither after the oldest snapshot nor in the last hour; the floor then."""
    recent = select(func.min(rev_log.c.seq)).where(
        rev_log.c.seq >= rev_head.c.floor, rev_log.c.at > now - KEEP_TILES_FOR
    )
    oldest = select(func.min(rev_snapshots.c.seq)).where(rev_snapshots.c.log == rev_head.c.log)
    wanted = select(
        rev_head.c.log, rev_head.c.floor, oldest.scalar_subquery(), recent.correlate(rev_head).scalar_subquery()
    ).where(rev_head.c.id == 1)

    async def find(connection: AsyncConnection) -> Any:
        return (await connection.execute(wanted)).one()

    log, floor, snapshot, young = await db.read(find)
    raised = 0 if snapshot is None else min(snapshot, snapshot if young is None else young) // TILE * TILE
    if raised <= floor:
        return int(floor)

    async def work(connection: AsyncConnection) -> None:
        higher = rev_head.c.floor < raised
        await connection.execute(update(rev_head).where(rev_head.c.log == log, higher).values(floor=raised))

    await db.write(work)
    return raised


async def _delete_over(db: Database, floor: int, now: Instant) -> int:
    total = after = 0
    while True:
        found = await _over(db, after, floor, now // SECOND)
        if found:
            total += await _delete(db, found)
        if len(found) < BATCH:
            return total
        after = found[-1]


async def _over(db: Database, after: int, floor: int, now: int) -> list[int]:
    wanted = (
        select(rev_log.c.seq)
        .where(rev_log.c.seq > after, rev_log.c.seq < floor, rev_log.c.expires < now)
        .order_by(rev_log.c.seq)
        .limit(BATCH)
    )

    async def work(connection: AsyncConnection) -> list[int]:
        return list((await connection.execute(wanted)).scalars())

    return await db.read_patiently(work)


async def _delete(db: Database, found: list[int]) -> int:
    """Asked again: in between a new log may have begun, in which these numbers are other records."""
    below = select(rev_head.c.floor).where(rev_head.c.id == 1).scalar_subquery()

    async def work(connection: AsyncConnection) -> int:
        return (
            await connection.execute(delete(rev_log).where(rev_log.c.seq.in_(found), rev_log.c.seq < below))
        ).rowcount

    return await db.write(work)
