"""The OAuth endpoints on a real database and a clock of the test's own: the smallest server that refreshes.

`OAuthServer.restarted()` is another process on the same database and master key. The whole
application is tested through `tests.harness`.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.account import User
from authserver.model.audit import SYSTEM, AuditEvent
from authserver.model.client import Client, ClientSecret
from authserver.model.grant import Family, Versions
from authserver.model.key import SigningKey
from authserver.model.page import PageRequest
from authserver.model.revocation import RevocationTarget
from authserver.model.session import Session
from authserver.model.time import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from authserver.oauth.client_auth import ClientAuthenticator
from authserver.oauth.dpop import DpopGate
from authserver.oauth.grants import ClientCredentialsGrant, RefreshTokenGrant, grant_table
from authserver.oauth.introspection import Introspector
from authserver.oauth.issuance import TokenIssuance
from authserver.oauth.metadata import authorization_server_metadata
from authserver.oauth.revocation import TokenRevocation
from authserver.oauth.subjects import Subjects
from authserver.revocation.records import Composer
from authserver.revocation.revoker import Revoker
from authserver.storage.interface import AuditFilter
from authserver.storage.local import LocalBus
from authserver.storage.sql import SqlLog
from authserver.tokens.handles import RefreshHandles
from authserver.tokens.id_token import IdTokens
from authserver.tokens.issuer import TokenIssuer
from authserver.tokens.jwt import Signer
from authserver.tokens.keyring import KeyRing
from authserver.tokens.masterkey import MasterKey
from authserver.tokens.opaque import OpaqueTokens
from authserver.tokens.rotation import KeyRotation, RotationPolicy
from authserver.tokens.signingkey import make_signing_key
from authserver.tokens.validation import AccessTokens
from authserver.web.introspect import IntrospectEndpoint
from authserver.web.middleware import Edge
from authserver.web.proof import ProofOfPossession
from authserver.web.revoke import RevokeEndpoint
from authserver.web.routing import Router, rule
from authserver.web.token import TokenEndpoint
from authserver.web.wellknown import JwksEndpoint, MetadataEndpoint

ISSUER = "https://as.example"
API, FILES = "https://api.example", "https://files.example"
NOON: Instant = 1_800_000_000_000
IDLE, ABSOLUTE, GRACE, TOKEN_TTL = 14 * DAY, 30 * DAY, 10 * SECOND, 5 * MINUTE
MASTER = MasterKey(bytes(range(32)))

_numbers: Iterator[int] = iter(range(1_000_000))


@cache
def _one_key() -> SigningKey:
    """Made once: finding primes is slow, and no test here is about keys."""
    return make_signing_key(2048, MASTER, NOON - DAY)


class SettableClock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> Instant:
        return self.now

    def passes(self, duration: Duration) -> None:
        self.now += duration


@dataclass
class LogIn:
    """A user's first refresh token at a client, as POST /login gives it."""

    user: User
    client: App
    session_id: str
    family_id: str
    refresh_token: str


@dataclass
class App:
    """A registered client and the secret it was told."""

    record: Client
    secret: str = ""

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def headers(self) -> dict[str, str]:
        if self.record.auth_method != "client_secret_basic":
            return {}
        pair = f"{quote_plus(self.id)}:{quote_plus(self.secret)}"  # RFC 6749 section 2.3.1
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    @property
    def form(self) -> dict[str, str]:
        if self.record.auth_method == "client_secret_basic":
            return {}
        secret = {"client_secret": self.secret} if self.record.auth_method == "client_secret_post" else {}
        return {"client_id": self.id, **secret}


@dataclass
class Sequencer:
    """Publishes what it is asked about, as the follower of a whole server does by itself."""

    log: SqlLog
    clock: Clock

    async def sequence_of(self, outbox_id: int, *, wait: float) -> int | None:
        await self.log.extend(Composer(ISSUER), now=self.clock, limit=1000)
        return await self.log.sequence_of(outbox_id)


