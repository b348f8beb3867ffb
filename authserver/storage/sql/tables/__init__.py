"""The tables as SQLAlchemy sees them. The DDL that makes them, triggers and partitions included, is in `migrations/`.

Columns stand in the order of the fields of the record they hold, which is what `rows` relies on.
Times are milliseconds since the Unix epoch; lists and objects are compact JSON text.
"""

from __future__ import annotations

from authserver.storage.sql.tables.authorization import (
    authorization_codes,
    consents,
    device_requests,
    pushed_requests,
    reference_tokens,
    used_once,
)
from authserver.storage.sql.tables.base import metadata
from authserver.storage.sql.tables.core import (
    audit,
    client_secrets,
    clients,
    families,
    issuer,
    revocation_outbox,
    revoked_tokens,
    sessions,
    signing_keys,
    throttle,
    users,
)
from authserver.storage.sql.tables.log import (
    resource_servers,
    rev_head,
    rev_log,
    rev_snapshot_parts,
    rev_snapshots,
    rev_work,
)
from authserver.storage.sql.tables.openid import (
    initial_access_tokens,
    logout_deliveries,
    logout_outbox,
    registrations,
)

__all__ = [
    "audit",
    "authorization_codes",
    "client_secrets",
    "clients",
    "consents",
    "device_requests",
    "families",
    "initial_access_tokens",
    "issuer",
    "logout_deliveries",
    "logout_outbox",
    "metadata",
    "pushed_requests",
    "reference_tokens",
    "registrations",
    "resource_servers",
    "rev_head",
    "rev_log",
    "rev_snapshot_parts",
    "rev_snapshots",
    "rev_work",
    "revocation_outbox",
    "revoked_tokens",
    "sessions",
    "signing_keys",
    "throttle",
    "used_once",
    "users",
]
