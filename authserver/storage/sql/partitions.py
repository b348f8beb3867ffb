"""Weekly partitions of sessions and families on PostgreSQL: made ahead, dropped whole when they are history.

Ids are UUIDv7, so a week is a range of ids. Rows whose week has no partition go to the default
one, so an insert never fails; a week that already has rows there keeps them there, and purge
deletes those row by row.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import MetaData, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.ids import uuid7_floor
from authserver.model.time import DAY, Instant

WEEK = 7 * DAY
MONDAY = 4 * DAY
"""The first Monday after the epoch."""
WEEKS_AHEAD = 8
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '300ms'"
PARTITIONED = ("sessions", "families")
FILLFACTOR = 80
"""Room in each page for the new version of a row, so that a rotation touches no index."""


class Week(NamedTuple):
    start: Instant

    @classmethod
    def of(cls, at: Instant) -> Week:
        return cls((at - MONDAY) // WEEK * WEEK + MONDAY)

    def later(self, weeks: int) -> Week:
        return Week(self.start + weeks * WEEK)

    @property
    def bounds(self) -> tuple[str, str]:
        """First id and the id that is past the last one."""
        return uuid7_floor(self.start), uuid7_floor(self.start + WEEK)

    def partition_of(self, table: str) -> str:
        return f"{table}_{datetime.fromtimestamp(self.start / 1000, UTC):%Y%m%d}"


def default_of(table: str) -> str:
    return f"{table}_default"


def partition(table: Table, name: str) -> Table:
    """One partition as a table of its own."""
    return table.to_metadata(MetaData(), name=name)


async def create_partitions(
    connection: AsyncConnection, *, now: Instant, ahead: int = WEEKS_AHEAD, patient: bool = True
) -> int:
    """Make what is missing for this week and the coming ones, in the caller's transaction; how many were made.

    Not `patient`: rather give up than make requests wait behind us for a lock.
    """
    if not patient:
        await connection.exec_driver_sql(LOCK_TIMEOUT)
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x61757468})
    made = 0
    for table in PARTITIONED:
        existing = await partitions(connection, table)
        for weeks in range(ahead + 1):
            week = Week.of(now).later(weeks)
            if week.partition_of(table) not in existing and await _is_free(connection, table, week):
                await _create(connection, table, week)
                made += 1
    return made


async def partitions(connection: AsyncConnection, table: str) -> set[str]:
    rows = await connection.execute(
        text(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = CAST(:parent AS regclass)"
        ),
        {"parent": table},
    )
    return set(rows.scalars())


async def old_partitions(connection: AsyncConnection, table: str, *, before: Instant) -> list[str]:
    """Partitions whose every id was made before that time, oldest first."""
    last = Week.of(before).partition_of(table)
    return sorted(name for name in await partitions(connection, table) if name < last)


async def drop_partition(connection: AsyncConnection, name: str) -> None:
    """Takes the table's lock for an instant; not concurrently, which PostgreSQL refuses beside a default partition."""
    await connection.exec_driver_sql(LOCK_TIMEOUT)
    await connection.exec_driver_sql(f"DROP TABLE {name}")


async def _is_free(connection: AsyncConnection, table: str, week: Week) -> bool:
    """No row of that week lies in the default partition, where it would forbid a partition of its own."""
    first, end = week.bounds
    wanted = text(f"SELECT 1 FROM {default_of(table)} WHERE id >= :first AND id < :end LIMIT 1")
    return (await connection.execute(wanted, {"first": first, "end": end})).first() is None


async def _create(connection: AsyncConnection, table: str, week: Week) -> None:
    first, end = week.bounds
    await connection.exec_driver_sql(
        f"CREATE TABLE {week.partition_of(table)} PARTITION OF {table}"
        f" FOR VALUES FROM ('{first}') TO ('{end}') WITH (fillfactor = {FILLFACTOR})"
    )
