"""From settings to services: the only place that chooses implementations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from time import monotonic_ns

from authserver.accounts.directory import Directory
from authserver.accounts.login import Login
from authserver.accounts.passwords import Passwords
from authserver.accounts.throttle import LoginThrottle
from authserver.administration.clients import ClientDirectory
from authserver.administration.fields import Reader
from authserver.administration.keys import KeyDirectory
from authserver.administration.last_admin import LastAdmin
from authserver.audit.log import AuditLog
from authserver.clock import PurgeClock, SteadyClock
from authserver.oauth.grants import ClientCredentialsGrant, Grant, RefreshTokenGrant, grant_table
from authserver.oauth.introspection import Introspector
from authserver.oauth.issuance import TokenIssuance
from authserver.oauth.revocation import TokenRevocation
from authserver.revocation.revoker import Revoker
from authserver.services import Resource, Services
from authserver.sessions.lifecycle import Sessions
from authserver.settings import Settings, SettingsError
from authserver.storage.cached import AnnouncedClients, CachedClients
from authserver.storage.channels import tell_changed
from authserver.storage.interface import Bus, ClientStore, MaintenanceStore
from authserver.storage.purge import PurgeJob
from authserver.storage.sql import migrate as migrate_database
from authserver.storage.sql import open_database
from authserver.tokens.client_keys import ClientKeys
from authserver.tokens.derived_secrets import DerivedSecrets
from authserver.tokens.form_tokens import FormTokens
from authserver.tokens.handles import SessionHandles
from authserver.tokens.jwt import Signer
from authserver.tokens.masterkey import load_master_key
from authserver.tokens.rotation import RotationPolicy
from authserver.wiring.assertions import assertion_grants
from authserver.wiring.authorization import AuthorizationParts
from authserver.wiring.browserless import BrowserlessParts
from authserver.wiring.client_auth import client_authenticator
from authserver.wiring.feed import FeedParts
from authserver.wiring.fields import feed_fields, ground_fields, token_fields
from authserver.wiring.openid import OpenIdParts
from authserver.wiring.outgoing import open_outgoing
from authserver.wiring.parts import Ground, Stores, Tokens
from authserver.wiring.policies import housekeeping, policies, throttle_policy
from authserver.wiring.proof import dpop_gate
from authserver.wiring.registration import ClientRulebook, RegistrationParts, document_clients
from authserver.wiring.shared import cache_and_bus, redis_answers

__all__ = ["MigrationDue", "build", "migrate", "redis_answers"]


class MigrationDue(SettingsError):
    """The database's schema is not the one this code works on; the text names the command."""


async def build(settings: Settings) -> Services:
    """Open everything and return the services; close them with `await services.close()`.

    Raises SettingsError (also MigrationDue), MasterKeyError, StorageUnavailable; nothing stays open then.
    """
    session_policy, rotation_policy = policies(settings)
    master = load_master_key(settings.master_key_path)
    database = open_database(settings.database_url, pool_size=settings.database_pool_size)
    cache, bus, shared = cache_and_bus(settings.redis_url)
    passwords = Passwords(settings.password_threads, settings.password_queue)
    outgoing, resolver = open_outgoing(settings)
    outgoing_logouts, other_resolver = open_outgoing(settings)
    resources: tuple[Resource, ...] = (database, *shared, _Closing(passwords), resolver, other_resolver)
    async with AsyncExitStack() as undo:
        for resource in resources:
            undo.push_async_callback(resource.close)
            await resource.start()
        stores = Stores.of(database)
        await _require_schema(stores.maintenance)
        now = await _clock(stores.maintenance)
        await stores.log.raise_token_ttl(settings.access_token_ttl)  # before a token of that lifetime is issued
        client_cache = CachedClients(stores.clients)
        audit = AuditLog(now)
        ground = Ground(
            settings,
            session_policy,
            master,
            stores,
            client_cache,
            cache,
            bus,
            now,
            audit,
            outgoing,
            outgoing_logouts,
        )
        services = await _assemble(ground, rotation_policy, passwords, resources)
        undo.pop_all()
    return services


async def _clock(maintenance: MaintenanceStore) -> SteadyClock:
    """The database's time, so that all nodes agree."""
    now = SteadyClock()
    started = monotonic_ns()
    now.anchor(await maintenance.now(), monotonic_ns() - started)
    return now


async def migrate(settings: Settings) -> list[str]:
    """Bring the schema up to date; the revisions that ran. Raises StorageUnavailable."""
    return await migrate_database(settings.database_url)


async def _require_schema(maintenance: MaintenanceStore) -> None:
    state = await maintenance.schema_state()
    if state in ("missing", "behind"):
        what = "has no tables yet" if state == "missing" else "has an older schema than this version needs"
        raise MigrationDue(f"the database {what}: run `authserver migrate`, then start again")


def _announcer(client_cache: CachedClients, bus: Bus) -> Callable[[], Awaitable[None]]:
    """What follows a committed change of clients, keys or versions: this process and the others look again at once."""

    async def announce() -> None:
        client_cache.invalidate()
        await tell_changed(bus)

    return announce


