"""The Services record: every service, typed, nothing else.

`wiring.build` fills it; `web.routes` and the command line hand single services on from it.
No service ever sees the record itself: what it may use are its own fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from authserver.accounts.directory import Directory
    from authserver.accounts.login import Login
    from authserver.accounts.passwords import Passwords
    from authserver.accounts.throttle import LoginThrottle
    from authserver.audit.log import AuditLog
    from authserver.clock import SteadyClock
    from authserver.oauth.client_auth import ClientAuthenticator
    from authserver.oauth.grants.base import Grant
    from authserver.oauth.introspection import Introspector
    from authserver.oauth.revocation import TokenRevocation
    from authserver.revocation.revoker import Revoker
    from authserver.sessions.lifecycle import Sessions
    from authserver.storage.interface import (
        AuditStore,
        Bus,
        Cache,
        ClientLookup,
        ClientStore,
        FamilyStore,
        KeyStore,
        MaintenanceStore,
        RevocationStore,
        SessionStore,
        ThrottleStore,
        UserStore,
    )
    from authserver.storage.purge import PurgeJob
    from authserver.tokens.handles import DeviceCookies, RefreshHandles, SessionHandles
    from authserver.tokens.issuer import TokenIssuer
    from authserver.tokens.keyring import KeyRing
    from authserver.tokens.rotation import KeyRotation
    from authserver.tokens.validation import AccessTokens


class Resource(Protocol):
    """Something that is opened before use and closed after it, such as a pool of connections."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class CachedLookup(Protocol):
    """The cache in front of the clients, as the follower sees it."""

    def invalidate(self) -> None:
        """Forget everything."""
        ...

    def confirm(self) -> None:
        """The database has just said that nothing changed since the last `invalidate`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The database, one store per aggregate."""

    clients: ClientStore
    users: UserStore
    sessions: SessionStore
    families: FamilyStore
    revocations: RevocationStore
    keys: KeyStore
    throttle: ThrottleStore
    audit: AuditStore
    maintenance: MaintenanceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    issuer: str
    now: SteadyClock
    resources: tuple[Resource, ...]
    """In the order in which they are started; closed in the opposite one."""
    stores: Stores
    clients: ClientLookup
    """The cached way to clients, for hot paths; `stores.clients` is the exact one."""
    client_cache: CachedLookup
    cache: Cache
    bus: Bus
    audit: AuditLog
    keys: KeyRing
    rotation: KeyRotation
    issue: TokenIssuer
    access_tokens: AccessTokens
    refresh_handles: RefreshHandles
    session_handles: SessionHandles
    device_cookies: DeviceCookies
    passwords: Passwords
    directory: Directory
    throttle: LoginThrottle
    login: Login
    sessions: Sessions
    client_auth: ClientAuthenticator
    grants: Mapping[str, Grant]
    introspector: Introspector
    token_revocation: TokenRevocation
    revoker: Revoker
    purge: PurgeJob
