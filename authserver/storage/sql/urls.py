"""Database URLs, as people write them and as the drivers need them."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

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


def is_memory(url: URL) -> bool:
    """Of SQLite."""
    return url.database in (None, "", ":memory:")
