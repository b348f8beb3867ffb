"""A database that is gone, busy, frozen or full: StorageUnavailable in bounded time, and then recovery."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from authserver.storage.interface import Rotated, StorageUnavailable
from authserver.storage.sql import Database, UnsafeDatabase, migrate, open_database, postgres, revocations
from tests.conftest import stores_of
from tests.servers import PostgresServer
from tests.servers import postgres as postgres_of_its_own
from tests.storage.builders import NOW, a_client, an_event, digest
from tests.storage.conftest import World

Verb = Callable[[World], Awaitable[Any]]
VERBS: dict[str, Verb] = {
    "check": lambda world: world.stores.revocations.check(world.facts()),
    "client": lambda world: world.stores.clients.get(world.client.id),
    "session": lambda world: world.stores.sessions.authenticate("x", digest("cookie"), now=NOW),
    "list": lambda world: world.stores.keys.all(),
    "revoke": lambda world: world.revoke("user", world.user.id),
    "admit": lambda world: world.stores.throttle.admit(b"b", burst=99, interval=1, now=NOW),
    "ping": lambda world: world.stores.maintenance.ping(),
}


async def opened(url: str, **options: Any) -> World:
    database = open_database(url, **options)
    await database.start()
    return World(stores_of(database), database)


@pytest.fixture
async def on_postgres(postgres_url: str) -> AsyncIterator[World]:
    world = await opened(postgres_url, pool_size=3)
    await world.populate()
    yield world
    await world.database.close()


@pytest.fixture
async def on_sqlite(sqlite_url: str) -> AsyncIterator[World]:
    world = await opened(sqlite_url)
    await world.populate()
    yield world
    await world.database.close()


@contextmanager
def unavailable_within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    with pytest.raises(StorageUnavailable):
        yield
    assert time.monotonic() - started < seconds


async def test_a_restart_of_postgresql_between_two_uses_is_not_even_noticed(
    on_postgres: World, postgres_server: PostgresServer
) -> None:
    await asyncio.gather(*(VERBS["ping"](on_postgres) for _ in range(6)))
    postgres_server.restart()
    for verb in VERBS.values():
        await verb(on_postgres)


@pytest.mark.parametrize("name", ["revoke", "list"])
async def test_after_a_restart_the_first_use_may_be_a_transaction(
    on_postgres: World, postgres_server: PostgresServer, name: str
) -> None:
    await asyncio.gather(*(VERBS["list"](on_postgres) for _ in range(6)))
    postgres_server.restart()
    await asyncio.sleep(0.05)  # the loop has seen the connections close
    await VERBS[name](on_postgres)


async def test_while_postgresql_is_down_every_verb_says_so_and_afterwards_works(
    on_postgres: World, postgres_server: PostgresServer
) -> None:
    postgres_server.stop()
    try:
        for verb in VERBS.values():
            with unavailable_within(5):
                await verb(on_postgres)
    finally:
        postgres_server.start()
    for verb in VERBS.values():
        await verb(on_postgres)


async def test_while_a_database_is_exchanged_for_its_backup_every_verb_says_so_and_afterwards_works(
    fresh_postgres_url: str, postgres_server: PostgresServer
) -> None:
    """Connections are refused first, and then there is no such database."""
    world, name = await opened(fresh_postgres_url, pool_size=3), fresh_postgres_url.rpartition("/")[2]
    await world.populate()
    run = postgres_server.sql
    try:
        run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        for verb in VERBS.values():
            with unavailable_within(5):
                await verb(world)
        run(f"ALTER DATABASE {name} RENAME TO {name}_away")
        for verb in VERBS.values():
            with unavailable_within(5):
                await verb(world)
    finally:
        run(f"ALTER DATABASE {name}_away RENAME TO {name}")
        run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    for verb in VERBS.values():
        await verb(world)
    await world.database.close()


async def test_connections_that_were_cut_off_in_use_are_replaced_and_a_rotation_is_tried_again(
    on_postgres: World,
) -> None:
    world = on_postgres
    _, family = await world.login()
    step, stop = 0, time.monotonic() + 1.5

    async def cut() -> None:
        other = await opened(world.database.url.render_as_string(hide_password=False), pool_size=1)
        while time.monotonic() < stop:
            await asyncio.sleep(0.05)
            await other.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database()"
            )
        await other.database.close()

    cutting = asyncio.create_task(cut())
    while time.monotonic() < stop:
        try:
            answer = await world.rotate(family, f"s{step}", f"s{step + 1}")
        except StorageUnavailable:
            continue  # the caller would try again, with the same secret
        assert isinstance(answer, Rotated)
        step += 1
    await cutting
    stored = await world.stores.families.get(family.id)
    assert stored is not None
    assert (stored.generation, stored.dead_at) == (step, None)
    assert step > 5


async def test_a_frozen_postgresql_is_given_up_on(
    postgres_url: str, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "COMMAND_TIMEOUT", 0.5)
    monkeypatch.setattr(postgres, "CONNECT_TIMEOUT", 0.5)
    world = await opened(postgres_url, pool_size=2)
    await world.populate()
    postgres_server.pause()
    try:
        for name in ("check", "revoke", "list"):
            with unavailable_within(8):
                await VERBS[name](world)
    finally:
        postgres_server.resume()
    for verb in VERBS.values():
        await verb(world)
    await world.database.close()


async def test_a_full_pool_is_unavailable_within_its_bound(on_postgres: World) -> None:
    async with on_postgres.database.connection(), on_postgres.database.connection(), on_postgres.database.connection():
        for name in ("check", "revoke"):
            with unavailable_within(postgres.POOL_TIMEOUT + 2):
                await VERBS[name](on_postgres)
    await VERBS["check"](on_postgres)


async def test_a_read_only_postgresql_is_unavailable_for_writes_and_answers_reads(
    on_postgres: World, postgres_server: PostgresServer
) -> None:
    name = on_postgres.database.url.database
    postgres_server.sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    world = await opened(on_postgres.database.url.render_as_string(hide_password=False))
    with unavailable_within(5):
        await VERBS["revoke"](world)
    with unavailable_within(5):
        await VERBS["admit"](world)
    await VERBS["check"](world)
    await world.database.close()


async def test_a_revocation_that_cannot_be_counted_in_time_holds_and_says_so(
    on_postgres: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "COUNTING_TIMEOUT", 0.3, raising=False)
    world = on_postgres
    other = await opened(world.database.url.render_as_string(hide_password=False), pool_size=1)
    async with other.database.transaction() as connection:
        await connection.execute(text("LOCK TABLE families IN ACCESS EXCLUSIVE MODE"))
        outcome = await world.revoke("all")
    await other.database.close()
    assert (outcome.changed, outcome.sessions, outcome.families) == (True, None, None)
    assert await world.stores.revocations.position("iss", "", key="") == outcome.outbox_id
    assert await world.state(world.facts()) == "issuer"


async def test_a_standby_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would say of a token that it is alive until the revocation has travelled there."""
    with postgres_of_its_own() as server:
        url = server.create_database("late")
        await migrate(url)
        server.stop()
        (server.data / "standby.signal").touch()
        server.start()
        assert server.sql("SELECT pg_is_in_recovery()") == "t"
        database = open_database(url)
        with unavailable_within(5):
            await database.start()
        await database.close()


