"""Connections of the pool that hot statements keep for themselves.

Taking one is a list's pop; checking one out of SQLAlchemy's pool and waiting there costs as much CPU as the
statement itself. See docs/decisions/0002-hot-statements.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")


class HotConnections:
    """At most half of the engine's pool, opened as they are needed and kept until `close`.

    The other half is left to transactions; of a pool of one nothing is kept.
    """

    def __init__(self, engine: AsyncEngine, *, pool_size: int, patience: float) -> None:
        self._engine = engine
        self._most = pool_size // 2
        self._free = asyncio.Semaphore(max(1, self._most))
        self._patience = patience
        """Seconds that a statement waits for one of them; then TimeoutError."""
        self._idle: list[Any] = []

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Run it in autocommit, with the driver's exceptions."""

        async def work(driver: Any) -> Sequence[Sequence[Any]]:
            rows: Sequence[Sequence[Any]] = await driver.fetch(sql, *arguments)
            return rows

        return await self._on_one(work)

    async def transaction(self, steps: Sequence[tuple[str, Sequence[Any]]]) -> list[Sequence[Sequence[Any]]]:
        """Run them in one transaction that ends with the first that gives no row, with the driver's exceptions."""

        async def work(driver: Any) -> list[Sequence[Sequence[Any]]]:
            done: list[Sequence[Sequence[Any]]] = []
            async with driver.transaction(isolation="read_committed"):
                for sql, arguments in steps:
                    done.append(await driver.fetch(sql, *arguments))
                    if not done[-1]:
                        break
            return done

        return await self._on_one(work)

    async def _on_one(self, work: Callable[[Any], Awaitable[T]]) -> T:
        if self._free.locked():
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        else:
            await self._free.acquire()
        try:
            return await self._run(work)
        finally:
            self._free.release()

    async def _run(self, work: Callable[[Any], Awaitable[T]]) -> T:
        pooled = self._take() or await self._engine.raw_connection()
        driver: Any = pooled.driver_connection
        try:
            done = await work(driver)
        except BaseException as error:
            self._after(error, pooled)
            raise
        self._keep(pooled)
        return done

    def _after(self, error: BaseException, pooled: Any) -> None:
        """Keep it after the server's own answer, not when nobody knows its state."""
        if isinstance(error, asyncpg.PostgresError) and not pooled.driver_connection.is_closed():
            self._keep(pooled)
        elif isinstance(error, asyncio.CancelledError):
            self._drop([pooled])  # the caller went away; the server did not
        else:
            self._discard(pooled)

    def _take(self) -> Any:
        """An open one, the latest used first; None if there is none."""
        if not self._idle:
            return None
        pooled = self._idle.pop()
        if not pooled.driver_connection.is_closed():
            return pooled
        self._discard(pooled)
        return None

    def _keep(self, pooled: Any) -> None:
        if self._most:
            self._idle.append(pooled)
        else:
            pooled.close()

    def _discard(self, pooled: Any) -> None:
        """It is closed or broken. After a restart of the server that is so of all others of its time, some of which
        may not have noticed: the pool opens new ones."""
        self._drop([pooled, *self._idle])
        self._idle.clear()

    def _drop(self, connections: Sequence[Any]) -> None:
        for each in connections:
            each.invalidate()
            each.close()

    def close(self) -> None:
        """Give them back to the pool; a statement after that takes new ones, and keeps none."""
        self._most = 0
        while self._idle:
            self._idle.pop().close()
