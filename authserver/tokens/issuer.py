"""Minting access tokens: the hot path, whose cost is one signature and little else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.client import Client
from authserver.model.errors import Refused
from authserver.model.grant import Authorization
from authserver.model.time import SECOND, Duration, Instant
from authserver.tokens import jwt
from authserver.tokens.claims import MAX_AUDIENCES
from authserver.tokens.forms import TokenForm, TokenForms
from authserver.tokens.keyring import KeyRing


class SessionOver(Refused):
    """The grant has reached its absolute end: no second of life is left to give (RFC 6749 section 5.2)."""

    code = "invalid_grant"

    def __init__(self) -> None:
        super().__init__("The session has reached its end.", extra={"error_reason": "expired"})


class TokenTooLarge(Refused):
    """So many scopes or audiences that the token would be refused wherever it is shown."""


@dataclass(frozen=True, slots=True)
class MintedToken:
    token: str = field(repr=False)
    expires_in: int
    """Seconds."""
    expires_at: Instant
    jti: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What an access token is to say, before it has a form."""

    claims: dict[str, Any] = field(repr=False)
    expires_in: int
    """Seconds."""
    expires_at: Instant
    jti: str

    def minted(self, token: str) -> MintedToken:
        return MintedToken(token, self.expires_in, self.expires_at, self.jti)


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Mints RFC 9068 access tokens for whatever a grant has proved."""

    issuer: str
    ring: KeyRing
    ttl: Duration
    now: Clock
    forms: TokenForms = field(default_factory=TokenForms)

    def require_signing_key(self, client: Client, resources: Iterable[str]) -> None:
        """Raises NoSigningKey if a JWT for one of these resources could not be signed for the client now: to be asked
        before a refresh token is spent on it.

        The other refusals of `access_token` cannot be new at a refresh: the log-in was given a token with at least
        these scopes and audiences, and a session at its end has no use for the refresh token.
        """
        for algorithm in self.forms.algorithms(client, resources):
            _ = self.ring.signing_for(algorithm)

    def access_token(self, authorization: Authorization) -> MintedToken:
        """A JWT. Raises SessionOver when the authorization ends within this second, TokenTooLarge, NoSigningKey; and
        ValueError where the token is to be opaque: that is `OpaqueTokens`' to give."""
        form = self.form(authorization)
        if form.format == "opaque":
            raise ValueError("this token is to be opaque")
        draft = self.draft(authorization)
        token = jwt.sign(draft.claims, self.ring.signing_for(form.algorithm), form.typ)
        if len(token) > jwt.MAX_TOKEN_CHARS:
            raise _too_large()
        return draft.minted(token)

    def form(self, authorization: Authorization) -> TokenForm:
        return self.forms.of(authorization.client, authorization.audience)

    def draft(self, authorization: Authorization) -> Draft:
        """What the token says, in whatever form; raises SessionOver, TokenTooLarge."""
        if len(authorization.audience) > MAX_AUDIENCES:
            raise _too_large()
        now = self.now()
        issued = now // SECOND
        expires = self._expiry(authorization, now, issued)
        jti = uuid7(now)
        claims = self._claims(authorization, issued, expires, jti)
        return Draft(claims, expires - issued, expires * SECOND, jti)

    def _expiry(self, authorization: Authorization, now: Instant, issued: int) -> int:
        """In seconds, rounded down: no access token outlives its session, not even by a part of a second."""
        ttl = authorization.client.access_token_ttl
        expires = issued + min(self.ttl, self.ttl if ttl is None else ttl) // SECOND
        if authorization.not_after is not None:
            expires = min(expires, authorization.not_after // SECOND)
        if expires * SECOND <= now:
            raise SessionOver
        return expires

    def _claims(self, authorization: Authorization, issued: int, expires: int, jti: str) -> dict[str, Any]:
        audience = authorization.audience
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": authorization.subject,
            # One audience as a plain text: some resource servers know no list.
            "aud": audience[0] if len(audience) == 1 else list(audience),
            "client_id": authorization.client.id,
            "iat": issued,
            "exp": expires,
            "jti": jti,
            "rv": str(authorization.versions),
        }
        if authorization.scope:
            claims["scope"] = " ".join(authorization.scope)
        if authorization.family_id is not None:
            claims["sid"] = authorization.family_id
        if authorization.auth_time is not None:
            claims["auth_time"] = authorization.auth_time // SECOND
        if authorization.acr is not None:
            claims["acr"] = authorization.acr
        if authorization.amr:
            claims["amr"] = list(authorization.amr)
        if authorization.confirmation is not None:
            claims["cnf"] = authorization.confirmation.claim
        terms = authorization.terms
        if terms.actor is not None:
            claims["act"] = terms.actor
        if terms.authorization_details:
            claims["authorization_details"] = list(terms.authorization_details)
        return claims


def _too_large() -> TokenTooLarge:
    return TokenTooLarge("The token would be too large: ask for fewer scopes or resources.")
