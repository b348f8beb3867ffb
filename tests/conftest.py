"""Databases and servers for every test: real ones, started when first asked for, each test on a fresh database."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog

from authserver import telemetry
from authserver.accounts import passwords
from authserver.storage.sql import (
    Database,
    SqlAudit,
    SqlAuthorizations,
    SqlClients,
    SqlConsents,
    SqlDevices,
    SqlFamilies,
    SqlKeys,
    SqlLog,
    SqlLogouts,
    SqlMaintenance,
    SqlOnce,
    SqlReferences,
    SqlRegistrations,
    SqlRevocations,
    SqlSessions,
    SqlThrottle,
    SqlUsers,
    migrate,
    open_database,
)
from authserver.tokens import signingkey
from authserver.web import published
from tests.database_pool import DatabasePool
from tests.servers import PostgresServer, ValkeyServer, postgres, valkey

T = TypeVar("T")
TEMPLATE = "authserver_template"


@dataclass(frozen=True)
class Stores:
    """Every store of one database."""

    clients: SqlClients
    users: SqlUsers
    sessions: SqlSessions
    families: SqlFamilies
    revocations: SqlRevocations
    keys: SqlKeys
    throttle: SqlThrottle
    audit: SqlAudit
    maintenance: SqlMaintenance
    log: SqlLog
    authorizations: SqlAuthorizations
    consents: SqlConsents
    devices: SqlDevices
    once: SqlOnce
    references: SqlReferences
    registrations: SqlRegistrations
    logouts: SqlLogouts


def stores_of(database: Database) -> Stores:
    return Stores(
        SqlClients(database),
        SqlUsers(database),
        SqlSessions(database),
        SqlFamilies(database),
        SqlRevocations(database),
        SqlKeys(database),
        SqlThrottle(database),
        SqlAudit(database),
        SqlMaintenance(database),
        SqlLog(database),
        SqlAuthorizations(database),
        SqlConsents(database),
        SqlDevices(database),
        SqlOnce(database),
        SqlReferences(database),
        SqlRegistrations(database),
        SqlLogouts(database),
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Hypothesis decides for itself how to search; how long is ours to say."""
    parser.addoption("--histories", type=int, default=14, help="random histories in tests/attacks/test_verdicts.py")


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own, whether or not one is running here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


# -- what would cost every test time and is the subject of few ------------------------------------


@pytest.fixture(autouse=True)
def _cheap_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """argon2 at its lowest cost where none is asked for, except under the mark `real_argon2`."""
    if request.node.get_closest_marker("real_argon2") is None:
        cheap = partial(passwords.Argon2Params, memory_kib=8, passes=1)
        monkeypatch.setattr(passwords, "Argon2Params", cheap)


@pytest.fixture(scope="session", autouse=True)
def _keys_parsed_once() -> Iterator[None]:
    """Checking the primes of a private key takes 30 ms; the servers of one test process share the work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signingkey, "load_der_private_key", cache(signingkey.load_der_private_key))
        yield


@pytest.fixture(scope="session", autouse=True)
def _patient_answers() -> Iterator[None]:
    """An answer waits a second for the number of its record; on a busy machine that may be too short for a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "PATIENCE", 10.0)
        yield


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What was written to the log since the last question, whatever an earlier test made of the logging."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    telemetry.set_up_logging("console", "INFO")
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


# -- servers, one of each per test process ------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


# -- databases: migrated once, copied for each test ---------------------------------------------


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    run_apart(migrate(postgres_server.create_database(TEMPLATE)))
    return TEMPLATE


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    run_apart(migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite file of the test's own."""
    path = tmp_path / "authserver.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: PostgresServer, postgres_template: str) -> DatabasePool:
    return DatabasePool(postgres_server, postgres_template)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_databases: DatabasePool) -> Iterator[str]:
    """An empty, migrated PostgreSQL database, for this test alone."""
    name = postgres_databases.take()
    yield postgres_server.url(name)
    postgres_databases.give_back(name)


@pytest.fixture
def fresh_postgres_url(postgres_server: PostgresServer, postgres_databases: DatabasePool) -> Iterator[str]:
    """The same, never used before: for tests that read statistics."""
    name = postgres_databases.create()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database on each backend in turn."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A started database on each backend in turn."""
    started = open_database(database_url, pool_size=4)
    await started.start()
    yield started
    await started.close()


@pytest.fixture
async def sqlite_database(sqlite_url: str) -> AsyncIterator[Database]:
    """SQLite only: for tests that need some database, and need it fast."""
    started = open_database(sqlite_url)
    await started.start()
    yield started
    await started.close()


@pytest.fixture
def stores(database: Database) -> Stores:
    """Every store, on each backend in turn."""
    return stores_of(database)


@pytest.fixture
def sqlite_stores(sqlite_database: Database) -> Stores:
    """Every store, on SQLite only."""
    return stores_of(sqlite_database)
