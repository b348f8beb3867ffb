"""What leads from a browser or a device to tokens."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    text,
)

from authserver.storage.sql.tables.base import Id, metadata

pushed_requests = Table(
    "pushed_requests",
    metadata,
    Column("handle_hash", LargeBinary, primary_key=True),
    Column("client_id", Id, nullable=False),
    Column("request", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("spent_at", BigInteger),
    Index("pushed_requests_expires_at", "expires_at"),
)

authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("handle_hash", LargeBinary, primary_key=True),
    Column("family_id", Id, nullable=False),
    Column("client_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("session_id", Id, nullable=False),
    Column("request", Text, nullable=False),
    Column("auth_time", BigInteger, nullable=False),
    Column("acr", Text),
    Column("amr", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("spent_at", BigInteger),
    Column("kept_until", BigInteger, nullable=False),
    Index("authorization_codes_family_id", "family_id"),
    Index("authorization_codes_user_id", "user_id"),
    Index(
        "authorization_codes_client_id",
        "client_id",
        sqlite_where=text("spent_at IS NULL"),
        postgresql_where=text("spent_at IS NULL"),
    ),
    Index("authorization_codes_kept_until", "kept_until"),
)
"""`kept_until` is when the last family that it gave ends, at the latest: till then it is known for spent."""

consents = Table(
    "consents",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("client_id", Id, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("resources", Text, nullable=False),
    Column("authorization_details", Text, nullable=False),
    Column("granted_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("consents_client_id", "client_id"),
)

device_requests = Table(
    "device_requests",
    metadata,
    Column("handle_hash", LargeBinary, primary_key=True),
    Column("user_code_hash", LargeBinary, nullable=False),
    Column("client_id", Id, nullable=False),
    Column("scope", Text, nullable=False),
    Column("scope_asked", Text),
    Column("resources", Text, nullable=False),
    Column("authorization_details", Text, nullable=False),
    Column("confirmation", Text),
    Column("state", Text, nullable=False),
    Column("interval", BigInteger, nullable=False),
    Column("polled_at", BigInteger),
    Column("user_id", Id),
    Column("session_id", Id),
    Column("auth_time", BigInteger),
    Column("acr", Text),
    Column("amr", Text),
    Column("family_id", Id, nullable=False),
    Column("address", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("too_soon", Boolean, nullable=False, server_default=text("false")),
    Index("device_requests_user_code_hash", "user_code_hash", unique=True),
    Index("device_requests_expires_at", "expires_at"),
)
"""`confirmation` is `str(Confirmation)`; `too_soon` says of the last poll that it was."""

used_once = Table(
    "used_once",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Index("used_once_expires_at", "expires_at"),
)

reference_tokens = Table(
    "reference_tokens",
    metadata,
    Column("handle_hash", LargeBinary, primary_key=True),
    Column("jti", Id, nullable=False),
    Column("claims", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("reference_tokens_expires_at", "expires_at"),
)
