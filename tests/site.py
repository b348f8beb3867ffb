"""Whole app instances over one database, called through HTTP, for tests of administration and revocation.

`Site.start` makes what a test needs and nothing is mocked: the services of `wiring`, the URL table, the edge. Two
instances share the database alone; they do not hear of each other, as after a lost bus.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx

from authserver.app import edge, running
from authserver.ids import uuid7
from authserver.model.account import User
from authserver.model.audit import SYSTEM, Caller
from authserver.model.client import Client, ClientSecret
from authserver.model.key import SigningKey
from authserver.services import Services
from authserver.settings import Settings
from authserver.storage.sql import SqlKeys, open_database
from authserver.tokens.handles import new_client_secret
from authserver.tokens.masterkey import MasterKey
from authserver.tokens.signingkey import make_signing_key

ISSUER = "http://127.0.0.1:8000"
API = "https://api.example"
PASSWORD = "correct horse battery staple"
TEST = Caller(actor="system")


MASTER_KEY = base64.urlsafe_b64encode(bytes(range(32))) + b"\n"
"""The same for every site, so that they can share a signing key."""


@cache
def _signing_key() -> SigningKey:
    """Made once: finding primes is slow, and few of these tests are about keys."""
    key = make_signing_key(2048, MasterKey(base64.urlsafe_b64decode(MASTER_KEY)), 1_700_000_000_000)
    return replace(key, state="active", active_at=key.created_at)


def make_keys_dir(directory: Path) -> Path:
    """`directory` with a master key in it."""
    directory.mkdir(exist_ok=True)
    path = directory / "master.key"
    path.touch(mode=0o600)
    path.write_bytes(MASTER_KEY)
    return directory


@dataclass
class Instance:
    """One process of the server, as far as one test process can have several."""

    services: Services
    http: httpx.AsyncClient


@dataclass
class Party:
    """A registered client and its secret."""

    record: Client
    secret: str | None

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def auth(self) -> tuple[str, str] | None:
        return None if self.secret is None else (self.id, self.secret)


@dataclass
class LogIn:
    """What a log-in gave: tokens, or a cookie with its CSRF token."""

    user: User
    client: Party
    tokens: dict[str, Any] = field(default_factory=dict)
    cookie: str = ""
    csrf_token: str = ""

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    @property
    def cookie_header(self) -> dict[str, str]:
        return {"Cookie": self.cookie}

    @property
    def claims(self) -> dict[str, Any]:
        return claims_of(self.tokens["access_token"])


@dataclass
class Site:
    instances: list[Instance]
    api: Party | None = None
    """The resource server that the tokens of users are meant for."""
    _made: int = 0

    @property
    def services(self) -> Services:
        return self.instances[0].services

    @property
    def http(self) -> httpx.AsyncClient:
        return self.instances[0].http

    def _number(self) -> int:
        self._made += 1
        return self._made

    # -- who there is ---------------------------------------------------------------------------

    async def client(self, *, secret: bool = True, **fields: Any) -> Party:
        """A registered client; confidential with `client_credentials` unless `fields` say otherwise."""
        number = self._number()
        text, digest = new_client_secret()
        now = self.services.now()
        kept = (ClientSecret(id=uuid7(now), sha256=digest, created_at=now),) if secret else ()
        settled: dict[str, Any] = {
            "id": f"client-{number}",
            "name": f"Client {number}",
            "secrets": kept,
            "created_at": now,
            "updated_at": now,
            "auth_method": "client_secret_basic" if secret else "none",
            "grant_types": ("client_credentials",) if secret else ("refresh_token",),
            **fields,
        }
        record = Client(**settled)
        await self.services.clients.add(record, event=_event(self.services, "client.created"))
        return Party(record, text if secret else None)

    async def app(self, **fields: Any) -> Party:
        """A public first-party client whose users' tokens are meant for `api`."""
        settled = {"scopes": ("read", "write"), "resources": (API,), **fields}
        return await self.client(secret=False, first_party=True, **settled)

    async def user(self, username: str | None = None) -> User:
        directory = self.services.directory
        return await directory.create(username or f"user-{self._number()}", PASSWORD, caller=TEST)

    async def resource_server(self) -> Party:
        if self.api is None:
            self.api = await self.client(audiences=(API,))
        return self.api

    # -- tokens -----------------------------------------------------------------------------------

    async def own_token(self, client: Party, on: int = 0, **form: str) -> dict[str, Any]:
        response = await self.instances[on].http.post(
            "/token", data={"grant_type": "client_credentials", **form}, auth=client.auth
        )
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def admin(self, *scopes: str) -> dict[str, str]:
        """Headers of an administrator with these scopes (none: `admin`)."""
        party = await self.client(scopes=scopes or ("admin",))
        return {"Authorization": f"Bearer {(await self.own_token(party))['access_token']}"}

    async def log_in(self, user: User, client: Party, *, mode: str = "token", on: int = 0, **more: str) -> LogIn:
        body = {"username": user.username, "password": PASSWORD, "client_id": client.id, "mode": mode, **more}
        response = await self.instances[on].http.post("/login", json=body)
        assert response.status_code == 200, response.text
        body = response.json()
        if mode == "token":
            return LogIn(user, client, tokens=body)
        return LogIn(user, client, cookie=session_cookie(response), csrf_token=body["csrf_token"])

    async def refresh(self, login: LogIn, on: int = 0) -> httpx.Response:
        """Trades the refresh token; a success replaces the tokens of `login`."""
        response = await self.instances[on].http.post(
            "/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": login.tokens["refresh_token"],
                "client_id": login.client.id,
            },
        )
        if response.status_code == 200:
            login.tokens = response.json()
        return response

    async def active(self, token: str, on: int = 0) -> bool:
        """What introspection says."""
        api = await self.resource_server()
        response = await self.instances[on].http.post("/introspect", data={"token": token}, auth=api.auth)
        assert response.status_code == 200, response.text
        return bool(response.json()["active"])

    # -- what was written -------------------------------------------------------------------------

    async def audit_types(self, headers: Mapping[str, str]) -> list[str]:
        response = await self.http.get("/admin/audit?limit=200", headers=headers)
        return [event["type"] for event in response.json()["items"]]


