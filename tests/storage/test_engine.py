"""URLs, the memory database, hot statements, and what PostgreSQL makes of a rotation."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.dialects.sqlite.aiosqlite import dialect as aiosqlite_dialect

from authserver.clock import system_clock
from authserver.storage.interface import StorageUnavailable
from authserver.storage.sql import SqlMaintenance, UnsafeDatabase, disposal, families, migrate, open_database, sqlite
from authserver.storage.sql.hot import HotStatement
from authserver.storage.sql.hot_connections import HotConnections
from authserver.storage.sql.urls import database_url
from tests.conftest import stores_of
from tests.storage.builders import NOW
from tests.storage.conftest import World


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///x.db", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite"),
        ("postgresql://u:p@h/d", "postgresql+asyncpg"),
        ("postgres://h/d", "postgresql+asyncpg"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg"),
    ],
)
def test_urls_name_their_database_with_or_without_our_driver(url: str, driver: str) -> None:
    assert database_url(url).drivername == driver


@pytest.mark.parametrize("url", ["", "mysql://u:secret@h/d", "postgresql+psycopg2://u:secret@h/d", "secret", "sqlite"])
def test_other_urls_are_refused_without_repeating_their_password(url: str) -> None:
    with pytest.raises(ValueError) as refusal:
        open_database(url)
    assert "secret" not in str(refusal.value)


async def test_memory_is_a_database_of_its_own_that_is_gone_when_closed() -> None:
    first, second = open_database("sqlite://"), open_database("sqlite+aiosqlite:///:memory:")
    for database in (first, second):
        await database.start()
        assert await SqlMaintenance(database).schema_state() == "current"
    world = World(stores_of(first), first)
    await world.populate()
    assert await stores_of(second).users.get(world.user.id) is None
    exists = Path(str(first.url.database)).exists
    assert exists()
    for database in (first, second):
        await database.close()
    assert not exists()
    assert await migrate("sqlite://") == []


def test_a_hot_statement_is_compiled_for_each_database_with_its_parameters_in_order() -> None:
    statement = HotStatement("SELECT :b, :a, :b", a=int, b=str)
    postgres = statement.compiled(asyncpg_dialect())  # type: ignore[no-untyped-call]  # the library says nothing of its types
    assert (postgres.sql, postgres.order) == ("SELECT $1::VARCHAR, $2::BIGINT, $1::VARCHAR", ("b", "a"))
    lite = statement.compiled(aiosqlite_dialect())
    assert (lite.sql, lite.order) == ("SELECT ?, ?, ?", ("b", "a", "b"))
    assert lite.arguments({"a": 1, "b": "x"}) == ["x", 1, "x"]


async def test_every_hot_statement_of_the_package_runs_on_the_drivers_connection(world: World) -> None:
    assert abs(await world.stores.maintenance.now() - system_clock()) < 60_000
    await world.stores.maintenance.ping()
    assert await world.database.hot(families.GET, family="none") == []


async def test_a_mistake_in_a_statement_is_a_bug_and_not_an_outage(world: World) -> None:
    with pytest.raises(Exception) as failure:
        await world.database.hot(HotStatement("SELECT nonsense FROM nowhere"))
    assert not isinstance(failure.value, StorageUnavailable)


async def test_rotations_are_hot_updates_that_touch_no_index(fresh_world: World) -> None:
    _, family = await fresh_world.login()
    for step in range(50):
        await fresh_world.rotate(family, f"s{step}", f"s{step + 1}", now=NOW + step)
    await fresh_world.sql("SELECT pg_stat_force_next_flush()")
    updated = (
        await fresh_world.sql(
            "SELECT sum(n_tup_upd) AS all, sum(n_tup_hot_upd) AS hot"
            " FROM pg_stat_user_tables WHERE relname LIKE 'families%'"
        )
    )[0]
    assert (updated.all, updated.hot) == (50, 50)


async def test_a_look_up_reads_one_partition_and_scans_none(fresh_world: World) -> None:
    _, family = await fresh_world.login()
    async with fresh_world.database.connection() as connection:
        await connection.execute(text("SET enable_seqscan = off"))  # the tables are too small for an index to pay
        await connection.execute(text("PREPARE look(text) AS SELECT * FROM families WHERE id = $1"))
        plan = "\n".join((await connection.execute(text(f"EXPLAIN (ANALYZE) EXECUTE look('{family.id}')"))).scalars())
    assert "Subplans Removed" in plan
    assert plan.count("Index Scan") == 1


async def test_a_returning_that_lies_is_refused_at_start(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lies(connection: object) -> None:
        raise UnsafeDatabase("answers wrongly in RETURNING")

    monkeypatch.setattr(sqlite, "check_returning", lies)
    database = open_database(sqlite_url)
    with pytest.raises(UnsafeDatabase, match="RETURNING"):
        await database.start()
    await database.close()


async def test_sqlite_keeps_commits_at_power_loss_and_enforces_foreign_keys(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    await database.start()
    async with database.transaction() as connection:
        values = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert values == ["wal", 2, 1]
    async with database.connection() as connection:
        assert (await connection.exec_driver_sql("PRAGMA query_only")).scalar_one() == 1
    await database.close()


async def test_a_connection_that_comes_back_while_the_database_closes_is_closed_too(database_url: str) -> None:
    """As that of a task that was cancelled: SQLAlchemy gives it back in a task of its own."""
    database = open_database(database_url)
    await database.start()
    async with database.connection() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        closing = asyncio.create_task(database.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
    await closing
    with pytest.raises(Exception, match=r"closed|no active connection"):
        await driver.execute("SELECT 1")


async def test_a_connection_that_never_comes_back_does_not_keep_the_database_from_closing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disposal, "PATIENCE", 0.05)
    database = open_database(database_url)
    await database.start()
    async with database.connection() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        await asyncio.wait_for(database.close(), 5)
    assert driver is not None
    await driver.close()


async def test_a_hot_statement_that_ends_after_the_close_keeps_no_connection(fresh_world: World) -> None:
    hot = HotConnections(fresh_world.database._engine, pool_size=8, patience=1)  # type: ignore[attr-defined]  # of PostgreSQL only
    running = asyncio.create_task(hot.fetch("SELECT pg_sleep(0.1)", []))
    await asyncio.sleep(0.05)
    hot.close()
    await running
    assert hot._idle == []


async def test_nobody_leaves_a_connection_that_is_being_opened(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def slowly(*arguments: Any, **options: Any) -> sqlite3.Connection:
        time.sleep(1.0)
        return connect(*arguments, **options)

    async def ask() -> None:
        async with database.connection():
            raise AssertionError("it was to be cancelled")

    monkeypatch.setattr(sqlite3, "connect", slowly)
    database, before = open_database(sqlite_url), set(threading.enumerate())
    asking = asyncio.create_task(ask())
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    for thread in set(threading.enumerate()) - before:  # it may be about to end: its last answer comes before that
        thread.join(0.5)
        assert not thread.is_alive()
