"""Revocations put straight into the database, for a burst that no client could ask for so fast."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing

import asyncpg

BATCH = 5_000
"""Rows of one transaction. A trigger makes an outbox row of each, as it does for whatever the server revokes."""
LIFETIME_MS = 900_000

INSERT = "INSERT INTO revoked_tokens (jti, expires_at, revoked_at, reason) "
POSTGRESQL = (
    INSERT + "SELECT 'burst-' || $1::text || '-' || n, $3::bigint + $4::bigint, $3, 'benchmark' "
    "FROM generate_series(1, $2::int) AS n"
)
SQLITE = (
    INSERT + "WITH RECURSIVE count (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < ?2) "
    "SELECT 'burst-' || ?1 || '-' || n, ?3 + ?4, ?3, 'benchmark' FROM count"
)


def flood(settings: Mapping[str, str], rows: int) -> None:
    """Insert so many revoked tokens, in transactions of at most BATCH, one after another."""
    url = settings["AUTHSERVER_DATABASE_URL"]
    sizes = [min(BATCH, rows - start) for start in range(0, rows, BATCH)]
    if url.startswith("sqlite"):
        _sqlite(url.partition("///")[2], sizes)
    else:
        asyncio.run(_postgresql(url.replace("+asyncpg", ""), sizes))


def _sqlite(path: str, sizes: list[int]) -> None:
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        for size in sizes:
            with connection:
                connection.execute(SQLITE, (secrets.token_hex(8), size, _now(), LIFETIME_MS))


async def _postgresql(url: str, sizes: list[int]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for size in sizes:
            await connection.execute(POSTGRESQL, secrets.token_hex(8), size, _now(), LIFETIME_MS)
    finally:
        await connection.close()


def _now() -> int:
    return time.time_ns() // 1_000_000
