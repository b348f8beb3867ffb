"""SQLite through aiosqlite: one writer, a few readers on threads, one reader on the event loop for hot statements.

WAL: readers never wait for the writer. A hot read is a handful of page look-ups, some ten microseconds:
less than handing it to a thread and back. See docs/decisions/0002-hot-statements.md.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiosqlite
from sqlalchemy import URL, AsyncAdaptedQueuePool, Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from authserver.clock import Clock
from authserver.storage.sql.database import Database, UnsafeDatabase
from authserver.storage.sql.disposal import dispose
from authserver.storage.sql.errors import translated
from authserver.storage.sql.hot import Compiled, HotStatement, Step
from authserver.storage.sql.urls import is_memory

BUSY_TIMEOUT = 2.0
"""Seconds that a write waits for another process; on the event loop a read waits a twentieth of that."""
MIGRATION_PATIENCE = 60.0
"""The same for a migration: instances that start together wait for the one that migrates."""
WAL_INTERVAL = 0.01
WRITER_QUEUE_TIMEOUT = 5.0
READERS = 2
PRAGMAS = ("PRAGMA foreign_keys = ON", "PRAGMA temp_store = MEMORY")


def sqlite_engine(url: URL, *, pool_size: int, pragmas: Sequence[str], patience: float = BUSY_TIMEOUT) -> AsyncEngine:
    """An engine that leaves transactions to us: the driver would begin them late, and deferred."""
    engine = create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_reset_on_return=None,
        pool_timeout=WRITER_QUEUE_TIMEOUT,
        hide_parameters=True,
        connect_args={"timeout": patience, "async_creator_fn": _opened},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        connection.isolation_level = None
        connection.run_async(lambda driver: _use_wal(driver, patience))
        cursor = connection.cursor()
        for pragma in (*PRAGMAS, *pragmas):
            cursor.execute(pragma)
        cursor.close()

    return engine


async def _opened(*arguments: Any, **options: Any) -> aiosqlite.Connection:
    """Who is cancelled meanwhile waits for it and closes it: aiosqlite would leave its thread alone, which then
    answers an event loop that may be gone."""
    connection = aiosqlite.connect(*arguments, **options)
    connection._thread.daemon = True  # as SQLAlchemy does: no thread keeps a process from ending
    opening = asyncio.ensure_future(connection)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        with suppress(sqlite3.Error):
            await (await opening).close()
        raise


async def _use_wal(driver: Any, patience: float) -> None:
    """The file remembers it, so only the first connection ever changes it: under a lock for which SQLite itself does
    not wait, when several open a new file at once."""
    give_up = asyncio.get_running_loop().time() + patience
    while True:
        try:
            await driver.execute_fetchall("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or asyncio.get_running_loop().time() >= give_up:
                raise
        await asyncio.sleep(WAL_INTERVAL)


def writer_engine(url: URL, *, durable: bool = True, patience: float = BUSY_TIMEOUT) -> AsyncEngine:
    """One connection, whose transactions take the write lock when they begin.

    synchronous = FULL: NORMAL may undo a revocation at power loss.
    """
    synchronous = f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}"
    engine = sqlite_engine(url, pool_size=1, pragmas=[synchronous], patience=patience)

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if driver.in_transaction:  # left behind by a task that was cancelled twice
            connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine.sync_engine, "invalidate")
    def undo(connection: Any, record: object, error: object) -> None:
        """Before it is closed, which leaves the write lock to any statement that a cancelled task still refers to."""
        rollback = asyncio.ensure_future(connection.driver_connection.rollback())
        _rollbacks.add(rollback)
        rollback.add_done_callback(_rolled_back)

    return engine


_rollbacks: set[asyncio.Future[None]] = set()


def _rolled_back(done: asyncio.Future[None]) -> None:
    _rollbacks.discard(done)
    if not done.cancelled():
        done.exception()  # it was closed already, or there was nothing to undo


class SqliteDatabase(Database):
    """A file; ":memory:" is a private file that is gone when it is closed, under the very same code."""

    dialect = "sqlite"

    def __init__(self, url: URL, *, now: Clock, migrate: Callable[[str], Awaitable[object]]) -> None:
        """`migrate` makes the tables of a database in memory, which nobody else could."""
        self._migrate = migrate
        self._scratch: TemporaryDirectory[str] | None = None
        if is_memory(url):
            self._scratch = TemporaryDirectory(prefix="authserver-")
            url = url.set(database=f"{self._scratch.name}/memory.db")
        super().__init__(url, now=now)
        self._writer = writer_engine(url, durable=self._scratch is None)
        self._readers = sqlite_engine(url, pool_size=READERS, pragmas=["PRAGMA query_only = ON"])
        self._hot: sqlite3.Connection | None = None

    async def start(self) -> None:
        if self._scratch is not None:
            await self._migrate(self.url.render_as_string(hide_password=False))
        with translated():
            create_private_file(self.url)
            async with self.transaction() as connection:
                await check_returning(connection)
            self._hot = self._open_hot()

    async def close(self) -> None:
        if self._hot is not None:
            self._hot.close()
            self._hot = None
        await dispose(self._readers)
        await dispose(self._writer)
        if self._scratch is not None:
            self._scratch.cleanup()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self._writer.begin() as connection:
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        async with self._readers.connect() as connection:
            yield connection

    async def fetch_hot(self, statement: HotStatement, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        compiled = statement.compiled(self._writer.dialect)
        if statement.writes:
            return await self._write_hot(compiled.sql, compiled.arguments(values))
        if self._hot is None:
            raise sqlite3.ProgrammingError("the database is closed")
        return self._hot.execute(compiled.sql, compiled.arguments(values)).fetchall()

    async def _write_hot(self, sql: str, arguments: list[Any]) -> Sequence[Sequence[Any]]:
        """One hop to the writer's thread: a single statement is its own transaction."""
        pooled = await self._writer.raw_connection()
        driver: Any = pooled.driver_connection
        try:
            if driver.in_transaction:
                await driver.rollback()
            rows: Sequence[Sequence[Any]] = list(await driver.execute_fetchall(sql, arguments))
        finally:
            pooled.close()
        return rows

    async def run_hot(self, steps: Sequence[Step]) -> list[Sequence[Sequence[Any]]]:
        """One hop to the writer's thread for all of it. Who is cancelled meanwhile does not stop it halfway."""
        prepared = [(compiled.sql, compiled.arguments(values)) for compiled, values in self._compiled(steps)]
        pooled = await self._writer.raw_connection()
        driver: Any = pooled.driver_connection
        try:
            # What aiosqlite runs its own calls with: it has no public way to run several statements in one hop.
            rows: list[Sequence[Sequence[Any]]] = await driver._execute(_in_one_transaction, driver._conn, prepared)
        finally:
            pooled.close()
        return rows

    def _compiled(self, steps: Sequence[Step]) -> Iterator[tuple[Compiled, Mapping[str, Any]]]:
        return ((step.statement.compiled(self._writer.dialect), step.values) for step in steps)

    def _open_hot(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            str(self.url.database), timeout=BUSY_TIMEOUT / 20, isolation_level=None, cached_statements=64
        )
        for pragma in (*PRAGMAS, "PRAGMA query_only = ON"):
            connection.execute(pragma)
        return connection


