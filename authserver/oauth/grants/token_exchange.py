"""A service that was called with a user's token gets one of its own to call the next service (RFC 8693).

Delegation is the rule: the new token says in `act` who acts for the user. It never says more than the token it was
traded for (scope), never lives longer, and ends with the same log-in: it bears the same `sid` and the user's versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.model.audit import AuditEvent, Caller
from authserver.model.client import Client
from authserver.model.errors import InvalidToken
from authserver.model.grant import Authorization, Confirmation, Terms, Versions
from authserver.oauth.errors import InvalidGrant, InvalidRequest, InvalidTarget, UnauthorizedClient
from authserver.oauth.form import Form
from authserver.oauth.scopes import audience, narrow, narrow_resources, resources_of
from authserver.storage.interface import AuditStore
from authserver.tokens.claims import AccessTokenClaims
from authserver.tokens.validation import AccessTokens

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 (a URN)
JWT = "urn:ietf:params:oauth:token-type:jwt"
ANY_CLIENT = "*"
DEEPEST_CHAIN = 5
"""Actors behind one another; longer chains are loops."""


@dataclass(frozen=True, slots=True)
class TokenExchangeGrant:
    tokens: AccessTokens
    issuer: str
    audit_store: AuditStore
    audit: AuditLog
    grant_type: str = "urn:ietf:params:oauth:grant-type:token-exchange"

    async def redeem(
        self, client: Client, form: Form, caller: Caller, confirmation: Confirmation | None = None
    ) -> Authorization:
        if client.is_public:
            raise UnauthorizedClient("token exchange is for confidential clients")
        _refuse_other_types(form)
        subject = await self._valid(form.require("subject_token"), "subject_token")
        _refuse_strangers(client, subject)
        actor = await self._actor(client, form)
        authorization = self._authorization(client, form, subject, actor, confirmation)
        # Every refusal is above; what is told to the audit log has happened.
        await self.audit_store.append(self._event(client, subject, authorization, caller))
        return authorization

    async def _valid(self, token: str, parameter: str) -> AccessTokenClaims:
        """A living access token of this issuer; section 2.2.2 wants invalid_request for any other."""
        try:
            claims, _ = await self.tokens.authenticate(token)
        except InvalidToken as refused:
            detail = refused.detail or refused.description
            raise InvalidRequest(f"{parameter} is not a valid access token of this server", detail=detail) from None
        return claims

    async def _actor(self, client: Client, form: Form) -> dict[str, object] | None:
        """Who acts: the subject of the actor token, else the client itself; None for a client that may impersonate."""
        token = form.get("actor_token")
        if token is None:
            return None if client.may_impersonate else {"sub": client.id}
        actor = await self._valid(token, "actor_token")
        if actor.client_id != client.id:
            raise InvalidRequest("actor_token was issued to another client")
        return {"sub": actor.sub}

    def _authorization(
        self,
        client: Client,
        form: Form,
        subject: AccessTokenClaims,
        actor: dict[str, object] | None,
        confirmation: Confirmation | None,
    ) -> Authorization:
        asked = form.get("scope")
        return Authorization(
            client=client,
            subject=subject.sub,
            scope=_scope(client, subject, asked),
            audience=self._audience(client, form, subject),
            # The user's and the issuer's of the token traded in, so that nothing revoked meanwhile comes back.
            versions=Versions(subject.rv.subject, client.version, subject.rv.issuer),
            family_id=subject.sid,
            auth_time=subject.auth_time,
            acr=subject.acr,
            amr=subject.amr,
            not_after=subject.exp,
            scope_asked=None if asked is None else tuple(asked.split()),
            confirmation=confirmation,
            terms=Terms(actor=_chain(actor, subject.act)),
            issued_token_type=ACCESS_TOKEN,
        )

    def _audience(self, client: Client, form: Form, subject: AccessTokenClaims) -> tuple[str, ...]:
        """`resource` and `audience` name the same thing here: where the token is to be used."""
        asked = [*form.all("resource"), *form.all("audience")]
        if subject.client_id == client.id and not client.first_party:
            # Whom the user let it call is in its token: a trade is no way around the question.
            granted = [name for name in subject.aud if name in resources_of(client, self.issuer)]
            return narrow_resources(granted, asked or granted)
        if not asked and not client.resources:
            raise InvalidTarget("name the resource that the new token is for")
        return audience(client, asked, self.issuer)

    def _event(self, client: Client, subject: AccessTokenClaims, given: Authorization, caller: Caller) -> AuditEvent:
        return self.audit.event(
            EventType.TOKEN_EXCHANGED,
            caller.acting_as(f"client:{client.id}"),
            user_id=subject.sub,
            client_id=client.id,
            family_id=subject.sid,
            from_client=subject.client_id,
            audience=list(given.audience),
            scope=" ".join(given.scope),
            impersonation=given.terms.actor is None,
        )


def _refuse_other_types(form: Form) -> None:
    """Section 2.1: types are required where there is a token, and forbidden where there is none."""
    if form.require("subject_token_type") not in (ACCESS_TOKEN, JWT):
        raise InvalidRequest(f"subject_token_type must be {ACCESS_TOKEN}")
    actor_type = form.get("actor_token_type")
    if (form.get("actor_token") is None) != (actor_type is None):
        raise InvalidRequest("actor_token and actor_token_type belong together")
    if actor_type not in (None, ACCESS_TOKEN, JWT):
        raise InvalidRequest(f"actor_token_type must be {ACCESS_TOKEN}")
    if form.get("requested_token_type") not in (None, ACCESS_TOKEN, JWT):
        raise InvalidRequest(f"requested_token_type must be {ACCESS_TOKEN}")


def _refuse_strangers(client: Client, subject: AccessTokenClaims) -> None:
    """The token must be the client's own, or have been sent to it by a client that it may act for."""
    if subject.sid is None:
        raise InvalidRequest("subject_token is not of a user")
    if subject.client_id == client.id:
        return
    if not set(subject.aud) & {client.id, *client.audiences}:
        raise InvalidGrant("subject_token was not meant for this client")
    if not {subject.client_id, ANY_CLIENT} & set(client.token_exchange_clients):
        raise InvalidGrant("this client may not act on tokens of the client that subject_token was issued to")


def _scope(client: Client, subject: AccessTokenClaims, asked: str | None) -> tuple[str, ...]:
    """Never more than the token traded in, nor than the client may have."""
    allowed = tuple(scope for scope in subject.scope if scope in client.scopes)
    return allowed if asked is None else narrow(allowed, asked)


def _chain(actor: dict[str, object] | None, before: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """The newest actor outermost (section 4.1). Impersonation adds nobody and forgets nobody."""
    if actor is None:
        return before
    chain = actor if before is None else {**actor, "act": dict(before)}
    if _depth(chain) > DEEPEST_CHAIN:
        raise InvalidRequest("too many actors behind one another")
    return chain


def _depth(actor: Mapping[str, object]) -> int:
    depth, inner = 1, actor.get("act")
    while isinstance(inner, Mapping):
        depth, inner = depth + 1, inner.get("act")
    return depth
