"""What the services are put together from: the stores, what everything stands on, and tokens."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.audit.log import AuditLog
from authserver.clock import SteadyClock
from authserver.oauth.subjects import Subjects
from authserver.oauth.user_claims import UserClaims
from authserver.outgoing import Outgoing
from authserver.sessions.policy import SessionPolicy
from authserver.settings import Settings
from authserver.storage.cached import CachedClients
from authserver.storage.interface import Bus, Cache
from authserver.storage.sql import (
    Database,
    SqlAudit,
    SqlAuthorizations,
    SqlClients,
    SqlConsents,
    SqlDevices,
    SqlFamilies,
    SqlKeys,
    SqlLog,
    SqlLogouts,
    SqlMaintenance,
    SqlOnce,
    SqlReferences,
    SqlRegistrations,
    SqlResourceServers,
    SqlRevocations,
    SqlSessions,
    SqlThrottle,
    SqlUsers,
)
from authserver.tokens.forms import TokenForms
from authserver.tokens.handles import DeviceCookies, RefreshHandles
from authserver.tokens.id_token import IdTokens
from authserver.tokens.issuer import TokenIssuer
from authserver.tokens.keyring import KeyRing
from authserver.tokens.masterkey import MasterKey
from authserver.tokens.opaque import OpaqueTokens
from authserver.tokens.rotation import KeyRotation, RotationPolicy
from authserver.tokens.validation import AccessTokens


@dataclass(frozen=True, slots=True)
class Stores:
    """The database, one store per aggregate."""

    clients: SqlClients
    users: SqlUsers
    sessions: SqlSessions
    families: SqlFamilies
    revocations: SqlRevocations
    keys: SqlKeys
    throttle: SqlThrottle
    audit: SqlAudit
    maintenance: SqlMaintenance
    log: SqlLog
    resource_servers: SqlResourceServers
    authorizations: SqlAuthorizations
    consents: SqlConsents
    devices: SqlDevices
    once: SqlOnce
    references: SqlReferences
    registrations: SqlRegistrations
    logouts: SqlLogouts

    @classmethod
    def of(cls, db: Database) -> Stores:
        return cls(
            SqlClients(db),
            SqlUsers(db),
            SqlSessions(db),
            SqlFamilies(db),
            SqlRevocations(db),
            SqlKeys(db),
            SqlThrottle(db),
            SqlAudit(db),
            SqlMaintenance(db),
            SqlLog(db),
            SqlResourceServers(db),
            SqlAuthorizations(db),
            SqlConsents(db),
            SqlDevices(db),
            SqlOnce(db),
            SqlReferences(db),
            SqlRegistrations(db),
            SqlLogouts(db),
        )


@dataclass(frozen=True, slots=True)
class Ground:
    """What everything else stands on."""

    settings: Settings
    session_policy: SessionPolicy
    master: MasterKey
    stores: Stores
    client_cache: CachedClients
    cache: Cache
    bus: Bus
    now: SteadyClock
    audit: AuditLog
    outgoing: Outgoing
    outgoing_logouts: Outgoing
    """For nothing else, so that receivers that are slow keep nobody waiting for keys or metadata."""


@dataclass(frozen=True, slots=True)
class Tokens:
    keys: KeyRing
    rotation: KeyRotation
    issue: TokenIssuer
    access: AccessTokens
    opaque: OpaqueTokens
    id_tokens: IdTokens
    subjects: Subjects
    refresh_handles: RefreshHandles
    device_cookies: DeviceCookies

    @classmethod
    def of(cls, ground: Ground, policy: RotationPolicy) -> Tokens:
        settings, now = ground.settings, ground.now
        keys = KeyRing(ground.stores.keys, ground.master, now)
        subjects = Subjects(ground.master.derive("pairwise subject"))
        opaque = OpaqueTokens(ground.master, ground.stores.references)
        return cls(
            keys,
            KeyRotation(ground.stores.keys, ground.master, keys, policy, now),
            TokenIssuer(settings.issuer, keys, settings.access_token_ttl, now, TokenForms(settings.resource_tokens)),
            AccessTokens(keys, ground.stores.revocations, settings.issuer, now, opaque),
            opaque,
            IdTokens(
                settings.issuer, keys, settings.access_token_ttl, now, UserClaims(ground.stores.users), subjects.of
            ),
            subjects,
            RefreshHandles(ground.master),
            DeviceCookies(ground.master),
        )
