"""PostgreSQL databases for tests: each test gets an empty one, which is emptied and used again when its shape is still
that of the template. Emptying takes a few milliseconds, copying a template a hundred."""

from __future__ import annotations

import asyncio
import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import asyncpg

from authserver.storage.sql.tables import metadata
from tests.servers import PostgresServer

SINGLE_ROWS = {"issuer", "rev_head", "rev_work"}
"""Tables with one row, which is put back as it was."""
TABLES = [table.name for table in metadata.sorted_tables if table.name not in SINGLE_ROWS]
SHAPE = """
SELECT (SELECT md5(string_agg(relname, ',' ORDER BY relname)) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace)
 || (SELECT string_agg(version_num, ',') FROM alembic_version)
 || (SELECT count(*) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
     WHERE d.datname = current_database())
"""
"""Relations, revision and settings: whatever a test could change besides rows."""
EMPTY = "; ".join(
    [
        "SET client_min_messages = error",
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        "SET session_replication_role = replica",  # no triggers: they would write the outbox
        *(f"DELETE FROM {table}" for table in TABLES),
        "UPDATE issuer SET revocation_version = 0, config_version = 0, client_version_floor = 0,"
        " log_id = '0123456789abcdef'",
        "UPDATE rev_head SET log = log_id, seq = 0, hash = sha256(convert_to(log_id, 'UTF8')), floor = 1,"
        " token_ttl = 0, time = 0, witness = NULL, left_logs = '' FROM issuer",
        "UPDATE rev_work SET snapshot_until = 0",
        "ALTER SEQUENCE revocation_outbox_id_seq RESTART",
        "ALTER SEQUENCE logout_outbox_id_seq RESTART",
    ]
)


class DatabasePool:
    def __init__(self, server: PostgresServer, template: str) -> None:
        self.server, self.template = server, template
        self.shape = server.sql(SHAPE, database=template)
        self._free: list[str] = []
        self._numbers = itertools.count(1)

    def take(self) -> str:
        """The name of an empty, migrated database."""
        return self._free.pop() if self._free else self.create()

    def create(self) -> str:
        """One that no test has used before."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self.server.create_database(name, template=self.template)
        return name

    def give_back(self, name: str) -> None:
        if self._emptied(name):
            self._free.append(name)
        else:
            self.server.drop_database(name)

    def _emptied(self, name: str) -> bool:
        with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
            return thread.submit(asyncio.run, _shape_after_emptying(self.server.port, name)).result() == self.shape


async def _shape_after_emptying(port: int, database: str) -> str | None:
    """By the driver itself: psql would take as long to start as all the rest."""
    try:
        connection = await asyncpg.connect(host="127.0.0.1", port=port, user="postgres", database=database, ssl=False)
        try:
            await connection.execute(EMPTY)
            return str(await connection.fetchval(SHAPE))
        finally:
            await connection.close()
    except (asyncpg.PostgresError, OSError):  # the test took a table away, or made the database read-only
        return None