def session_cookie(response: httpx.Response) -> str:
    """The session cookie as a browser would send it back."""
    for line in response.headers.get_list("set-cookie"):
        for name, morsel in SimpleCookie(line).items():
            if name == "__Host-authserver":
                return f"{name}={morsel.value}"
    raise AssertionError("no session cookie was set")


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified."""
    import json

    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def _event(services: Services, type: str) -> Any:
    from authserver.audit.events import EventType

    return services.audit.event(EventType(type), SYSTEM)


async def seed_key(database_url: str) -> None:
    """An active key, unless there is one."""
    database = open_database(database_url)
    await database.start()
    try:
        store = SqlKeys(database)
        if not await store.all():
            from authserver.audit.events import EventType
            from authserver.audit.log import AuditLog
            from authserver.clock import system_clock

            key = _signing_key()
            event = AuditLog(system_clock).event(EventType.KEY_ACTIVATED, SYSTEM)
            await store.replace_now(key, instead_of=None, at=key.created_at, reason="first key", event=event)
    finally:
        await database.close()


@asynccontextmanager
async def open_site(database_url: str, keys_dir: Path, *, instances: int = 1, **options: Any) -> AsyncIterator[Site]:
    """Running instances over one migrated database; `options` are settings."""
    await seed_key(database_url)
    # Never a rotation by schedule: the seeded key is old.
    chosen = {"issuer": ISSUER, "key_rotation_interval": "36500d", "password_threads": 1, **options}
    settings = Settings(database_url=database_url, keys_dir=keys_dir, **chosen)
    async with AsyncExitStack() as stack:
        site = Site([])
        for _ in range(instances):
            services = await stack.enter_async_context(running(settings))
            http = await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(edge(settings, services), client=("192.0.2.7", 40000)),
                    base_url=settings.issuer,
                )
            )
            site.instances.append(Instance(services, http))
        yield site
        await asyncio.sleep(0)


__all__ = [
    "API",
    "ISSUER",
    "PASSWORD",
    "Instance",
    "LogIn",
    "MasterKey",
    "Party",
    "Site",
    "claims_of",
    "make_keys_dir",
    "open_site",
    "session_cookie",
]
