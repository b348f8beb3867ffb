"""GET /forward-auth: a reverse proxy asks whether a request may pass, and as whom.

A cookie is turned into a short-lived access token, so that applications behind the proxy check one thing only.
The token is kept for half of its life, one signature for a page with fifty assets; whether session and
token are alive is asked of the database each time.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from authserver.clock import Clock
from authserver.model.client import Client
from authserver.model.errors import InsufficientScope, InvalidToken, NotAuthenticated
from authserver.model.grant import Authorization, Family
from authserver.model.session import Session
from authserver.model.time import Instant
from authserver.oauth.issuance import TokenIssuance
from authserver.oauth.scopes import resources_of
from authserver.sessions.lifecycle import Sessions
from authserver.storage.interface import ClientLookup
from authserver.telemetry import TOKENS_ISSUED
from authserver.tokens.claims import AccessTokenClaims
from authserver.tokens.validation import AccessTokens
from authserver.web import cookies
from authserver.web.answers import NO_STORE
from authserver.web.current import NOBODY
from authserver.web.possession import TokenReader

MAX_KEPT: Final = 10_000


class _Kept(NamedTuple):
    token: str
    until: Instant


class Passed(NamedTuple):
    """A living access token, and what it says."""

    token: str
    claims: AccessTokenClaims
    session_id: str | None


@dataclass(frozen=True, slots=True)
class ForwardAuthEndpoint:
    sessions: Sessions
    clients: ClientLookup
    access_tokens: AccessTokens
    tokens: TokenReader
    issuance: TokenIssuance
    now: Clock
    _kept: OrderedDict[tuple[str, str | None], _Kept] = field(default_factory=OrderedDict, repr=False)

    async def get(self, request: Request) -> Response:
        """`?resource=` says whose requests these are: only tokens meant for it pass, and the token handed on is
        for it alone. `?scope=` names scopes that are needed (403 without)."""
        resource = request.query_params.get("resource")
        token = await self.tokens.token_of(request)
        cookie = cookies.session_cookie(request)
        if token is not None:
            passed = await self._by_token(token, resource)
        elif cookie is not None:
            passed = await self._by_cookie(cookie, resource)
        else:
            raise NotAuthenticated(NOBODY)
        _require_scopes(passed.claims, request.query_params.get("scope", ""))
        return Response(headers=_headers(passed))

    async def _by_token(self, token: str, resource: str | None) -> Passed:
        claims, state = await self.access_tokens.authenticate(token)
        if resource is not None and resource not in claims.aud:
            raise InvalidToken("this token is not meant for this resource")
        client = await self.clients.get(claims.client_id)
        if client is not None and client.subject_type == "pairwise":
            # Anybody may ask here, the client too, and would be told who the user is elsewhere.
            raise InvalidToken("this client knows its users by other names: ask for introspection")
        return Passed(token, claims, state.session_id)

    async def _by_cookie(self, cookie: str, resource: str | None) -> Passed:
        session = (await self.sessions.by_cookie(cookie)).session
        kept = self._still_kept(session, resource)
        if kept is not None:
            with contextlib.suppress(InvalidToken):  # its key was withdrawn, say: the session may have another one
                claims, _ = await self.access_tokens.authenticate(kept)
                return Passed(kept, claims, session.id)
            self._kept.pop((session.id, resource), None)
        token = await self._mint(session, resource)
        try:
            claims, _ = await self.access_tokens.authenticate(token)
        except InvalidToken as refused:
            raise NotAuthenticated("the session has ended", detail=refused.detail) from None
        return Passed(token, claims, session.id)

    async def _mint(self, session: Session, resource: str | None) -> str:
        if session.client_id is None:
            raise NotAuthenticated("this session is for this server's own pages: log in through the application")
        family = await self.sessions.family_of(session)
        client = await self.clients.get(family.client_id) if family is not None else None
        if family is None or client is None or not client.enabled:
            raise NotAuthenticated("the client of this session is gone; log in again")
        if client.subject_type == "pairwise":
            raise NotAuthenticated("this application knows its users by other names than those that are told here")
        if client.dpop_bound_access_tokens or client.tls_client_certificate_bound_access_tokens:
            raise NotAuthenticated("the tokens of this application are bound to a key, and there is none here")
        authorization = _authorization(family, client, self.issuance.tokens.issuer, resource)
        # Nothing is waited for from here to the end: of many requests at once, one signs. (Of opaque tokens each may
        # store its own.)
        return self._still_kept(session, resource) or await self._write(authorization, session, resource)

    def _still_kept(self, session: Session, resource: str | None) -> str | None:
        kept = self._kept.get((session.id, resource))
        return kept.token if kept is not None and self.now() < kept.until else None

    async def _write(self, authorization: Authorization, session: Session, resource: str | None) -> str:
        minted = await self.issuance.access_token(authorization)
        TOKENS_ISSUED.inc("forward_auth")
        now = self.now()
        self._kept[session.id, resource] = _Kept(minted.token, now + (minted.expires_at - now) // 2)
        self._kept.move_to_end((session.id, resource))
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return minted.token


def _authorization(family: Family, client: Client, issuer: str, resource: str | None) -> Authorization:
    """What was granted at the log-in, as far as the client still has it; for one resource, or for all of them."""
    allowed = set(family.resources) & set(resources_of(client, issuer))
    audience = tuple(r for r in family.resources if r in allowed and resource in (None, r))
    if not audience:
        raise NotAuthenticated("this session was not begun for this resource")
    scope = tuple(scope for scope in family.scope if scope in client.scopes)
    return Authorization.of_family(family, client, scope=scope, audience=audience)


def _require_scopes(claims: AccessTokenClaims, needed: str) -> None:
    missing = set(needed.split()) - set(claims.scope)
    if missing:
        raise InsufficientScope(f"this needs the scope {' '.join(sorted(missing))}")


def _headers(passed: Passed) -> dict[str, str]:
    """What the proxy copies onto the request. All four are always there, so that a copy replaces what a caller sent."""
    return {
        **NO_STORE,
        "Authorization": f"Bearer {passed.token}",
        "X-Auth-Subject": passed.claims.sub,
        "X-Auth-Scope": " ".join(passed.claims.scope),
        "X-Auth-Session": passed.session_id or "",
    }
