"""What a token means, said to the resource server it is meant for (RFC 7662, signed: RFC 9701)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from authserver.clock import Clock
from authserver.model.client import Client
from authserver.model.errors import InvalidToken
from authserver.model.grant import Family
from authserver.model.revocation import TokenState
from authserver.model.time import SECOND
from authserver.oauth.errors import InvalidClient
from authserver.oauth.response import token_type
from authserver.oauth.subjects import Subjects
from authserver.storage.interface import FamilyStore
from authserver.telemetry import INTROSPECTIONS
from authserver.tokens.algorithms import RS256
from authserver.tokens.claims import AccessTokenClaims
from authserver.tokens.handles import MalformedHandle, RefreshHandles
from authserver.tokens.jwt import Signer
from authserver.tokens.validation import AccessTokens

INTROSPECTION_TYP = "token-introspection+jwt"


@dataclass(frozen=True, slots=True)
class Introspector:
    """Asks the database each time: the answer is about now."""

    tokens: AccessTokens
    families: FamilyStore
    handles: RefreshHandles
    issuer: str
    now: Clock
    sign: Signer
    subjects: Subjects

    async def introspect(self, caller: Client, token: str, hint: str | None = None) -> dict[str, object]:
        """The token's claims, or exactly {"active": False} for whatever is not alive or not for `caller`.

        The hint is not needed: the two kinds of token cannot be mistaken for each other.
        Raises InvalidClient for a public client, which has proven nothing.
        """
        if caller.is_public:
            raise InvalidClient("introspection is for clients that authenticate")
        describe = self._access_token if self.tokens.knows(token) else self._refresh_token
        answer = await describe(caller, token)
        INTROSPECTIONS.inc("false" if answer is None else "true")
        return {"active": False} if answer is None else answer

    def signed(self, caller: Client, answer: Mapping[str, object]) -> str:
        """The answer as a JWT for `caller` alone (RFC 9701 section 5); raises NoSigningKey.

        Neither `sub` nor `exp` beside it: it can pass for no other JWT of ours (section 8.1).
        """
        claims = {"iss": self.issuer, "aud": caller.id, "iat": self.now() // SECOND, "token_introspection": answer}
        return self.sign(claims, caller.introspection_signed_response_alg or RS256, INTROSPECTION_TYP)

    async def _access_token(self, caller: Client, token: str) -> dict[str, object] | None:
        try:
            claims, state = await self.tokens.authenticate(token)
        except InvalidToken:
            return None
        return _described(claims, state) if _is_meant_for(claims, caller) else None

    async def _refresh_token(self, caller: Client, token: str) -> dict[str, object] | None:
        try:
            handle = self.handles.parse(token)
        except MalformedHandle:
            return None
        family = await self.families.get(handle.family_id)
        if family is None or family.client_id != caller.id or not hmac.compare_digest(family.cur_hash, handle.hash):
            return None
        alive = await self.families.is_alive(family.id, now=self.now())
        return self._described_family(family, caller) if alive else None

    def _described_family(self, family: Family, caller: Client) -> dict[str, object]:
        """For the client itself, which may know its users by other names."""
        return {
            "active": True,
            "token_use": "refresh_token",
            "iss": self.issuer,
            "sub": self.subjects.of(caller, family.user_id),
            "client_id": family.client_id,
            "scope": " ".join(family.scope),
            "sid": family.id,
            "iat": family.rotated_at // SECOND,
            "exp": min(family.idle_until, family.abs_until) // SECOND,
        }


def _is_meant_for(claims: AccessTokenClaims, caller: Client) -> bool:
    return any(audience in caller.audiences or audience == caller.id for audience in claims.aud)


def _described(claims: AccessTokenClaims, state: TokenState) -> dict[str, object]:
    """The members of RFC 7662 section 2.2, and RFC 9470 section 6.2 for how the user was authenticated."""
    answer: dict[str, object] = {
        "active": True,
        "token_type": token_type(claims.confirmation),
        "token_use": "access_token",
        "iss": claims.iss,
        "sub": claims.sub,
        "aud": claims.aud[0] if len(claims.aud) == 1 else list(claims.aud),
        "client_id": claims.client_id,
        "scope": " ".join(claims.scope),
        "iat": claims.iat // SECOND,
        "exp": claims.exp // SECOND,
        "jti": claims.jti,
    }
    known = {
        # Whoever admits the bearer has to see the proof first (RFC 8705 section 3.2, RFC 9449 section 6.2).
        "cnf": None if claims.confirmation is None else claims.confirmation.claim,
        "act": claims.act,
        "authorization_details": list(claims.authorization_details),
        **(_about_the_user(claims, state) if claims.sid is not None else {}),
    }
    return answer | {name: value for name, value in known.items() if value}


def _about_the_user(claims: AccessTokenClaims, state: TokenState) -> dict[str, object]:
    return {
        "sid": claims.sid,
        "username": state.username,
        "auth_time": None if claims.auth_time is None else claims.auth_time // SECOND,
        "acr": claims.acr,
        "amr": list(claims.amr),
    }