@dataclass
class OAuthServer:
    stores: Any
    clock: SettableClock = field(default_factory=SettableClock)
    handles: RefreshHandles = field(default_factory=lambda: RefreshHandles(MASTER))

    def __post_init__(self) -> None:
        self.audit = AuditLog(self.clock)
        self.ring = KeyRing(self.stores.keys, MASTER, self.clock)
        self.opaque = OpaqueTokens(MASTER, self.stores.references)
        self.tokens = AccessTokens(self.ring, self.stores.revocations, ISSUER, self.clock, self.opaque)
        self.rotation = KeyRotation(self.stores.keys, MASTER, self.ring, RotationPolicy(), self.clock)
        self.revoker = Revoker(
            self.stores.revocations, LocalBus(), self.audit, self.clock, self.rotation.withdraw, ISSUER
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app()), base_url=ISSUER)

    def app(self) -> Edge:
        clients, families, handles = self.stores.clients, self.stores.families, self.handles
        authenticator = ClientAuthenticator(clients, self.clock, clients)
        grants = grant_table(
            ClientCredentialsGrant(clients, ISSUER),
            RefreshTokenGrant(
                families, handles, self.stores.audit, self.audit, ISSUER, IDLE, GRACE, LocalBus(), self.clock
            ),
        )
        issuer = TokenIssuer(ISSUER, self.ring, TOKEN_TTL, self.clock)
        id_tokens = IdTokens(ISSUER, self.ring, TOKEN_TTL, self.clock)
        introspector = Introspector(
            self.tokens, families, handles, ISSUER, self.clock, Signer(self.ring), Subjects(bytes(32))
        )
        revocation = TokenRevocation(self.tokens, families, handles, self.revoker)
        sequencer = Sequencer(self.stores.log, self.clock)
        proof = ProofOfPossession(DpopGate(self.stores.once, None, self.clock), ISSUER)
        rules = [
            rule(
                "/token",
                cors=True,
                post=TokenEndpoint(authenticator, grants, TokenIssuance(issuer, self.opaque, id_tokens), proof).post,
            ),
            rule("/introspect", post=IntrospectEndpoint(authenticator, introspector).post),
            rule(
                "/revoke",
                cors=True,
                post=RevokeEndpoint(authenticator, revocation, sequencer).post,
            ),
            rule("/.well-known/jwks.json", cors=True, get=JwksEndpoint(self.ring).get),
        ]
        metadata = authorization_server_metadata(ISSUER, paths=[r.path for r in rules], grant_types=list(grants))
        rules.append(rule("/.well-known/oauth-authorization-server", cors=True, get=MetadataEndpoint(metadata).get))
        return Edge(Router(rules), max_body=65_536)

    async def start(self) -> OAuthServer:
        await self.ring.load()
        if self.ring.snapshot.signing is None:
            event = self.event(EventType.KEY_ACTIVATED)
            await self.stores.keys.replace_now(_one_key(), instead_of=None, at=NOON, reason="first key", event=event)
            await self.ring.load()
        return self

    async def restarted(self, **stores: Any) -> OAuthServer:
        """A new process: nothing is shared but the database, the master key and the time. `stores` replaces some."""
        return await OAuthServer(replace(self.stores, **stores), self.clock, RefreshHandles(MASTER)).start()

    # -- who there is ---------------------------------------------------------------------------

    def event(self, kind: EventType = EventType.CLIENT_CREATED) -> AuditEvent:
        return self.audit.event(kind, SYSTEM)

    async def a_public_client(self, **different: Any) -> App:
        """A first-party app whose log-ins last."""
        different = {"auth_method": "none", "grant_types": ("refresh_token",), "first_party": True, **different}
        return await self._a_client(**different)

    async def a_confidential_client(self, **different: Any) -> App:
        return await self._a_client(**{"auth_method": "client_secret_basic", **different})

    async def a_resource_server(self, *audiences: str) -> App:
        return await self.a_confidential_client(grant_types=(), audiences=audiences or (API,))

    async def _a_client(self, **different: Any) -> App:
        defaults: dict[str, Any] = {
            "id": f"client-{next(_numbers)}",
            "name": "A client",
            "scopes": ("read", "write"),
            "resources": (API, FILES),
            "grant_types": ("client_credentials", "refresh_token"),
        }
        secret = secrets.token_urlsafe() if different["auth_method"] != "none" else ""
        kept = ClientSecret(
            id=uuid7(self.clock()), sha256=hashlib.sha256(secret.encode()).digest(), created_at=self.clock()
        )
        client = Client(**{"secrets": (kept,) if secret else (), **defaults, **different})
        await self.stores.clients.add(client, event=self.event())
        return App(client, secret)

    async def a_user(self) -> User:
        name = f"user{next(_numbers)}"
        user = User(
            id=uuid7(self.clock()), username=name, username_key=name, created_at=self.clock(), updated_at=self.clock()
        )
        await self.stores.users.add(user, event=self.event(EventType.USER_CREATED))
        return user

    async def a_log_in(
        self,
        client: App | None = None,
        user: User | None = None,
        *,
        scope: Sequence[str] = ("read", "write"),
        resources: Sequence[str] = (API, FILES),
        absolute: Duration = ABSOLUTE,
    ) -> LogIn:
        """Opened in the stores as POST /login in token mode opens it."""
        client, user, now = client or await self.a_public_client(), user or await self.a_user(), self.clock()
        session = Session(
            id=uuid7(now),
            user_id=user.id,
            kind="token",
            auth_time=now,
            client_id=client.id,
            amr=("pwd",),
            created_at=now,
            last_seen_at=now,
            idle_until=now + absolute,
            abs_until=now + absolute,
        )
        family_id = uuid7(now)
        first = self.handles.first(family_id)
        family = Family(
            id=family_id,
            session_id=session.id,
            user_id=user.id,
            client_id=client.id,
            scope=tuple(scope),
            resources=tuple(resources),
            generation=0,
            cur_hash=first.secret_hash,
            salt=first.salt,
            rotated_at=now,
            auth_time=now,
            amr=("pwd",),
            created_at=now,
            idle_until=now + min(IDLE, absolute),
            abs_until=now + absolute,
        )
        begun = await self.stores.sessions.begin(
            session, family, password_hash=None, event=self.event(EventType.LOGIN_SUCCEEDED)
        )
        assert begun is not None
        return LogIn(user, client, session.id, family_id, first.token)

    # -- what they do ---------------------------------------------------------------------------

    async def post(
        self, path: str, client: App | None = None, headers: dict[str, str] | None = None, **form: str | Sequence[str]
    ) -> httpx.Response:
        own, sent = (client.form, client.headers) if client else ({}, {})
        body = urlencode({**own, **form}, doseq=True)
        content_type = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.http.post(path, content=body, headers={**content_type, **sent, **(headers or {})})

    async def token(
        self, client: App | None, grant_type: str = "client_credentials", **form: str | Sequence[str]
    ) -> httpx.Response:
        return await self.post("/token", client, grant_type=grant_type, **form)

    async def refresh(
        self, log_in: LogIn, refresh_token: str | None = None, client: App | None = None, **form: str | Sequence[str]
    ) -> httpx.Response:
        presented = refresh_token or log_in.refresh_token
        return await self.token(client or log_in.client, "refresh_token", refresh_token=presented, **form)

    async def introspect(self, caller: App, token: str, **form: str) -> dict[str, Any]:
        answer = await self.post("/introspect", caller, token=token, **form)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def revoke(self, kind: Any, value: str = "", expires_at: Instant | None = None) -> None:
        """As an administrator."""
        target = RevocationTarget(kind=kind, value=value, expires_at=expires_at)
        await self.stores.revocations.revoke(
            target, at=self.clock(), reason="test", event=self.event(EventType.TOKEN_REVOKED)
        )

    async def events(self, kind: EventType) -> list[AuditEvent]:
        page = await self.stores.audit.list(PageRequest(limit=200), AuditFilter())
        return [event for event in page.items if event.type == kind.value]

    async def family(self, log_in: LogIn) -> Family:
        family: Family = await self.stores.families.get(log_in.family_id)
        return family


def claims_of(answer: httpx.Response) -> dict[str, Any]:
    """What the access token in a token response says, its signature unchecked."""
    import jwt

    assert answer.status_code == 200, answer.text
    unverified: dict[str, Any] = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    return unverified


def versions_of(claims: dict[str, Any]) -> Versions:
    return Versions.parse(claims["rv"])


__all__ = [
    "ABSOLUTE",
    "API",
    "DAY",
    "FILES",
    "GRACE",
    "HOUR",
    "IDLE",
    "ISSUER",
    "MINUTE",
    "NOON",
    "SECOND",
    "TOKEN_TTL",
    "App",
    "LogIn",
    "OAuthServer",
    "SettableClock",
    "claims_of",
    "versions_of",
]
