"""The truth: every store on SQLite and PostgreSQL, one implementation, through SQLAlchemy Core.

Owns tables, statements, transactions and migrations. Decides nothing about OAuth, passwords or
tokens: it keeps the promises of `storage.interface`.
"""

from __future__ import annotations

from authserver.storage.sql.audit import SqlAudit
from authserver.storage.sql.authorizations import SqlAuthorizations
from authserver.storage.sql.clients import SqlClients
from authserver.storage.sql.consents import SqlConsents
from authserver.storage.sql.database import Database, UnsafeDatabase
from authserver.storage.sql.devices import SqlDevices
from authserver.storage.sql.engine import open_database
from authserver.storage.sql.families import SqlFamilies
from authserver.storage.sql.keys import SqlKeys
from authserver.storage.sql.log import SqlLog
from authserver.storage.sql.logouts import SqlLogouts
from authserver.storage.sql.maintenance import SqlMaintenance
from authserver.storage.sql.once import SqlOnce
from authserver.storage.sql.references import SqlReferences
from authserver.storage.sql.registrations import SqlRegistrations
from authserver.storage.sql.resource_servers import SqlResourceServers
from authserver.storage.sql.revocations import SqlRevocations
from authserver.storage.sql.schema import migrate, schema_head
from authserver.storage.sql.sessions import SqlSessions
from authserver.storage.sql.throttle import SqlThrottle
from authserver.storage.sql.users import SqlUsers

__all__ = [
    "Database",
    "SqlAudit",
    "SqlAuthorizations",
    "SqlClients",
    "SqlConsents",
    "SqlDevices",
    "SqlFamilies",
    "SqlKeys",
    "SqlLog",
    "SqlLogouts",
    "SqlMaintenance",
    "SqlOnce",
    "SqlReferences",
    "SqlRegistrations",
    "SqlResourceServers",
    "SqlRevocations",
    "SqlSessions",
    "SqlThrottle",
    "SqlUsers",
    "UnsafeDatabase",
    "migrate",
    "open_database",
    "schema_head",
]
