"""From settings to services: the only place that chooses implementations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic_ns

from authserver.accounts.directory import Directory
from authserver.accounts.login import Login
from authserver.accounts.passwords import Passwords
from authserver.accounts.throttle import LoginThrottle, ThrottlePolicy
from authserver.audit.log import AuditLog
from authserver.clock import SteadyClock
from authserver.oauth.client_auth import ClientAuthenticator
from authserver.oauth.grants import ClientCredentialsGrant, RefreshTokenGrant, grant_table
from authserver.oauth.introspection import Introspector
from authserver.oauth.revocation import TokenRevocation
from authserver.revocation.revoker import Revoker
from authserver.services import Resource, Services
from authserver.sessions.lifecycle import Sessions
from authserver.sessions.policy import SessionPolicy
from authserver.settings import Settings, SettingsError
from authserver.storage.cached import AnnouncedClients, CachedClients
from authserver.storage.interface import Bus, Cache, Housekeeping, MaintenanceStore
from authserver.storage.local import LocalBus, LocalCache
from authserver.storage.purge import PurgeJob
from authserver.storage.sql import (
    Database,
    SqlAudit,
    SqlClients,
    SqlFamilies,
    SqlKeys,
    SqlMaintenance,
    SqlRevocations,
    SqlSessions,
    SqlThrottle,
    SqlUsers,
    open_database,
)
from authserver.storage.sql import migrate as migrate_database
from authserver.tokens.handles import DeviceCookies, RefreshHandles, SessionHandles
from authserver.tokens.issuer import TokenIssuer
from authserver.tokens.keyring import KeyRing
from authserver.tokens.masterkey import MasterKey, load_master_key
from authserver.tokens.rotation import KeyRotation, RotationPolicy
from authserver.tokens.validation import AccessTokens

CONFIG_CHANNEL = "config"


class MigrationDue(SettingsError):
    """The database's schema is not the one this code works on; the text names the command."""


async def build(settings: Settings) -> Services:
    """Open everything and return the services; close them with `await services.close()`.

    Raises SettingsError (also MigrationDue), MasterKeyError, StorageUnavailable; nothing stays open then.
    """
    session_policy, rotation_policy = policies(settings)
    master = load_master_key(settings.master_key_path)
    database = open_database(settings.database_url, pool_size=settings.database_pool_size)
    cache, bus, resources = _cache_and_bus(settings)
    resources = (database, *resources)
    try:
        for resource in resources:
            await resource.start()
        return await _assemble(settings, session_policy, rotation_policy, master, database, cache, bus, resources)
    except BaseException:
        for resource in reversed(resources):
            await resource.close()
        raise


async def migrate(settings: Settings) -> list[str]:
    """Bring the schema up to date; the revisions that ran. Raises StorageUnavailable."""
    return await migrate_database(settings.database_url)


async def redis_answers(url: str) -> bool:
    """Whether Redis is there now."""
    from authserver.storage.redis import Link

    link = Link(url)
    try:
        return await link.ask(lambda redis: redis.ping()) is not None
    finally:
        await link.close()


