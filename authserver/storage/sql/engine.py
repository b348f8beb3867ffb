"""From a URL to a database."""

from __future__ import annotations

from authserver.clock import Clock, system_clock
from authserver.storage.sql.database import Database
from authserver.storage.sql.schema import migrate
from authserver.storage.sql.urls import database_url


def open_database(url: str, *, pool_size: int = 8, now: Clock | None = None) -> Database:
    """A database that is not started yet: `await start()` connects, `await close()` ends it.

    `pool_size`: PostgreSQL connections of this process, all that it will ever open. Only the drivers of this database
    are loaded: those of PostgreSQL take 5 MB.
    """
    parsed = database_url(url)
    clock = now or system_clock
    if parsed.drivername.startswith("sqlite"):
        from authserver.storage.sql.sqlite import SqliteDatabase

        return SqliteDatabase(parsed, now=clock, migrate=migrate)
    from authserver.storage.sql.postgres import PostgresDatabase

    return PostgresDatabase(parsed, pool_size=pool_size, now=clock)
