"""Storage empties itself: rows on SQLite, whole weeks on PostgreSQL."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from authserver.ids import uuid7
from authserver.model.time import DAY, HOUR, MINUTE, SECOND
from authserver.storage.interface import Housekeeping
from authserver.storage.purge import PurgeJob
from authserver.storage.sql.partitions import WEEK, Week, create_partitions
from tests.storage.builders import NOW, an_event
from tests.storage.conftest import World

KEEP = Housekeeping(token_ttl=5 * MINUTE, keep_dead=7 * DAY, keep_audit=30 * DAY)
TABLES = ("sessions", "families", "revoked_tokens", "throttle")
OVER = NOW + DAY + KEEP.keep_dead + 1


async def purge(world: World, at: int) -> dict[str, int]:
    return await PurgeJob(world.stores.maintenance, world.stores.log, KEEP, lambda: at).run_once()


async def rows(world: World, table: str) -> int:
    return int((await world.sql(f"SELECT count(*) AS n FROM {table}"))[0].n)


async def test_what_is_alive_or_only_just_dead_is_kept(world: World) -> None:
    await world.login()
    session, _ = await world.login()
    await world.stores.sessions.end(session.id, at=NOW, reason="x", event=an_event())
    await world.revoke("jti", "t", expires_at=NOW + HOUR)
    await world.stores.throttle.admit(b"b", burst=1, interval=HOUR, now=NOW)
    await purge(world, NOW + 10)
    assert [await rows(world, table) for table in TABLES] == [2, 2, 1, 1]


async def test_what_is_over_goes_and_the_outbox_stays(world: World) -> None:
    await world.login()
    await world.browser()
    await world.revoke("jti", "t", expires_at=NOW + HOUR)
    await world.stores.throttle.admit(b"b", burst=1, interval=HOUR, now=NOW)
    entries = len(await world.outbox())
    if world.database.dialect == "postgresql":  # as if the week had been over long ago
        await move_to_default(world)
    done = await purge(world, OVER)
    # By the database's own clock these log-ins are not over: it has noted log-outs that nobody waits for.
    assert {table: rows for table, rows in done.items() if rows and table != "logout_outbox"} == {
        "sessions": 2,
        "families": 1,
        "revoked_tokens": 1,
        "throttle": 1,
    }
    assert [await rows(world, table) for table in TABLES] == [0] * 4
    assert len(await world.outbox()) >= entries


async def test_a_revoked_token_is_remembered_a_little_past_its_end(world: World) -> None:
    await world.revoke("jti", "t", expires_at=NOW + HOUR)
    await purge(world, NOW + HOUR + 30 * SECOND)
    assert await world.state(world.facts(jti="t")) == "jti"
    await purge(world, NOW + HOUR + 2 * MINUTE)
    assert await world.state(world.facts(jti="t")) == "alive"


async def test_audit_events_are_kept_as_long_as_said(world: World) -> None:
    old = an_event(id=uuid7(NOW - 31 * DAY), at=NOW - 31 * DAY)
    await world.stores.audit.append(old)
    before = await rows(world, "audit")
    assert (await purge(world, NOW))["audit"] == 1
    assert await rows(world, "audit") == before - 1


async def test_more_than_one_batch_goes_in_one_run(world: World) -> None:
    for n in range(12):
        await world.sql(
            "INSERT INTO throttle (bucket, tat) VALUES "
            + ", ".join(
                f"(CAST('{n}-{m}' AS {'BLOB' if world.database.dialect == 'sqlite' else 'BYTEA'}), 1)"
                for m in range(100)
            )
        )
    assert (await purge(world, NOW))["throttle"] == 1200


async def test_a_week_that_is_over_is_dropped_whole_and_one_that_is_not_stays(postgres_world: World) -> None:
    world = postgres_world
    week = Week.of(NOW).later(-6)
    session = await world.browser(id=uuid7(week.start + DAY), abs_until=week.start + 2 * DAY)
    still = await world.browser(id=uuid7(week.start + WEEK + DAY), abs_until=NOW + DAY)
    async with world.database.transaction() as connection:
        await connection.execute(text("DELETE FROM sessions"))
        await create_partitions(connection, now=week.start, ahead=1)
    for each in (session, still):
        await world.stores.sessions.begin(each, None, password_hash=None, event=an_event())
    done = await purge(world, NOW)
    assert (done["sessions"], done["families"]) == (1, 2)
    names = [row.relname for row in await world.sql("SELECT relname FROM pg_class WHERE relkind = 'r'")]
    assert week.partition_of("sessions") not in names
    assert week.later(1).partition_of("sessions") in names
    assert await rows(world, "sessions") == 1


async def test_partitions_are_made_ahead_and_only_once(postgres_world: World) -> None:
    database = postgres_world.database
    async with database.transaction() as connection:
        assert await create_partitions(connection, now=NOW) == 0
        assert await create_partitions(connection, now=NOW + 3 * WEEK) == 6
    await purge(postgres_world, NOW + 5 * WEEK)
    name = Week.of(NOW + 5 * WEEK).later(8).partition_of("families")
    assert await postgres_world.sql("SELECT 1 FROM pg_class WHERE relname = :name", name=name)


async def test_a_row_of_a_week_without_partition_is_stored_and_that_week_is_left_to_the_default(
    postgres_world: World,
) -> None:
    world, far = postgres_world, Week.of(NOW).later(30)
    session = await world.browser(id=uuid7(far.start + 1))
    async with world.database.transaction() as connection:
        assert await create_partitions(connection, now=far.start, ahead=1) == 3
    assert await rows(world, "sessions_default") == 1
    found = await world.stores.sessions.get(session.id, now=NOW)
    assert found == session
    await world.browser(id=uuid7(far.later(1).start + 1))
    assert await rows(world, far.later(1).partition_of("sessions")) == 1


@pytest.mark.parametrize(
    "at", [0, 4 * DAY - 1, 4 * DAY, NOW, NOW + 3 * WEEK], ids=["epoch", "sunday", "monday", "now", "later"]
)
def test_a_week_holds_its_own_times_and_begins_on_a_monday(at: int) -> None:
    week = Week.of(at)
    assert week.start <= at < week.start + WEEK
    assert (week.start // DAY + 3) % 7 == 0
    first, end = week.bounds
    assert first <= uuid7(max(at, 0)) < end or at < 4 * DAY


async def test_dropping_gives_up_soon_when_the_table_is_busy(postgres_world: World) -> None:
    world, week = postgres_world, Week.of(NOW).later(-6)
    async with world.database.transaction() as connection:
        await create_partitions(connection, now=week.start, ahead=0)
    async with world.database.transaction() as busy:
        await busy.execute(text("SELECT id FROM sessions"))
        assert (await purge(world, NOW))["sessions"] == 0
    assert (await purge(world, NOW))["sessions"] == 1


async def move_to_default(world: World) -> None:
    """Take this week's partitions away, rows and all, and put the rows back: they land in the default one."""
    for table in ("sessions", "families"):
        name = Week.of(NOW).partition_of(table)
        await world.sql(f"ALTER TABLE {table} DETACH PARTITION {name}")
        await world.sql(f"INSERT INTO {table} SELECT * FROM {name}")
        await world.sql(f"DROP TABLE {name}")
