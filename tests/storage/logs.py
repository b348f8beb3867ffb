"""A world with a log: entries that were committed, a clock to set, an oracle of what should be in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from authserver.model.log import Extension, LinkedRecord, LogRecord
from authserver.model.revocation import EntryKind
from authserver.model.time import MINUTE, SECOND, Duration, Instant
from authserver.revocation.records import Composer, chain_start, key_of, line_of, link
from authserver.storage.sql import Database, SqlLog
from tests.storage.builders import NOW

ISSUER = "https://auth.example"
TOKEN_TTL: Duration = 5 * MINUTE
COMPOSE = Composer(ISSUER)
ENTRY = text(
    "INSERT INTO revocation_outbox (kind, value, version, expires_at, created_at)"
    " VALUES (:kind, :value, :version, :expires_at, :created_at)"
)


@dataclass
class Clock:
    at: Instant = NOW

    def __call__(self) -> Instant:
        return self.at


@dataclass
class LogWorld:
    database: Database
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.log = SqlLog(self.database)

    async def begin(self) -> LogWorld:
        await self.log.raise_token_ttl(TOKEN_TTL)
        return self

    async def add(self, *values: str, kind: EntryKind = "sid", version: int = 0, **more: Any) -> None:
        """Entries, as triggers write them, in one transaction."""
        async with self.database.transaction() as connection:
            for value in values:
                await insert_entry(connection, kind=kind, value=value, version=version, **more)

    async def extend(self, limit: int = 1000) -> Extension | None:
        return await self.log.extend(COMPOSE, now=self.clock, limit=limit)

    async def extended(self, limit: int = 1000) -> Extension:
        done = await self.extend(limit)
        assert done is not None
        return done

    async def drain(self, limit: int = 1000) -> None:
        while not (await self.extended(limit)).drained:
            pass

    async def log_id(self) -> str:
        return (await self.log.head()).log

    async def linked(self) -> Sequence[LinkedRecord]:
        return await self.log.records(await self.log_id(), after=0, limit=1_000_000)

    async def records(self) -> list[LogRecord]:
        return [each.record for each in await self.linked()]

    async def keys(self) -> list[str]:
        return [record.key for record in await self.records()]

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.database.transaction() as connection:
            result = await connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def check(self) -> int:
        """Dense and chained up to the head; the number of records."""
        head, previous, count = await self.log.head(), chain_start(await self.log_id()), 0
        for count, each in enumerate(await self.linked(), 1):
            assert each.record.seq == count
            previous = link(previous, line_of(each.record))
            assert each.hash == previous
        assert (head.seq, head.hash) == (count, previous)
        return count


async def insert_entry(connection: Any, **values: Any) -> None:
    await connection.execute(ENTRY, {"version": 0, "expires_at": None, "created_at": NOW, **values})


def key(value: str, kind: EntryKind = "sid") -> str:
    return key_of(kind, ISSUER, value)


def keys(*values: str) -> list[str]:
    return [key(value) for value in values]


def alive_in(records: Sequence[LogRecord], upto: int, at: Instant) -> list[LogRecord]:
    """The oracle of snapshots: of each thing the last record, if it is not over."""
    last: dict[str, LogRecord] = {}
    for record in records:
        if record.seq <= upto:
            last[record.key] = record
    return sorted((each for each in last.values() if each.expires >= at // SECOND), key=lambda each: each.seq)