@pytest.mark.parametrize("broken", [asyncpg.DeadlockDetectedError("x"), asyncpg.SerializationError("x")])
async def test_a_read_that_is_not_tried_again_ends_as_unavailable(on_postgres: World, broken: Exception) -> None:
    async def work(connection: Any) -> None:
        raise broken

    with unavailable_within(1):
        await on_postgres.database.read(work)


async def test_what_a_statement_was_given_stays_out_of_its_error(world: World) -> None:
    with pytest.raises(DBAPIError) as error:
        await world.sql("SELECT 1 FROM nowhere WHERE secret = :secret", secret="correct horse")
    assert "nowhere" in str(error.value)
    assert "correct horse" not in str(error.value)


async def test_a_postgresql_that_may_lose_commits_is_refused_at_start(
    on_postgres: World, postgres_server: PostgresServer
) -> None:
    postgres_server.sql(f'ALTER DATABASE "{on_postgres.database.url.database}" SET synchronous_commit = off')
    database = open_database(on_postgres.database.url.render_as_string(hide_password=False))
    with pytest.raises(UnsafeDatabase, match="synchronous_commit"):
        await database.start()
    await database.close()


async def test_deadlocks_are_tried_again(on_postgres: World) -> None:
    world = on_postgres
    second = a_client()
    await world.stores.clients.add(second, event=an_event())

    async def both(first_id: str, second_id: str) -> None:
        async def work(connection: Any) -> None:
            for client_id in (first_id, second_id):
                await connection.execute(
                    text("UPDATE clients SET name = name || '.' WHERE id = :id"), {"id": client_id}
                )
                await asyncio.sleep(0.1)

        await world.database.write(work)

    await asyncio.gather(both(second.id, world.client.id), both(world.client.id, second.id))
    names = await world.sql("SELECT name FROM clients ORDER BY id")
    assert all(row.name.endswith("..") for row in names)


@contextmanager
def locked(database: Database, how: str) -> Iterator[None]:
    """Another process holds the file."""
    other = sqlite3.connect(str(database.url.database), isolation_level=None)
    other.execute(f"BEGIN {how}")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_sqlite_locked_by_another_process_refuses_writes_in_bounded_time_and_answers_reads(
    on_sqlite: World,
) -> None:
    with locked(on_sqlite.database, "IMMEDIATE"):
        await VERBS["check"](on_sqlite)
        await VERBS["list"](on_sqlite)
        for name in ("revoke", "admit"):
            with unavailable_within(4):
                await VERBS[name](on_sqlite)
    for verb in VERBS.values():
        await verb(on_sqlite)


async def test_a_writer_that_waits_its_turn_gets_it(on_sqlite: World) -> None:
    with locked(on_sqlite.database, "IMMEDIATE"):
        waiting = asyncio.ensure_future(VERBS["revoke"](on_sqlite))
        await asyncio.sleep(0.3)
    assert (await waiting).changed


async def test_a_full_disk_is_unavailable(on_sqlite: World) -> None:
    async with on_sqlite.database.transaction() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with unavailable_within(2):
        for _ in range(2000):
            await on_sqlite.stores.audit.append(an_event(address="x" * 500))


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Any) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database" * 1000)
    database = open_database(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(StorageUnavailable):
        await database.start()
    await database.close()


async def test_a_closed_database_is_unavailable(on_sqlite: World) -> None:
    await on_sqlite.database.close()
    with pytest.raises(StorageUnavailable):
        await VERBS["check"](on_sqlite)
    await on_sqlite.database.close()


async def test_cancelled_requests_leave_nothing_behind(world: World) -> None:
    _, family = await world.login()
    for n in range(30):
        tasks: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(world.rotate(family, "stale-or-not", "x", client_id="other")),
            asyncio.ensure_future(world.revoke("user", world.user.id)),
            asyncio.ensure_future(VERBS["check"](world)),
        ]
        await asyncio.sleep(n / 10_000)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*(verb(world) for verb in VERBS.values()))
    versions = [version for _, _, version in await world.entries()]
    assert versions == sorted(set(versions))
