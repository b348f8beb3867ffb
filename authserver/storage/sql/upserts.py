"""INSERT ... ON CONFLICT, which SQLAlchemy has for each database by itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection


def insert_or(connection: AsyncConnection, table: Table) -> Any:
    """An insert with `on_conflict_do_nothing` and `on_conflict_do_update`. Only the one of this database is loaded, as
    everywhere (see `engine.open_database`)."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
