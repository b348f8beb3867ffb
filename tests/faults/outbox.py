"""The outbox of revocations, written to past the server, as much at once as one likes."""

from __future__ import annotations

import time
from uuid import uuid4

import asyncpg

from tests.conftest import run_apart
from tests.following import Line

INSERT = """
INSERT INTO revocation_outbox (kind, value, version, expires_at, created_at)
 SELECT 'jti', unnest($1::text[]), 0, $2, $3
"""


def _dsn(served: Line) -> str:
    return str(served.settings["database_url"]).replace("+asyncpg", "")


def add_entries(served: Line, count: int) -> list[str]:
    """So many ids of tokens, in one transaction."""
    jtis, now = [str(uuid4()) for _ in range(count)], int(time.time() * 1000)

    async def add() -> None:
        connection = await asyncpg.connect(dsn=_dsn(served))
        try:
            await connection.execute(INSERT, jtis, now + 300_000, now)
        finally:
            await connection.close()

    run_apart(add())
    return jtis


def outbox_size(served: Line) -> int:
    async def count() -> int:
        connection = await asyncpg.connect(dsn=_dsn(served))
        try:
            return int(await connection.fetchval("SELECT count(*) FROM revocation_outbox"))
        finally:
            await connection.close()

    return run_apart(count())
