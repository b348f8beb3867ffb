"""Questions about the database itself."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.time import Instant
from authserver.storage.interface import Housekeeping
from authserver.storage.sql.cleaning import purge
from authserver.storage.sql.database import Database
from authserver.storage.sql.hot import HotStatement
from authserver.storage.sql.schema import SchemaState, current_revision, state_of

PING = HotStatement("SELECT 1")
CONFIG_VERSION = HotStatement("SELECT config_version FROM issuer WHERE id = 1")
NOW: Mapping[str, HotStatement] = {
    "sqlite": HotStatement("SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"),
    "postgresql": HotStatement("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"),
}


class SqlMaintenance:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def purge(self, keep: Housekeeping, *, now: Instant) -> dict[str, int]:
        return await purge(self._db, keep, now=now)

    async def ping(self) -> None:
        await self._db.hot(PING)

    async def config_version(self) -> int:
        (row,) = await self._db.hot(CONFIG_VERSION)
        return int(row[0])

    async def now(self) -> Instant:
        (row,) = await self._db.hot(NOW[self._db.dialect])
        return int(row[0])

    async def schema_state(self) -> SchemaState:
        async def work(connection: AsyncConnection) -> SchemaState:
            return state_of(await connection.run_sync(current_revision))

        return await self._db.read(work)
