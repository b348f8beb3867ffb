"""The schema: from nothing to current on both databases, and what the tables module says it is."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from authserver.storage.interface import StorageUnavailable
from authserver.storage.sql import Database, SqlMaintenance, migrate, open_database, schema_head
from authserver.storage.sql.tables import metadata
from tests.servers import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/data/new.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    yield server.create_database("empty")
    server.drop_database("empty")


async def state(url: str) -> str:
    database = open_database(url)
    await database.start()
    try:
        return await SqlMaintenance(database).schema_state()
    finally:
        await database.close()


async def test_an_empty_database_becomes_current_once(empty_url: str) -> None:
    assert await state(empty_url) == "missing"
    assert await migrate(empty_url) == ["0001", "0002", "0003"]
    assert await state(empty_url) == "current"
    assert await migrate(empty_url) == []


async def test_instances_that_migrate_at_once_do_not_collide(empty_url: str) -> None:
    ran = await asyncio.gather(*(migrate(empty_url) for _ in range(4)))
    assert sorted(ran) == [[], [], [], ["0001", "0002", "0003"]]


async def test_a_schema_from_the_future_is_ahead_and_left_alone(database: Database, database_url: str) -> None:
    await execute(database, "UPDATE alembic_version SET version_num = '9999'")
    assert await state(database_url) == "ahead"
    assert await migrate(database_url) == []
    assert await state(database_url) == "ahead"


async def test_the_tables_module_and_the_migrations_agree(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": lambda name, kind, parents: not is_partition(name)}
        )
        return list(compare_metadata(context, metadata))

    async with database.connection() as connection:
        assert await connection.run_sync(differences) == []


def test_the_head_is_the_newest_revision() -> None:
    names = sorted(path.name for path in Path("migrations/versions").glob("*.py"))
    assert names[-1].startswith(schema_head())


async def test_a_new_sqlite_file_is_its_owners_alone(tmp_path: Path) -> None:
    await migrate(f"sqlite:///{tmp_path}/x.db")
    assert stat.S_IMODE(os.stat(tmp_path / "x.db").st_mode) & 0o077 == 0


async def test_a_database_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable):
        await migrate(f"sqlite:///{tmp_path}/file/x.db")


async def execute(database: Database, statement: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement))


def is_partition(name: str | None) -> bool:
    return (
        name is not None
        and name.startswith(("sessions_", "families_"))
        and name[-1:] in "0123456789t"
        and (name.endswith("_default") or name[-8:].isdigit())
    )


async def test_a_new_file_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    """Changing the journal mode is the one thing for which SQLite itself does not wait."""
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    migrating = asyncio.create_task(migrate(f"sqlite:///{path}"))
    await asyncio.sleep(0.3)
    assert not migrating.done()
    other.execute("COMMIT")
    other.close()
    assert await migrating == ["0001", "0002", "0003"]
