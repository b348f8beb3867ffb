"""The ground: issuer, clients, users, sessions, families, revocations, keys, audit, throttle.

The triggers in `migrations/sql/0001_*.sql` carry what no code path may forget: the revocation version
that moves on when something is disabled, the outbox row of everything that is taken back, the
configuration version. See docs/decisions/0004-triggers-write-the-outbox.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Id = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BigIdentity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WEEKLY = {"postgresql_partition_by": "RANGE (id)"}
"""Ids are UUIDv7, so a range of ids is a range of time; the weeks themselves are made by `authserver migrate`."""


def upgrade() -> None:
    create_configuration()
    create_people()
    create_sessions()
    create_revocation()
    create_books()
    for statement in triggers(op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)
    op.get_bind().exec_driver_sql(f"INSERT INTO issuer (id, log_id) VALUES (1, '{secrets.token_hex(8)}')")


def downgrade() -> None:
    raise NotImplementedError("migrations go forward; restore a backup to go back")


def triggers(dialect: str) -> Iterator[str]:
    """Statements are separated by an empty line, for drivers that take one at a time."""
    path = Path(__file__).parents[1] / "sql" / f"0001_{dialect}.sql"
    for statement in path.read_text(encoding="utf-8").split("\n\n"):
        yield statement.strip().removesuffix(";") if "$$" not in statement else statement.strip()


def texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def times(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def create_configuration() -> None:
    zero = {"nullable": False, "server_default": "0"}
    op.create_table(
        "issuer",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revocation_version", sa.BigInteger, **zero),
        sa.Column("config_version", sa.BigInteger, **zero),
        sa.Column("client_version_floor", sa.BigInteger, **zero),
        *texts("log_id"),
    )
    op.create_table(
        "clients",
        sa.Column("id", Id, primary_key=True),
        *texts("name", "auth_method", "grant_types", "scopes", "resources", "audiences", "redirect_uris"),
        sa.Column("first_party", sa.Boolean, nullable=False),
        *texts("refresh_rotation"),
        sa.Column("access_token_ttl", sa.BigInteger),
        sa.Column("enabled", sa.Boolean, nullable=False),
        *times("version", "created_at", "updated_at"),
    )
    op.create_table(
        "client_secrets",
        sa.Column("id", Id, primary_key=True),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        *times("created_at"),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("client_id", Id, sa.ForeignKey("clients.id", ondelete="CASCADE"), nullable=False),
    )
    op.create_index("client_secrets_client_id", "client_secrets", ["client_id"])
    op.create_table(
        "signing_keys",
        sa.Column("kid", Id, primary_key=True),
        *texts("algorithm", "public_jwk"),
        sa.Column("private_encrypted", sa.LargeBinary, nullable=False),
        *texts("state"),
        *times("created_at"),
        *(sa.Column(name, sa.BigInteger) for name in ("active_at", "retired_at", "remove_at", "revoked_at")),
        sa.Column("reason", sa.Text),
    )
    for state in ("active", "announced"):
        only = sa.text(f"state = '{state}'")
        op.create_index(
            f"signing_keys_one_{state}",
            "signing_keys",
            ["state"],
            unique=True,
            sqlite_where=only,
            postgresql_where=only,
        )


def create_people() -> None:
    op.create_table(
        "users",
        sa.Column("id", Id, primary_key=True),
        *texts("username"),
        sa.Column("username_key", Id, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("enabled", sa.Boolean, nullable=False),
        *times("version", "created_at", "updated_at"),
    )
    op.create_index("users_username_key", "users", ["username_key"], unique=True)
    op.create_table("throttle", sa.Column("bucket", sa.LargeBinary, primary_key=True), *times("tat"))


def create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", Id, primary_key=True),
        sa.Column("user_id", Id, nullable=False),
        *texts("kind"),
        sa.Column("secret_hash", sa.LargeBinary),
        *times("auth_time"),
        sa.Column("acr", sa.Text),
        *texts("amr"),
        sa.Column("client_id", Id),
        *times("user_version", "issuer_version", "created_at", "last_seen_at", "idle_until", "abs_until"),
        *texts("user_agent", "address"),
        sa.Column("dead_at", sa.BigInteger),
        sa.Column("dead_reason", sa.Text),
        **WEEKLY,
    )
    op.create_index("sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "families",
        sa.Column("id", Id, primary_key=True),
        *(sa.Column(name, Id, nullable=False) for name in ("session_id", "user_id", "client_id")),
        *texts("scope", "resources"),
        *times("generation"),
        sa.Column("cur_hash", sa.LargeBinary, nullable=False),
        sa.Column("prev_hash", sa.LargeBinary),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        *times("rotated_at", "auth_time"),
        sa.Column("acr", sa.Text),
        *texts("amr"),
        *times("user_version", "client_version", "issuer_version", "created_at", "idle_until", "abs_until"),
        sa.Column("dead_at", sa.BigInteger),
        sa.Column("dead_reason", sa.Text),
        **WEEKLY,
    )
    op.create_index("families_session_id", "families", ["session_id"])
    op.create_index("families_user_id", "families", ["user_id"])


def create_revocation() -> None:
    op.create_table(
        "revoked_tokens", sa.Column("jti", Id, primary_key=True), *times("expires_at", "revoked_at"), *texts("reason")
    )
    op.create_index("revoked_tokens_expires_at", "revoked_tokens", ["expires_at"])
    op.create_table(
        "revocation_outbox",
        sa.Column("id", BigIdentity, sa.Identity(always=False), primary_key=True),
        *texts("kind", "value"),
        *times("version"),
        sa.Column("expires_at", sa.BigInteger),
        *times("created_at"),
        sqlite_autoincrement=True,
    )


def create_books() -> None:
    op.create_table(
        "audit",
        sa.Column("id", Id, primary_key=True),
        *times("at"),
        *texts("type", "actor", "address", "request_id"),
        *(sa.Column(name, Id) for name in ("user_id", "client_id", "session_id")),
        *texts("detail"),
    )
    for column in ("user_id", "client_id", "type"):
        op.create_index(f"audit_{column}", "audit", [column, "id"])
