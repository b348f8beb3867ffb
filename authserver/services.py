"""The Services record: every service, typed, nothing else.

`wiring.build` fills it; `web.routes` and the command line hand single services on from it.
No service ever sees the record itself: what it may use are its own fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from authserver.model.time import Duration
from authserver.storage.interface import ClientLookup

if TYPE_CHECKING:
    from authserver.accounts.directory import Directory
    from authserver.accounts.login import Login
    from authserver.accounts.passwords import Passwords
    from authserver.accounts.throttle import LoginThrottle
    from authserver.administration.clients import ClientDirectory
    from authserver.administration.keys import KeyDirectory
    from authserver.audit.log import AuditLog
    from authserver.clock import SteadyClock
    from authserver.oauth.authorization import AuthorizationFlow
    from authserver.oauth.authorization_requests import AuthorizationRequests
    from authserver.oauth.challenge import AuthorizationChallenge
    from authserver.oauth.client_auth import ClientAuthenticator
    from authserver.oauth.consent import Consents
    from authserver.oauth.device import DeviceAuthorization
    from authserver.oauth.dpop import DpopGate
    from authserver.oauth.end_session import EndSession
    from authserver.oauth.grants.base import Grant
    from authserver.oauth.introspection import Introspector
    from authserver.oauth.issuance import TokenIssuance
    from authserver.oauth.logout_queue import LogoutQueue
    from authserver.oauth.revocation import TokenRevocation
    from authserver.oauth.userinfo import UserInfo
    from authserver.outgoing import Outgoing
    from authserver.registration.initial_tokens import InitialTokens
    from authserver.registration.service import Registrar
    from authserver.registration.usage import ClientUsage
    from authserver.revocation.applied import AppliedReports
    from authserver.revocation.feed import Feed
    from authserver.revocation.keeping import LogKeeping
    from authserver.revocation.publication import Publication
    from authserver.revocation.revoker import Revoker
    from authserver.revocation.tiles import Tiles
    from authserver.sessions.lifecycle import Sessions
    from authserver.storage.interface import (
        AuditStore,
        AuthorizationStore,
        Bus,
        Cache,
        ClientStore,
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
    from authserver.storage.purge import PurgeJob
    from authserver.tokens.form_tokens import FormTokens
    from authserver.tokens.handles import DeviceCookies, RefreshHandles
    from authserver.tokens.keyring import KeyRing
    from authserver.tokens.rotation import KeyRotation
    from authserver.tokens.validation import AccessTokens


FeedAccess: TypeAlias = Literal["public", "clients"]


class Resource(Protocol):
    """Something that is opened before use and closed after it, such as a pool of connections."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class CachedLookup(ClientLookup, Protocol):
    """The cache in front of the clients, as the follower sees it."""

    def invalidate(self) -> None:
        """Forget everything."""
        ...

    def confirm(self) -> None:
        """The database has just said that nothing changed since the last `invalidate`."""
        ...

    @property
    def age(self) -> float:
        """Seconds since the last confirmation."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    issuer: str
    access_token_ttl: Duration
    """The longest lifetime of an access token."""
    now: SteadyClock
    resources: tuple[Resource, ...]
    """In the order in which they were started; closed in the opposite one."""

    # the database, one store per aggregate
    clients: ClientStore
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

    client_cache: CachedLookup
    """Clients out of memory, for hot paths; `clients` is the exact way."""
    cache: Cache
    bus: Bus
    audit: AuditLog

    keys: KeyRing
    rotation: KeyRotation
    dpop: DpopGate
    issuance: TokenIssuance
    access_tokens: AccessTokens
    refresh_handles: RefreshHandles
    device_cookies: DeviceCookies
    form_tokens: FormTokens

    passwords: Passwords
    directory: Directory
    throttle: LoginThrottle
    login: Login
    sessions: Sessions

    userinfo: UserInfo
    end_session: EndSession
    logout_queue: LogoutQueue
    authorization_requests: AuthorizationRequests
    authorization_flow: AuthorizationFlow
    device_authorization: DeviceAuthorization
    authorization_challenge: AuthorizationChallenge
    remembered_consents: Consents
    """What people allowed; `consents` is where it is stored."""

    client_auth: ClientAuthenticator
    client_directory: ClientDirectory
    registrar: Registrar
    initial_tokens: InitialTokens
    client_usage: ClientUsage
    client_documents: bool
    """URLs may be ids of clients."""
    grants: Mapping[str, Grant]
    introspector: Introspector
    token_revocation: TokenRevocation
    revoker: Revoker
    key_directory: KeyDirectory
    purge: PurgeJob

    outgoing: Outgoing
    """Requests to addresses that clients and their documents name."""

    # the revocation feed
    feed_access: FeedAccess
    feed: Feed
    publication: Publication
    tiles: Tiles
    log_store: LogStore
    log_fault: Callable[[], str | None]
    """Why no checkpoints are signed, in words that may be public; None while they are."""
    log: LogKeeping
    applied: AppliedReports
    resource_servers: ResourceServerStore

    async def close(self) -> None:
        """Close what was started, the last first; every one gets its turn."""
        async with AsyncExitStack() as stack:
            for resource in self.resources:
                stack.push_async_callback(resource.close)
