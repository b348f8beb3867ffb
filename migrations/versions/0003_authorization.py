"""The authorization endpoint and what hangs on it: codes, pushed requests, consents, devices, opaque tokens, one-time
values, registration, back-channel logout; more of a client, a user and a family.

The code before goes on beside it: every new column has a default, and it neither reads nor writes the new tables. Its
log-outs are told to clients too, because a trigger notes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Id = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BigIdentity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    extend_what_is_there()
    create_authorizations()
    create_tokens()
    create_registration()
    create_logout()
    for statement in triggers(op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    raise NotImplementedError("migrations go forward; restore a backup to go back")


def triggers(dialect: str) -> Iterator[str]:
    """Statements are separated by an empty line, for drivers that take one at a time."""
    path = Path(__file__).parents[1] / "sql" / f"0003_{dialect}.sql"
    for statement in path.read_text(encoding="utf-8").split("\n\n"):
        yield statement.strip().removesuffix(";") if "$$" not in statement else statement.strip()


def texts(*names: str, **options: Any) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False, **options) for name in names]


def numbers(*names: str, **options: Any) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger, nullable=False, **options) for name in names]


def hashed(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary, primary_key=True)


def extend_what_is_there() -> None:
    op.add_column("clients", sa.Column("options", sa.Text, nullable=False, server_default="{}"))
    op.add_column("users", sa.Column("claims", sa.Text, nullable=False, server_default="{}"))
    op.add_column("families", sa.Column("bound_to", sa.Text))
    op.add_column("families", sa.Column("terms", sa.Text, nullable=False, server_default="{}"))
    for state in ("active", "announced"):
        op.drop_index(f"signing_keys_one_{state}", "signing_keys")
        only = sa.text(f"state = '{state}'")
        op.create_index(
            f"signing_keys_one_{state}",
            "signing_keys",
            ["algorithm"],
            unique=True,
            sqlite_where=only,
            postgresql_where=only,
        )


def create_authorizations() -> None:
    op.create_table(
        "pushed_requests",
        hashed("handle_hash"),
        sa.Column("client_id", Id, nullable=False),
        *texts("request"),
        *numbers("created_at", "expires_at"),
        sa.Column("spent_at", sa.BigInteger),
    )
    op.create_table(
        "authorization_codes",
        hashed("handle_hash"),
        *(sa.Column(name, Id, nullable=False) for name in ("family_id", "client_id", "user_id", "session_id")),
        *texts("request"),
        *numbers("auth_time"),
        sa.Column("acr", sa.Text),
        *texts("amr"),
        *numbers("created_at", "expires_at"),
        sa.Column("spent_at", sa.BigInteger),
        *numbers("kept_until"),
    )
    for name in ("family_id", "user_id", "kept_until"):
        op.create_index(f"authorization_codes_{name}", "authorization_codes", [name])
    unspent = sa.text("spent_at IS NULL")
    op.create_index(
        "authorization_codes_client_id",
        "authorization_codes",
        ["client_id"],
        sqlite_where=unspent,
        postgresql_where=unspent,
    )
    op.create_table(
        "consents",
        sa.Column("user_id", Id, primary_key=True),
        sa.Column("client_id", Id, primary_key=True),
        *texts("scope", "resources", "authorization_details"),
        *numbers("granted_at", "updated_at"),
    )
    op.create_index("consents_client_id", "consents", ["client_id"])
    op.create_table(
        "device_requests",
        hashed("handle_hash"),
        sa.Column("user_code_hash", sa.LargeBinary, nullable=False),
        sa.Column("client_id", Id, nullable=False),
        *texts("scope"),
        sa.Column("scope_asked", sa.Text),
        *texts("resources", "authorization_details"),
        sa.Column("confirmation", sa.Text),
        *texts("state"),
        *numbers("interval"),
        sa.Column("polled_at", sa.BigInteger),
        *(sa.Column(name, Id) for name in ("user_id", "session_id")),
        sa.Column("auth_time", sa.BigInteger),
        sa.Column("acr", sa.Text),
        sa.Column("amr", sa.Text),
        sa.Column("family_id", Id, nullable=False),
        *texts("address"),
        *numbers("created_at", "expires_at"),
        sa.Column("too_soon", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("device_requests_user_code_hash", "device_requests", ["user_code_hash"], unique=True)
    for table in ("pushed_requests", "device_requests"):
        op.create_index(f"{table}_expires_at", table, ["expires_at"])


def create_tokens() -> None:
    op.create_table("used_once", hashed("key"), *numbers("expires_at"))
    op.create_index("used_once_expires_at", "used_once", ["expires_at"])
    op.create_table(
        "reference_tokens",
        hashed("handle_hash"),
        sa.Column("jti", Id, nullable=False),
        *texts("claims"),
        *numbers("expires_at"),
    )
    op.create_index("reference_tokens_expires_at", "reference_tokens", ["expires_at"])


def create_registration() -> None:
    op.create_table(
        "initial_access_tokens",
        sa.Column("id", Id, primary_key=True),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        *texts("label", "policy"),
        sa.Column("uses_left", sa.BigInteger),
        *numbers("created_at"),
        sa.Column("expires_at", sa.BigInteger),
    )
    op.create_table(
        "registrations",
        sa.Column("client_id", Id, sa.ForeignKey("clients.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("token_sha256", sa.LargeBinary),
        sa.Column("initial_token_id", Id),
        *numbers("created_at", "used_at"),
        sa.Column("fresh_until", sa.BigInteger),
        sa.Column("etag", sa.Text),
    )
    op.create_index("registrations_used_at", "registrations", ["used_at"])


def create_logout() -> None:
    op.create_table(
        "logout_outbox",
        sa.Column("id", BigIdentity, sa.Identity(always=False), primary_key=True),
        *texts("kind", "value"),
        *numbers("version", "created_at"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "logout_deliveries",
        sa.Column("id", Id, primary_key=True),
        *(sa.Column(name, Id, nullable=False) for name in ("client_id", "user_id", "family_id")),
        *texts("uri"),
        *numbers("attempts", server_default="0"),
        *numbers("next_at", "created_at"),
        sa.Column("last_problem", sa.Text),
    )
    op.create_index("logout_deliveries_next_at", "logout_deliveries", ["next_at"])
    op.create_index("logout_deliveries_family_id", "logout_deliveries", ["family_id"], unique=True)
