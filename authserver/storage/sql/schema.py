"""Migrations: where they are, which ran, running those that are due.

Alembic is imported only where a migration runs: a server that merely checks its schema saves 12 MB.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import authserver
from authserver.clock import system_clock
from authserver.storage.sql.disposal import dispose
from authserver.storage.sql.errors import translated
from authserver.storage.sql.partitions import create_partitions
from authserver.storage.sql.sqlite import MIGRATION_PATIENCE, create_private_file, writer_engine
from authserver.storage.sql.urls import database_url, is_memory

SchemaState = Literal["current", "missing", "behind", "ahead"]
MIGRATION_LOCK = 0x6D696772
"""Key of the advisory lock that keeps two instances from migrating at once."""


def migrations_directory() -> Path:
    """Inside an installed package, or beside it in a checkout."""
    package = Path(authserver.__file__).parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


@cache
def revisions() -> tuple[str, ...]:
    """In order; each is the number that its file's name begins with."""
    files = (migrations_directory() / "versions").glob("[0-9]*_*.py")
    return tuple(sorted(file.name.partition("_")[0] for file in files))


def schema_head() -> str:
    """The revision that this code needs."""
    return revisions()[-1]


async def migrate(url: str) -> list[str]:
    """Bring the schema up to this code's and make the coming weeks' partitions; the revisions that ran, in order.

    One transaction; safe when several instances start at once. Nothing to do for SQLite in memory, which is
    migrated when it is opened. Raises StorageUnavailable, and ValueError for a malformed URL.
    """
    parsed = database_url(url)
    if parsed.drivername.startswith("sqlite") and is_memory(parsed):
        return []
    with translated():
        engine = _migration_engine(parsed)
        try:
            async with engine.begin() as connection:
                return await _migrate(connection)
        finally:
            await dispose(engine)


def _migration_engine(parsed: URL) -> AsyncEngine:
    if parsed.drivername.startswith("sqlite"):
        create_private_file(parsed)
        return writer_engine(parsed, patience=MIGRATION_PATIENCE)
    from authserver.storage.sql.postgres import postgres_engine  # not for SQLite, see `engine.open_database`

    engine = postgres_engine(parsed, pool_size=1, command_timeout=None)
    return engine.execution_options(isolation_level="READ COMMITTED")


async def _migrate(connection: AsyncConnection) -> list[str]:
    postgres = connection.dialect.name == "postgresql"
    if postgres:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    done = await connection.run_sync(_upgrade)
    if postgres:
        await create_partitions(connection, now=system_clock())
    return done


def _upgrade(connection: Connection) -> list[str]:
    due = _due(current_revision(connection))
    if due:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(migrations_directory()))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return due


def _due(current: str | None) -> list[str]:
    if current is not None and current not in revisions():
        return []
    return [revision for revision in revisions() if current is None or revision > current]


def current_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def state_of(revision: str | None) -> SchemaState:
    """ "ahead": a newer version of the code migrated it; this code still works on it."""
    if revision is None:
        return "missing"
    if revision == schema_head():
        return "current"
    return "behind" if revision in revisions() else "ahead"