def policies(settings: Settings) -> tuple[SessionPolicy, RotationPolicy]:
    """The settings as the rules of sessions and keys; raises SettingsError where they contradict each other."""
    try:
        sessions = SessionPolicy(
            idle=settings.session_idle_ttl,
            absolute=settings.session_absolute_ttl,
            touch_interval=min(60_000, settings.session_idle_ttl // 2),
            refresh_idle=settings.refresh_idle_ttl,
            refresh_absolute=settings.refresh_absolute_ttl,
            refresh_grace=settings.refresh_grace,
            unrefreshable=settings.access_token_ttl,
        )
        keys = RotationPolicy(
            bits=settings.signing_key_bits,
            interval=settings.key_rotation_interval,
            announce_before=settings.key_announce_before,
            access_token_ttl=settings.access_token_ttl,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return sessions, keys


def _cache_and_bus(settings: Settings) -> tuple[Cache, Bus, tuple[Resource, ...]]:
    if settings.redis_url is None:
        return LocalCache(), LocalBus(), ()
    from authserver.storage.redis import Link, RedisBus, RedisCache  # imported by those who use it: it is large

    link = Link(settings.redis_url)
    return RedisCache(link), RedisBus(link), (link,)


async def _require_schema(maintenance: MaintenanceStore) -> None:
    state = await maintenance.schema_state()
    if state in ("missing", "behind"):
        what = "has no tables yet" if state == "missing" else "has an older schema than this version needs"
        raise MigrationDue(f"the database {what}: run `authserver migrate`, then start again")


def _announcer(client_cache: CachedClients, bus: Bus) -> Callable[[], Awaitable[None]]:
    """What follows a committed change of clients, keys or versions: this process and the others look again at once."""

    async def announce() -> None:
        client_cache.invalidate()
        await bus.publish(CONFIG_CHANNEL)

    return announce


async def _assemble(
    settings: Settings,
    session_policy: SessionPolicy,
    rotation_policy: RotationPolicy,
    master: MasterKey,
    database: Database,
    cache: Cache,
    bus: Bus,
    resources: tuple[Resource, ...],
) -> Services:
    maintenance = SqlMaintenance(database)
    await _require_schema(maintenance)
    now = SteadyClock()
    started = monotonic_ns()
    now.anchor(await maintenance.now(), monotonic_ns() - started)

    clients, users, sessions, families = (
        SqlClients(database),
        SqlUsers(database),
        SqlSessions(database),
        SqlFamilies(database),
    )
    revocations, key_store, audit_store = SqlRevocations(database), SqlKeys(database), SqlAudit(database)
    client_cache = CachedClients(clients)
    audit = AuditLog(now)

    keys = KeyRing(key_store, master, now)
    await keys.load()
    rotation = KeyRotation(key_store, master, keys, rotation_policy, now)
    issue = TokenIssuer(settings.issuer, keys, settings.access_token_ttl, now)
    access_tokens = AccessTokens(keys, revocations, settings.issuer, now)
    refresh_handles, device_cookies = RefreshHandles(master), DeviceCookies(master)
    announce = _announcer(client_cache, bus)
    revoker = Revoker(revocations, bus, audit, now, rotation.withdraw, announce)

    passwords = Passwords(settings.password_threads, settings.password_queue)
    throttle = LoginThrottle(SqlThrottle(database), cache, throttle_policy(settings), now)
    session_service = Sessions(
        sessions,
        families,
        client_cache,
        SessionHandles(master),
        refresh_handles,
        access_tokens,
        session_policy,
        audit,
        bus,
        now,
    )
    login = Login(
        users=users,
        passwords=passwords,
        throttle=throttle,
        sessions=session_service,
        devices=device_cookies,
        audit=audit,
        audit_store=audit_store,
        now=now,
    )
    housekeeping = Housekeeping(
        token_ttl=settings.access_token_ttl, keep_dead=settings.keep_dead, keep_audit=settings.keep_audit
    )
    return Services(
        issuer=settings.issuer,
        access_token_ttl=settings.access_token_ttl,
        now=now,
        resources=(*resources, _Closing(passwords)),
        clients=AnnouncedClients(clients, announce),
        users=users,
        session_store=sessions,
        families=families,
        revocations=revocations,
        key_store=key_store,
        audit_store=audit_store,
        maintenance=maintenance,
        client_cache=client_cache,
        cache=cache,
        bus=bus,
        audit=audit,
        keys=keys,
        rotation=rotation,
        issue=issue,
        access_tokens=access_tokens,
        refresh_handles=refresh_handles,
        device_cookies=device_cookies,
        passwords=passwords,
        directory=Directory(users, passwords, audit, now),
        throttle=throttle,
        login=login,
        sessions=session_service,
        client_auth=ClientAuthenticator(client_cache, now, clients),
        grants=grant_table(
            ClientCredentialsGrant(client_cache, settings.issuer),
            RefreshTokenGrant(
                families,
                refresh_handles,
                audit_store,
                audit,
                settings.issuer,
                settings.refresh_idle_ttl,
                settings.refresh_grace,
                now,
            ),
        ),
        introspector=Introspector(access_tokens, families, refresh_handles, settings.issuer, now),
        token_revocation=TokenRevocation(access_tokens, families, refresh_handles, revoker),
        revoker=revoker,
        purge=PurgeJob(maintenance, housekeeping, now),
    )


def throttle_policy(settings: Settings) -> ThrottlePolicy:
    return ThrottlePolicy(
        account_burst=settings.login_account_burst,
        account_interval=settings.login_account_interval,
        known_burst=settings.login_known_burst,
        known_interval=settings.login_known_interval,
        address_limit=settings.login_address_limit,
        address_window=settings.login_address_window,
    )


class _Closing:
    """Threads are there from the start and are only to be ended."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def start(self) -> None:
        """Nothing: they started with the object."""

    async def close(self) -> None:
        self._passwords.close()
