"""Trade another issuer's assertion for an access token (RFC 7523 section 2.1).

The same grant carries the Identity Assertion JWT Authorization Grant, with which an enterprise's identity provider
lets its people's clients in. There is no refresh token: who wants another access token brings another assertion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from authserver.accounts.usernames import InvalidUsername, username_key
from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.account import User
from authserver.model.audit import AuditEvent, Caller
from authserver.model.client import Client
from authserver.model.grant import Authorization, Confirmation, Versions
from authserver.model.inputs import is_uuid
from authserver.model.time import HOUR, SECOND, Instant
from authserver.model.trusted_issuer import TrustedIssuer
from authserver.oauth.errors import InvalidGrant, UnauthorizedClient
from authserver.oauth.form import Form
from authserver.oauth.scopes import audience, narrow
from authserver.storage.interface import AuditStore, ClientLookup, OnceStore, UserStore
from authserver.tokens.client_jwt import LEEWAY, ClientJwtRefused, Expected, read_client_jwt, verify_signed
from authserver.tokens.client_keys import ClientKeys, KeySource

ID_JAG = "oauth-id-jag+jwt"
LONGEST = 1 * HOUR
"""How far ahead the `exp` of an assertion may be; platforms give workloads tokens for about that long."""


@dataclass(frozen=True, slots=True)
class JwtBearerGrant:
    trusted: Mapping[str, TrustedIssuer]
    """By `iss`."""
    keys: ClientKeys
    users: UserStore
    clients: ClientLookup
    once: OnceStore
    audit_store: AuditStore
    audit: AuditLog
    issuer: str
    now: Clock
    grant_type: str = "urn:ietf:params:oauth:grant-type:jwt-bearer"

    async def redeem(
        self, client: Client, form: Form, caller: Caller, confirmation: Confirmation | None = None
    ) -> Authorization:
        assertion = form.require("assertion")
        source = self._source(client, assertion)
        claims = await self._verified(assertion, source)
        _refuse_strangers(client, source, claims)
        authorization = await self._authorization(client, form, source, claims, confirmation)
        # Every refusal but one is above: from here the assertion is used up.
        if source.single_use:
            await self._use_once(source, claims)
        await self.audit_store.append(self._event(client, source, claims, authorization, caller))
        return authorization

    def _source(self, client: Client, assertion: str) -> TrustedIssuer:
        """Who says it, by its own account; raises InvalidGrant for somebody who is not trusted."""
        if client.is_public:
            raise UnauthorizedClient("this grant is for confidential clients")
        try:
            named = read_client_jwt(assertion).unverified_claims().get("iss")
        except ClientJwtRefused as refused:
            raise InvalidGrant(f"assertion: {refused.why}") from None
        source = self.trusted.get(named) if isinstance(named, str) else None
        if source is None:
            raise InvalidGrant("assertion: its iss is not trusted here")
        if client.id not in source.clients:
            raise UnauthorizedClient("this client may not bring assertions of that issuer")
        return source

    async def _verified(self, assertion: str, source: TrustedIssuer) -> dict[str, Any]:
        try:
            return await verify_signed(
                self.keys, assertion, KeySource(None, source.jwks_uri), self._expected(source), self.now()
            )
        except ClientJwtRefused as refused:
            raise InvalidGrant(f"assertion: {refused.why}", detail=refused.detail) from None

    def _expected(self, source: TrustedIssuer) -> Expected:
        """RFC 7523 section 3 allows the token endpoint as well; an ID-JAG is for this issuer alone."""
        if source.kind == "id-jag":
            return Expected(
                issuer=source.issuer, audience=(self.issuer,), sole_audience=True, typ=(ID_JAG,), max_lifetime=LONGEST
            )
        own = () if source.audience is None else (source.audience,)
        return Expected(
            issuer=source.issuer, audience=(self.issuer, f"{self.issuer}/token", *own), max_lifetime=LONGEST
        )

    async def _authorization(
        self,
        client: Client,
        form: Form,
        source: TrustedIssuer,
        claims: Mapping[str, Any],
        confirmation: Confirmation | None,
    ) -> Authorization:
        asked = form.get("scope")
        granted = _scope(client, source, claims)
        scope = granted if asked is None else narrow(granted, asked)
        target = audience(client, _resources(form.all("resource"), source, claims), self.issuer)
        subject, version = await self._subject(client, source, claims)
        return Authorization(
            client=client,
            subject=subject,
            scope=scope,
            audience=target,
            versions=Versions(version, client.version, await self.clients.issuer_version()),
            auth_time=_auth_time(claims) if source.subject == "user" else None,
            scope_asked=None if asked is None else tuple(asked.split()),
            confirmation=confirmation,
        )

    async def _subject(self, client: Client, source: TrustedIssuer, claims: Mapping[str, Any]) -> tuple[str, int]:
        """Whom the token is for, and the revocation version of that user."""
        if source.subject == "client":
            return client.id, 0
        named = claims.get(source.user_claim)
        user = await self._user(source, named) if isinstance(named, str) else None
        if user is None or not user.enabled:
            raise InvalidGrant("assertion: it names no user of this server", detail=f"claim {source.user_claim}")
        return user.id, user.version

    async def _user(self, source: TrustedIssuer, named: str) -> User | None:
        """A username is compared without regard to case, yet not as loosely as at a log-in: at the other issuer a
        full-width "admin" may be somebody else."""
        if source.user_field == "id":
            return await self.users.get(named) if is_uuid(named) else None
        try:
            user = await self.users.by_username(username_key(named))
        except InvalidUsername:
            return None
        return user if user is not None and user.username.casefold() == named.casefold() else None

    async def _use_once(self, source: TrustedIssuer, claims: Mapping[str, Any]) -> None:
        jti = claims.get("jti")
        if not isinstance(jti, str) or not jti:
            raise InvalidGrant("assertion: it has no jti")
        until = int(claims["exp"] * SECOND) + LEEWAY
        if not await self.once.use(f"grant {source.issuer}", jti, expires_at=until, now=self.now()):
            raise InvalidGrant("assertion: its jti was used before")

    def _event(
        self, client: Client, source: TrustedIssuer, claims: Mapping[str, Any], given: Authorization, caller: Caller
    ) -> AuditEvent:
        return self.audit.event(
            EventType.ASSERTION_ACCEPTED,
            caller.acting_as(f"client:{client.id}"),
            client_id=client.id,
            user_id=given.subject if source.subject == "user" else None,
            issuer=source.issuer,
            subject=str(claims["sub"])[:200],
            scope=" ".join(given.scope),
            audience=list(given.audience),
        )


def _refuse_strangers(client: Client, source: TrustedIssuer, claims: Mapping[str, Any]) -> None:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject.isprintable() or not subject:
        raise InvalidGrant("assertion: it has no sub")
    if source.subjects and subject not in source.subjects:
        raise InvalidGrant("assertion: its issuer may not speak of this sub here")
    if source.kind == "id-jag" and claims.get("client_id") != client.id:
        raise InvalidGrant("assertion: it was written for another client")


def _scope(client: Client, source: TrustedIssuer, claims: Mapping[str, Any]) -> tuple[str, ...]:
    """What the client may have, the issuer may give and, if it says so, the assertion is for."""
    said = claims.get("scope")
    if said is not None and not isinstance(said, str):
        raise InvalidGrant("assertion: its scope is no text")
    named = None if said is None else said.split()
    return tuple(
        scope
        for scope in client.scopes
        if (source.scopes is None or scope in source.scopes) and (named is None or scope in named)
    )


def _resources(asked: Sequence[str], source: TrustedIssuer, claims: Mapping[str, Any]) -> Sequence[str]:
    """An ID-JAG may be for certain resources; then the request can narrow them and not name others."""
    said = claims.get("resource") if source.kind == "id-jag" else None
    if said is None:
        return asked
    named = [said] if isinstance(said, str) else said
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise InvalidGrant("assertion: its resource is no URI")
    if not set(asked) <= set(named):
        raise InvalidGrant("assertion: it is for another resource")
    return asked or named


def _auth_time(claims: Mapping[str, Any]) -> Instant | None:
    at = claims.get("auth_time")
    return at * SECOND if type(at) is int and 0 <= at <= claims["exp"] else None
