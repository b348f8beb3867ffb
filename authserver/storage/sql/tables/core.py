"""Who is known, who is logged in, with what keys tokens are signed; what was taken back, and who did what."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from authserver.storage.sql.tables.base import BigIdentity, Id, metadata

issuer = Table(
    "issuer",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revocation_version", BigInteger, nullable=False, server_default="0"),
    Column("config_version", BigInteger, nullable=False, server_default="0"),
    Column("client_version_floor", BigInteger, nullable=False, server_default="0"),
    Column("log_id", Text, nullable=False),
)

clients = Table(
    "clients",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("auth_method", Text, nullable=False),
    Column("grant_types", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("resources", Text, nullable=False),
    Column("audiences", Text, nullable=False),
    Column("redirect_uris", Text, nullable=False),
    Column("first_party", Boolean, nullable=False),
    Column("refresh_rotation", Text, nullable=False),
    Column("access_token_ttl", BigInteger),
    Column("enabled", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("options", Text, nullable=False, server_default="{}"),
)
"""`options` is one JSON object with every field of `Client` that has no column here and is not at its default."""

client_secrets = Table(
    "client_secrets",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("client_id", Id, ForeignKey("clients.id", ondelete="CASCADE"), nullable=False),
    Index("client_secrets_client_id", "client_id"),
)

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("username", Text, nullable=False),
    Column("username_key", Id, nullable=False),
    Column("password_hash", Text),
    Column("enabled", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("claims", Text, nullable=False, server_default="{}"),
    Index("users_username_key", "username_key", unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("kind", Text, nullable=False),
    Column("secret_hash", LargeBinary),
    Column("auth_time", BigInteger, nullable=False),
    Column("acr", Text),
    Column("amr", Text, nullable=False),
    Column("client_id", Id),
    Column("user_version", BigInteger, nullable=False),
    Column("issuer_version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("idle_until", BigInteger, nullable=False),
    Column("abs_until", BigInteger, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("dead_at", BigInteger),
    Column("dead_reason", Text),
    Index("sessions_user_id", "user_id"),
)

families = Table(
    "families",
    metadata,
    Column("id", Id, primary_key=True),
    Column("session_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("client_id", Id, nullable=False),
    Column("scope", Text, nullable=False),
    Column("resources", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("cur_hash", LargeBinary, nullable=False),
    Column("prev_hash", LargeBinary),
    Column("salt", LargeBinary, nullable=False),
    Column("rotated_at", BigInteger, nullable=False),
    Column("auth_time", BigInteger, nullable=False),
    Column("acr", Text),
    Column("amr", Text, nullable=False),
    Column("user_version", BigInteger, nullable=False),
    Column("client_version", BigInteger, nullable=False),
    Column("issuer_version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("idle_until", BigInteger, nullable=False),
    Column("abs_until", BigInteger, nullable=False),
    Column("dead_at", BigInteger),
    Column("dead_reason", Text),
    Column("bound_to", Text),
    Column("terms", Text, nullable=False, server_default="{}"),
    # No index on a column that a rotation changes: rotations stay HOT updates on PostgreSQL.
    Index("families_session_id", "session_id"),
    Index("families_user_id", "user_id"),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("jti", Id, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Index("revoked_tokens_expires_at", "expires_at"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Id, primary_key=True),
    Column("algorithm", Text, nullable=False),
    Column("public_jwk", Text, nullable=False),
    Column("private_encrypted", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("active_at", BigInteger),
    Column("retired_at", BigInteger),
    Column("remove_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("reason", Text),
    Index(
        "signing_keys_one_active",
        "algorithm",
        unique=True,
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
    Index(
        "signing_keys_one_announced",
        "algorithm",
        unique=True,
        sqlite_where=text("state = 'announced'"),
        postgresql_where=text("state = 'announced'"),
    ),
)

revocation_outbox = Table(
    "revocation_outbox",
    metadata,
    Column("id", BigIdentity, Identity(always=False), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("user_id", Id),
    Column("client_id", Id),
    Column("session_id", Id),
    Column("detail", Text, nullable=False),
    Index("audit_user_id", "user_id", "id"),
    Index("audit_client_id", "client_id", "id"),
    Index("audit_type", "type", "id"),
)

throttle = Table(
    "throttle",
    metadata,
    Column("bucket", LargeBinary, primary_key=True),
    Column("tat", BigInteger, nullable=False),
)
