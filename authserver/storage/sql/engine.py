"""From a URL to a database."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from authserver.clock import Clock, system_clock
from authserver.storage.sql.database import Database
from authserver.storage.sql.postgres import PostgresDatabase
from authserver.storage.sql.sqlite import SqliteDatabase

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


def database_url(url: str) -> URL:
    """`sqlite:///path`, `sqlite://` (memory) or `postgresql://...`, with or without our driver's name.

    Raises ValueError, which never repeats the URL: it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("the database URL is malformed") from None
    driver = DRIVERS.get(parsed.drivername.partition("+")[0])
    if driver is None or parsed.drivername not in (driver, driver.partition("+")[0], "postgres"):
        raise ValueError("the database URL must begin with sqlite: or postgresql:")
    return parsed.set(drivername=driver)


def open_database(url: str, *, pool_size: int = 8, now: Clock | None = None) -> Database:
    """A database that is not started yet: `await start()` connects, `await close()` ends it.

    `pool_size`: PostgreSQL connections of this process, all that it will ever open.
    """
    parsed = database_url(url)
    clock = now or system_clock
    if parsed.drivername.startswith("sqlite"):
        return SqliteDatabase(parsed, now=clock)
    return PostgresDatabase(parsed, pool_size=pool_size, now=clock)