async def _assemble(
    ground: Ground, rotation_policy: RotationPolicy, passwords: Passwords, resources: tuple[Resource, ...]
) -> Services:
    settings, stores, now = ground.settings, ground.stores, ground.now
    tokens = Tokens.of(ground, rotation_policy)
    await tokens.keys.load()
    announce = _announcer(ground.client_cache, ground.bus)
    revoker = _revoker(ground, tokens, announce)
    throttle = LoginThrottle(stores.throttle, ground.cache, throttle_policy(settings), now)
    sessions = _sessions(ground, tokens)
    client_keys = ClientKeys(ground.outgoing)
    rulebook = ClientRulebook.of(settings)
    lookup = document_clients(ground, rulebook, announce)
    authorization = AuthorizationParts.of(ground, tokens, lookup, client_keys)
    openid = OpenIdParts.of(ground, tokens, stores.clients)
    clients = AnnouncedClients(stores.clients, announce, ground.bus)
    login = _login(ground, tokens, sessions, passwords, throttle)
    browserless = BrowserlessParts.of(ground, tokens, lookup, login, authorization.flow)
    assertions = assertion_grants(ground, client_keys, lookup)
    grants = grant_table(authorization.grant, *_grants(ground, tokens), *browserless.grants, *assertions)
    rulebook.fill(settings, grants)
    registration = RegistrationParts.of(ground, rulebook, clients, announce)
    return Services(
        **ground_fields(ground),
        **token_fields(tokens),
        **feed_fields(FeedParts.of(ground, tokens, revoker, announce)),
        issuer=settings.issuer,
        access_token_ttl=settings.access_token_ttl,
        resources=resources,
        clients=clients,
        dpop=dpop_gate(ground),
        issuance=TokenIssuance(tokens.issue, tokens.opaque, tokens.id_tokens),
        form_tokens=FormTokens(ground.master),
        passwords=passwords,
        directory=Directory(stores.users, passwords, ground.audit, ground.bus, now),
        throttle=throttle,
        login=login,
        sessions=sessions,
        authorization_requests=authorization.requests,
        authorization_flow=authorization.flow,
        device_authorization=browserless.devices,
        authorization_challenge=browserless.challenge,
        userinfo=openid.userinfo,
        end_session=openid.end_session,
        logout_queue=openid.logout_queue,
        remembered_consents=authorization.consents,
        client_auth=client_authenticator(ground, client_keys, lookup),
        registrar=registration.registrar,
        initial_tokens=registration.initial_tokens,
        client_usage=registration.usage,
        client_documents=settings.client_documents == "on",
        client_directory=_client_directory(ground, clients, rulebook.readers),
        grants=grants,
        introspector=_introspector(ground, tokens),
        token_revocation=TokenRevocation(tokens.access, stores.families, tokens.refresh_handles, revoker),
        revoker=revoker,
        key_directory=KeyDirectory(stores.keys, tokens.rotation, revoker, announce),
        purge=PurgeJob(stores.maintenance, stores.log, housekeeping(settings), PurgeClock(now)),
        feed_access=settings.feed_access,
    )


def _revoker(ground: Ground, tokens: Tokens, announce: Callable[[], Awaitable[None]]) -> Revoker:
    return Revoker(
        ground.stores.revocations,
        ground.bus,
        ground.audit,
        ground.now,
        tokens.rotation.withdraw,
        ground.settings.issuer,
        announce,
    )


def _introspector(ground: Ground, tokens: Tokens) -> Introspector:
    families, issuer = ground.stores.families, ground.settings.issuer
    sign, subjects = Signer(tokens.keys), tokens.subjects
    return Introspector(tokens.access, families, tokens.refresh_handles, issuer, ground.now, sign, subjects)


def _sessions(ground: Ground, tokens: Tokens) -> Sessions:
    return Sessions(
        ground.stores.sessions,
        ground.stores.families,
        ground.client_cache,
        SessionHandles(ground.master),
        tokens.refresh_handles,
        tokens.access,
        ground.session_policy,
        ground.audit,
        ground.bus,
        ground.now,
    )


def _login(ground: Ground, tokens: Tokens, sessions: Sessions, passwords: Passwords, throttle: LoginThrottle) -> Login:
    return Login(
        users=ground.stores.users,
        passwords=passwords,
        throttle=throttle,
        sessions=sessions,
        devices=tokens.device_cookies,
        audit=ground.audit,
        audit_store=ground.stores.audit,
        now=ground.now,
    )


def _client_directory(ground: Ground, clients: ClientStore, readers: Mapping[str, Reader]) -> ClientDirectory:
    last_admin = LastAdmin(clients, ground.settings.issuer)
    return ClientDirectory(clients, last_admin, readers, ground.audit, ground.now, DerivedSecrets(ground.master).text)


def _grants(ground: Ground, tokens: Tokens) -> tuple[Grant, ...]:
    settings, stores = ground.settings, ground.stores
    return (
        ClientCredentialsGrant(ground.client_cache, settings.issuer),
        RefreshTokenGrant(
            stores.families,
            tokens.refresh_handles,
            stores.audit,
            ground.audit,
            settings.issuer,
            settings.refresh_idle_ttl,
            settings.refresh_grace,
            ground.bus,
            ground.now,
        ),
    )


class _Closing:
    """Threads are there from the start and are only to be ended."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def start(self) -> None:
        """Nothing: they started with the object."""

    async def close(self) -> None:
        self._passwords.close()
