"""The tables as SQLAlchemy sees them. The DDL that makes them, triggers and partitions included, is in `migrations/`.

Columns stand in the order of the fields of the record they hold, which is what `rows` relies on.
Times are milliseconds since the Unix epoch; lists and objects are compact JSON text.
"""

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
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData()

Id = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte, so that UUIDv7 sort by time on every database."""

BigIdentity = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite only numbers INTEGER PRIMARY KEYs by itself."""

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
