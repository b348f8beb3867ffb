"""The revocation log, and who follows it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from authserver.storage.sql.tables.base import BigIdentity, Id, metadata

rev_head = Table(
    "rev_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("log", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("floor", BigInteger, nullable=False, server_default="1"),
    Column("token_ttl", BigInteger, nullable=False, server_default="0"),
    Column("time", BigInteger, nullable=False, server_default="0"),
    Column("witness", Text),
    Column("left_logs", Text, nullable=False, server_default=""),
)
"""One row, with id 1: whoever holds it extends the log. `left_logs` are ids, with spaces between them."""

rev_log = Table(
    "rev_log",
    metadata,
    Column("seq", BigIdentity, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("key", Id, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("outbox_id", BigInteger),
    Column("at", BigInteger, nullable=False),
    Index("rev_log_outbox_id", "outbox_id", unique=True),
    Index("rev_log_key", "key", "seq"),
)
"""`expires` is in seconds, as on the wire; `at` is when the record was sequenced."""

rev_snapshots = Table(
    "rev_snapshots",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("log", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("parts", BigInteger, nullable=False),
    Column("build", Id, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

rev_snapshot_parts = Table(
    "rev_snapshot_parts",
    metadata,
    Column("build", Id, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
"""`build` is a UUIDv7 of the snapshot that they are, or would have been, parts of."""

rev_work = Table(
    "rev_work",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("snapshot_until", BigInteger, nullable=False, server_default="0"),
)
"""One row, with id 1: what somebody is doing, so that others need not."""

resource_servers = Table(
    "resource_servers",
    metadata,
    Column("client_id", Id, primary_key=True),
    Column("instance", Id, primary_key=True),
    Column("log", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("version", Text),
    Column("first_seen", BigInteger, nullable=False),
    Column("reported_at", BigInteger, nullable=False),
)
