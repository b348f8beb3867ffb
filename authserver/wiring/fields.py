"""The services that are there as soon as the database and the keys are: handed on as they are, under their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from authserver.audit.log import AuditLog
from authserver.clock import SteadyClock
from authserver.outgoing import Outgoing
from authserver.revocation.applied import AppliedReports
from authserver.revocation.feed import Feed
from authserver.revocation.keeping import LogKeeping
from authserver.revocation.publication import Publication
from authserver.revocation.tiles import Tiles
from authserver.storage.cached import CachedClients
from authserver.storage.interface import (
    AuditStore,
    AuthorizationStore,
    Bus,
    Cache,
    FamilyStore,
    KeyStore,
    LogoutStore,
    LogStore,
    MaintenanceStore,
    ReferenceStore,
    RegistrationStore,
    ResourceServerStore,
    RevocationStore,
    SessionStore,
    UserStore,
)
from authserver.tokens.handles import DeviceCookies, RefreshHandles
from authserver.tokens.keyring import KeyRing
from authserver.tokens.rotation import KeyRotation
from authserver.tokens.validation import AccessTokens
from authserver.wiring.feed import FeedParts
from authserver.wiring.parts import Ground, Tokens


class GroundFields(TypedDict):
    now: SteadyClock
    users: UserStore
    session_store: SessionStore
    families: FamilyStore
    revocations: RevocationStore
    key_store: KeyStore
    audit_store: AuditStore
    maintenance: MaintenanceStore
    authorizations: AuthorizationStore
    references: ReferenceStore
    registrations: RegistrationStore
    logouts: LogoutStore
    log_store: LogStore
    resource_servers: ResourceServerStore
    client_cache: CachedClients
    cache: Cache
    bus: Bus
    audit: AuditLog
    outgoing: Outgoing


class TokenFields(TypedDict):
    keys: KeyRing
    rotation: KeyRotation
    access_tokens: AccessTokens
    refresh_handles: RefreshHandles
    device_cookies: DeviceCookies


class FeedFields(TypedDict):
    feed: Feed
    publication: Publication
    tiles: Tiles
    applied: AppliedReports
    log: LogKeeping
    log_fault: Callable[[], str | None]


def ground_fields(ground: Ground) -> GroundFields:
    stores = ground.stores
    return {
        "now": ground.now,
        "users": stores.users,
        "session_store": stores.sessions,
        "families": stores.families,
        "revocations": stores.revocations,
        "key_store": stores.keys,
        "audit_store": stores.audit,
        "maintenance": stores.maintenance,
        "authorizations": stores.authorizations,
        "references": stores.references,
        "registrations": stores.registrations,
        "logouts": stores.logouts,
        "log_store": stores.log,
        "resource_servers": stores.resource_servers,
        "client_cache": ground.client_cache,
        "cache": ground.cache,
        "bus": ground.bus,
        "audit": ground.audit,
        "outgoing": ground.outgoing,
    }


def token_fields(tokens: Tokens) -> TokenFields:
    return {
        "keys": tokens.keys,
        "rotation": tokens.rotation,
        "access_tokens": tokens.access,
        "refresh_handles": tokens.refresh_handles,
        "device_cookies": tokens.device_cookies,
    }


def feed_fields(parts: FeedParts) -> FeedFields:
    return {
        "feed": parts.feed,
        "publication": parts.publication,
        "tiles": parts.tiles,
        "applied": parts.applied,
        "log": parts.log,
        "log_fault": parts.log.fault,
    }
