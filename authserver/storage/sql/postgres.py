"""PostgreSQL through asyncpg: one pool, statements in autocommit, transactions in READ COMMITTED."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import URL, event, exc, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from authserver.clock import Clock
from authserver.storage.sql.database import Database, T, UnsafeDatabase, Work
from authserver.storage.sql.disposal import dispose
from authserver.storage.sql.errors import also_raised, translated
from authserver.storage.sql.hot import HotStatement, Step
from authserver.storage.sql.hot_connections import HotConnections

POOL_TIMEOUT = 2.0
CONNECT_TIMEOUT = 3.0
COMMAND_TIMEOUT = 5.0
"""Seconds; a server that was frozen or cut off must not hold a request for longer."""
SCAN_TIMEOUT = 60.0
"""Seconds for what reads whole partitions, beside the requests."""
SERVER_SETTINGS = {
    "application_name": "authserver",
    "jit": "off",
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "15000",
    "plan_cache_mode": "force_generic_plan",
}
"""Generic plans: planning a look-up in partitioned tables anew costs the server several times its execution."""

also_raised(
    errors=(asyncpg.PostgresError,),
    adapted=(AsyncAdapt_asyncpg_dbapi.Error,),
    broken=(asyncpg.InterfaceError, asyncpg.InternalClientError),
)


def postgres_engine(url: URL, *, pool_size: int, command_timeout: float | None) -> AsyncEngine:
    return create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT,
            "command_timeout": command_timeout,
            "server_settings": SERVER_SETTINGS,
            "target_session_attrs": "primary",  # a standby learns of a revocation late
        },
    )


def refuse_closed(connection: Any, record: object, proxy: object) -> None:
    """On checkout: after a restart of the server one dead connection discards all others of its time."""
    if connection.driver_connection.is_closed():
        raise exc.InvalidatePoolError("closed by the server")


class PostgresDatabase(Database):
    dialect = "postgresql"

    def __init__(self, url: URL, *, pool_size: int, now: Clock) -> None:
        super().__init__(url, now=now)
        self._engine = postgres_engine(url, pool_size=pool_size, command_timeout=COMMAND_TIMEOUT)
        self._transactional = self._engine.execution_options(isolation_level="READ COMMITTED")
        self._hot = HotConnections(self._engine, pool_size=pool_size, patience=POOL_TIMEOUT)
        event.listen(self._engine.sync_engine, "checkout", refuse_closed)

    async def start(self) -> None:
        with translated():
            async with self.connection() as connection:
                durable = (await connection.execute(text("SHOW synchronous_commit"))).scalar_one()
        if durable == "off":
            raise UnsafeDatabase(
                "synchronous_commit is off: a crash would undo revocations that were acknowledged; "
                "set it to on for this database"
            )

    async def close(self) -> None:
        self._hot.close()
        await dispose(self._engine)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self._transactional.begin() as connection:
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.connect() as connection:
            yield connection

    async def read_patiently(self, work: Work[T]) -> T:
        engine = postgres_engine(self.url, pool_size=1, command_timeout=SCAN_TIMEOUT)
        try:
            with translated():
                async with engine.connect() as connection:
                    return await work(connection)
        finally:
            await dispose(engine)

    async def fetch_hot(self, statement: HotStatement, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        compiled = statement.compiled(self._engine.dialect)
        return await self._hot.fetch(compiled.sql, compiled.arguments(values))

    async def run_hot(self, steps: Sequence[Step]) -> list[Sequence[Sequence[Any]]]:
        compiled = [(step.statement.compiled(self._engine.dialect), step.values) for step in steps]
        return await self._hot.transaction([(each.sql, each.arguments(values)) for each, values in compiled])
