"""The revocation log: its head, its records, its snapshots; and the resource servers that follow it.

Beside it the code before goes on to write the outbox, which has the same form and is emptied by the new code.
"""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Id = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
OUTBOX_IS_EMPTIED = "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000"
"""Rows live for milliseconds: how many are dead says more than which share."""


def upgrade() -> None:
    create_log()
    create_snapshots()
    create_resource_servers()
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        bind.exec_driver_sql(f"ALTER TABLE revocation_outbox SET ({OUTBOX_IS_EMPTIED})")
    log = bind.execute(sa.text("SELECT log_id FROM issuer WHERE id = 1")).scalar_one()
    head = sa.text("INSERT INTO rev_head (id, log, seq, hash) VALUES (1, :log, 0, :hash)")
    bind.execute(head, {"log": log, "hash": hashlib.sha256(log.encode("ascii")).digest()})
    bind.execute(sa.text("INSERT INTO rev_work (id) VALUES (1)"))


def downgrade() -> None:
    raise NotImplementedError("migrations go forward; restore a backup to go back")


def texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def numbers(*names: str, **options: Any) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger, nullable=False, **options) for name in names]


def create_log() -> None:
    op.create_table(
        "rev_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        *texts("log"),
        *numbers("seq"),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        *numbers("floor", server_default="1"),
        *numbers("token_ttl", "time", server_default="0"),
        sa.Column("witness", sa.Text),
        sa.Column("left_logs", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "rev_log",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        *texts("kind"),
        sa.Column("key", Id, nullable=False),
        *numbers("version", "expires"),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("outbox_id", sa.BigInteger),
        *numbers("at"),
    )
    op.create_index("rev_log_outbox_id", "rev_log", ["outbox_id"], unique=True)
    op.create_index("rev_log_key", "rev_log", ["key", "seq"])


def create_snapshots() -> None:
    op.create_table(
        "rev_snapshots",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        *texts("log"),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        *numbers("entries", "size", "parts"),
        sa.Column("build", Id, nullable=False),
        *numbers("created_at"),
    )
    op.create_table(
        "rev_snapshot_parts",
        sa.Column("build", Id, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "rev_work",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        *numbers("snapshot_until", server_default="0"),
    )


def create_resource_servers() -> None:
    op.create_table(
        "resource_servers",
        sa.Column("client_id", Id, primary_key=True),
        sa.Column("instance", Id, primary_key=True),
        *texts("log"),
        *numbers("seq", "entries"),
        *texts("address"),
        sa.Column("version", sa.Text),
        *numbers("first_seen", "reported_at"),
    )
