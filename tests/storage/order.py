"""Two transactions in a forced order: the first is held open while the second tries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import text

from authserver.storage.sql import Database


async def until_it_waits(database: Database, task: asyncio.Future[Any]) -> None:
    """Until PostgreSQL says that the task waits for a lock, or it is done without one. (On SQLite there is one
    writer, and it is held: there is nothing to wait for, and nobody to ask.)"""
    if database.dialect == "sqlite":
        return
    async with asyncio.timeout(30):
        while not task.done() and not await database.read(_is_waited_for):  # noqa: ASYNC110 - the server is asked
            await asyncio.sleep(0.01)


async def _is_waited_for(connection: Any) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await connection.scalar(text(waiting)))


async def held(database: Database, first: str, values: dict[str, Any], second: Callable[[], Awaitable[Any]]) -> Any:
    """Run `first` in a transaction, start `second`, commit once that waits, return what `second` gave."""
    async with database.transaction() as connection:
        await connection.execute(text(first), values)
        waiting = asyncio.ensure_future(second())
        await until_it_waits(database, waiting)
    return await waiting
