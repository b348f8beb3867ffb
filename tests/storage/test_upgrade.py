"""A database of the version before, with rows in it: nothing is lost, and that version goes on beside this one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Table, insert

from authserver.model.grant import Versions
from authserver.model.key import SigningKey
from authserver.storage.interface import Rotated
from authserver.storage.sql import Database, migrate, open_database, rows, tables
from authserver.storage.sql.schema import _migration_engine, migrations_directory
from authserver.storage.sql.urls import database_url
from tests.conftest import stores_of
from tests.servers import PostgresServer
from tests.storage.builders import NOW, a_client, a_family, a_key, a_secret, a_session, a_user, an_event
from tests.storage.conftest import World

NEW_COLUMNS = {"options", "claims", "bound_to", "terms"}


def upgrade_to_0002(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "0002")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/old.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    yield server.create_database("upgraded")
    server.drop_database("upgraded")


@pytest.fixture
async def old_url(empty_url: str) -> str:
    """As revision 0002 left it, empty."""
    engine = _migration_engine(database_url(empty_url))
    async with engine.begin() as connection:
        await connection.run_sync(upgrade_to_0002)
    await engine.dispose()
    return empty_url


@pytest.fixture
async def old(old_url: str) -> AsyncIterator[World]:
    database = open_database(old_url, pool_size=2)
    await database.start()
    world = World(stores_of(database), database)
    await fill(world)
    yield world
    await database.close()


async def write_as_before(database: Database, table: Table, values: dict[str, Any]) -> None:
    known = {name: value for name, value in values.items() if name not in NEW_COLUMNS}
    async with database.transaction() as connection:
        await connection.execute(insert(table).values(known))


async def fill(world: World) -> None:
    world.client = a_client(redirect_uris=("https://app.example/cb",), secrets=(a_secret(),))
    database = world.database
    await write_as_before(database, tables.users, rows.as_values(world.user, tables.users))
    await write_as_before(database, tables.clients, rows.as_values(world.client, tables.clients))
    secret = rows.as_values(world.client.secrets[0], tables.client_secrets) | {"client_id": world.client.id}
    await write_as_before(database, tables.client_secrets, secret)
    for key in _keys():
        await write_as_before(database, tables.signing_keys, rows.as_values(key, tables.signing_keys))


def _keys() -> list[SigningKey]:
    return [a_key(kid=f"key-{state}", state=state) for state in ("active", "announced", "retired", "revoked")]


async def log_in_as_before(world: World) -> Any:
    session = a_session(world.user, kind="token", secret_hash=None)
    family = a_family(session, world.client)
    await write_as_before(world.database, tables.sessions, rows.as_values(session, tables.sessions))
    await write_as_before(world.database, tables.families, rows.as_values(family, tables.families))
    return family


async def test_nothing_is_lost_and_everything_goes_on(old: World, old_url: str) -> None:
    family = await log_in_as_before(old)
    assert await migrate(old_url) == ["0003"]
    assert await old.stores.users.get(old.user.id) == old.user
    assert await old.stores.clients.get(old.client.id) == old.client
    assert await old.stores.families.get(family.id) == family
    assert {key.kid: key.state for key in await old.stores.keys.all()} == {f"key-{s.state}": s.state for s in _keys()}
    rotated = await old.rotate(family, "s0", "s1", bound_to="jkt:x")
    assert isinstance(rotated, Rotated)
    assert rotated.family.versions == Versions(0, 0, 0)


async def test_a_second_algorithm_has_room_beside_the_keys_of_before(old: World, old_url: str) -> None:
    await migrate(old_url)
    assert await old.stores.keys.add_announced(a_key(algorithm="ES256"), event=an_event())
    assert not await old.stores.keys.add_announced(a_key(), event=an_event())


async def test_the_version_before_goes_on_writing_and_its_log_outs_are_noted(old: World, old_url: str) -> None:
    await migrate(old_url)
    family = await log_in_as_before(old)
    other = a_user()
    await write_as_before(old.database, tables.users, rows.as_values(other, tables.users))
    await old.sql("UPDATE sessions SET dead_at = :at", at=NOW + 1)
    assert await old.stores.users.get(other.id) == other
    assert not await old.is_alive(family)
    assert await old.stores.logouts.waiting() == 1
