"""What the stores ask of a database: transactions, reads, hot statements; the same on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.clock import Clock
from authserver.storage.interface import StorageUnavailable
from authserver.storage.sql.errors import TryAgain, is_worth_another_try, translated
from authserver.storage.sql.hot import HotStatement, Step

T = TypeVar("T")
Work: TypeAlias = Callable[[AsyncConnection], Awaitable[T]]
ATTEMPTS = 3


class Undo(Exception):
    """Raised inside a transaction to roll it back and have `Database.write` return `value`."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


class Database(ABC):
    """A started database. Every verb raises StorageUnavailable when the server does not answer in bounded time."""

    dialect: str
    """"sqlite" or "postgresql"."""

    def __init__(self, url: URL, *, now: Clock) -> None:
        self.url = url
        self.clock = now

    @abstractmethod
    async def start(self) -> None:
        """Open the pools and check what correctness depends on. Raises StorageUnavailable or UnsafeDatabase."""

    @abstractmethod
    async def close(self) -> None:
        """Give every connection back. Idempotent."""

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A write transaction, committed at the end of the block, rolled back on an exception."""

    @abstractmethod
    def connection(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection for reading, each statement by itself."""

    @abstractmethod
    async def fetch_hot(self, statement: HotStatement, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Run in autocommit on the driver's connection, with the driver's exceptions."""

    async def hot(self, statement: HotStatement, **values: Any) -> Sequence[Sequence[Any]]:
        """The rows of a hot statement; tried again on another connection, which every hot statement allows."""
        with translated(last_try=True):
            for _ in range(ATTEMPTS - 1):
                try:
                    return await self.fetch_hot(statement, values)
                except Exception as error:
                    if not is_worth_another_try(error):
                        raise
                await asyncio.sleep(0)  # lets the loop see which other connections the server has closed
            return await self.fetch_hot(statement, values)

    @abstractmethod
    async def run_hot(self, steps: Sequence[Step]) -> list[Sequence[Sequence[Any]]]:
        """One try at `hot_transaction`, with the driver's exceptions."""

    async def hot_transaction(self, steps: Sequence[Step]) -> list[Sequence[Sequence[Any]]]:
        """The rows of each of these statements, in one transaction that ends with the first that gives none: what was
        done by then is committed. Tried again after a deadlock, which undoes it all, and after nothing else."""
        for _ in range(ATTEMPTS):
            try:
                with translated():
                    return await self.run_hot(steps)
            except TryAgain:
                continue
        raise StorageUnavailable("gave up after repeated deadlocks")

    async def read(self, work: Work[T]) -> T:
        with translated(last_try=True):
            async with self.connection() as connection:
                return await work(connection)

    async def read_patiently(self, work: Work[T]) -> T:
        """`read` for a scan that may take longer than any request waits, on a connection of its own if that helps."""
        return await self.read(work)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction; again, up to three times in all, when a deadlock undid it."""
        for _ in range(ATTEMPTS):
            try:
                return await self._write_once(work)
            except TryAgain:
                continue
        raise StorageUnavailable("gave up after repeated deadlocks")

    async def _write_once(self, work: Work[T]) -> T:
        try:
            with translated():
                async with self.transaction() as connection:
                    return await work(connection)
        except Undo as undo:
            value: T = undo.value
            return value


class UnsafeDatabase(Exception):
    """The database is set up in a way that would lose or misreport a revocation; the text says what to change."""
