"""The end of an engine."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sqlalchemy import QueuePool
from sqlalchemy.ext.asyncio import AsyncEngine

PATIENCE = 5.0
"""Seconds that connections have to come back."""
_INTERVAL = 0.005


async def dispose(engine: AsyncEngine) -> None:
    """Close all connections of an engine, also those that are on their way back to it.

    A task that was cancelled gives its connection back in a task of its own, a moment after it is over itself; what
    comes back once the pool is disposed of is closed by nobody.
    """
    pool = engine.sync_engine.pool
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while isinstance(pool, QueuePool) and pool.checkedout():  # noqa: ASYNC110 - the pool tells nobody
                    await asyncio.sleep(_INTERVAL)
    finally:
        await engine.dispose()