def _in_one_transaction(connection: sqlite3.Connection, steps: Sequence[tuple[str, list[Any]]]) -> list[list[Any]]:
    if connection.in_transaction:  # left behind by a task that was cancelled twice
        connection.execute("ROLLBACK")
    connection.execute("BEGIN IMMEDIATE")
    done: list[list[Any]] = []
    try:
        for sql, arguments in steps:
            done.append(connection.execute(sql, arguments).fetchall())
            if not done[-1]:
                break
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return done


async def check_returning(connection: AsyncConnection) -> None:
    """Some SQLite versions answer wrongly in RETURNING when the key is not an integer; the raw columns must be right.

    Raises UnsafeDatabase.
    """
    run = connection.exec_driver_sql
    await run("CREATE TEMP TABLE returning_check (id TEXT PRIMARY KEY, old BLOB, new BLOB)")
    await run("INSERT INTO returning_check VALUES ('a', NULL, x'01')")
    answer = await run(
        "UPDATE returning_check SET old = new, new = x'02' WHERE id = 'a' AND new = x'01' RETURNING id, old, new"
    )
    row = answer.one()
    await run("DROP TABLE returning_check")
    if tuple(row) != ("a", b"\x01", b"\x02"):
        raise UnsafeDatabase(f"SQLite {sqlite3.sqlite_version} answers wrongly in RETURNING; use another version")


def create_private_file(url: URL) -> None:
    """The database file with its directory, readable by its owner only."""
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
