"""Clients that come by themselves, and those that are told of log-outs."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Table,
    Text,
)

from authserver.storage.sql.tables.base import BigIdentity, Id, metadata

initial_access_tokens = Table(
    "initial_access_tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("label", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("uses_left", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
)

registrations = Table(
    "registrations",
    metadata,
    Column("client_id", Id, ForeignKey("clients.id", ondelete="CASCADE"), primary_key=True),
    Column("token_sha256", LargeBinary),
    Column("initial_token_id", Id),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("fresh_until", BigInteger),
    Column("etag", Text),
    Index("registrations_used_at", "used_at"),
)
"""Of clients that registered themselves or are described by a document, which is `fresh_until` then."""

logout_outbox = Table(
    "logout_outbox",
    metadata,
    Column("id", BigIdentity, Identity(always=False), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
"""Who is logged out and whose clients are still to be told. Written by triggers, in the transaction of the end.

`kind` and `value`: "session" or "user", an id; "issuer", everybody, and the last family that was seen to so far;
"family", a JSON list of id, client, user and terms of a row that is gone. `version`, for user and issuer: the one that
was ended, which the families of those logged out were born under.
"""

logout_deliveries = Table(
    "logout_deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("client_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("family_id", Id, nullable=False),
    Column("uri", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False, server_default="0"),
    Column("next_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_problem", Text),
    Index("logout_deliveries_next_at", "next_at"),
    Index("logout_deliveries_family_id", "family_id", unique=True),
)
