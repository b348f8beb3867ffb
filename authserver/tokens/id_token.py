"""ID tokens: what a client is told about a log-in (OpenID Connect Core section 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from authserver.clock import Clock
from authserver.model.client import Client
from authserver.model.errors import InvalidToken
from authserver.model.grant import Authorization, OpenIdFacts
from authserver.model.key import SigningKey
from authserver.model.time import SECOND, Duration
from authserver.tokens import jwt
from authserver.tokens.algorithms import ALGORITHMS, RS256, base64url
from authserver.tokens.keyring import KeyRing
from authserver.tokens.past import past_jwt, unverified_parts

ID_TOKEN_TYP = "JWT"  # noqa: S105 (a media type)
OWN_CLAIMS = frozenset(
    (
        *("iss", "sub", "aud", "exp", "iat", "nbf", "jti", "nonce", "auth_time", "acr", "amr", "azp", "sid"),
        *("at_hash", "c_hash", "s_hash", "cnf", "act", "authorization_details", "events"),
        *("client_id", "scope", "rv", "token_introspection"),
    )
)
"""Told by the token itself, or another token's mark: no claim about a user has such a name, whoever asks for it."""

SubjectOf = Callable[[Client, str], str]
"""Client and user id to the `sub` that this client knows the user by."""


class UserClaims(Protocol):
    async def claims_for(self, client: Client, user_id: str, requested: Mapping[str, object]) -> Mapping[str, object]:
        """Those of the claims that there are to tell; `requested` says which, and perhaps with which values (OpenID
        Connect Core section 5.5.1)."""
        ...


def the_user_itself(client: Client, user_id: str) -> str:
    """The same subject for every client."""
    return user_id


@dataclass(frozen=True, slots=True)
class IdTokens:
    issuer: str
    ring: KeyRing
    ttl: Duration
    """No longer than that of access tokens, for which a retired key stays published."""
    now: Clock
    users: UserClaims | None = None
    subject_of: SubjectOf = the_user_itself

    def require_signing_key(self, client: Client) -> None:
        """Raises NoSigningKey if none could be signed for this client."""
        _ = self.ring.signing_for(id_token_algorithm(client))

    async def token(self, authorization: Authorization, access_token: str | None) -> str:
        """For the client of an authorization that a user gave; `access_token` is the one beside it, hashed into it."""
        client = authorization.client
        key = self.ring.signing_for(id_token_algorithm(client))
        claims = await self._about_user(authorization) | self._claims(authorization)
        if access_token is not None:
            claims["at_hash"] = at_hash(access_token, key.algorithm)
        return jwt.sign(claims, key, ID_TOKEN_TYP)

    async def _about_user(self, authorization: Authorization) -> dict[str, object]:
        """What was asked for by name (OpenID Connect Core section 5.5); the rest is for userinfo to tell."""
        asked = authorization.terms.claims.get("id_token")
        requested = {n: how for n, how in asked.items() if n not in OWN_CLAIMS} if isinstance(asked, Mapping) else {}
        if not requested or self.users is None:
            return {}
        told = await self.users.claims_for(authorization.client, authorization.subject, requested)
        return {name: value for name, value in told.items() if name in requested}

    def _claims(self, authorization: Authorization) -> dict[str, Any]:
        issued = self.now() // SECOND
        openid = authorization.openid or OpenIdFacts()
        known = {
            "iss": self.issuer,
            "sub": self.subject_of(authorization.client, authorization.subject),
            "aud": authorization.client.id,
            "iat": issued,
            "exp": issued + self.ttl // SECOND,
            "auth_time": None if authorization.auth_time is None else authorization.auth_time // SECOND,
            "nonce": openid.nonce,
            "acr": authorization.acr,
            "amr": list(authorization.amr) or None,
            "sid": authorization.terms.sid or authorization.family_id,
        }
        return {name: value for name, value in known.items() if value is not None}

    def read_past(self, token: str) -> dict[str, Any]:
        """The claims of an id token that we signed under a key still published, expired ones too (as a hint of who
        was logged in; OpenID Connect RP-Initiated Logout section 2). Raises InvalidToken for anything else.

        Whether `aud` is the client that shows it is for the caller to see.
        """
        issued_at = unverified_parts(token)[1].get("iat")
        then = issued_at * SECOND if type(issued_at) is int and 0 <= issued_at < 1 << 43 else 0
        return _checked(jwt.verify(token, self.ring.public, typ=ID_TOKEN_TYP, issuer=self.issuer, now=then)).claims


def past_id_token(token: str, keys: Iterable[SigningKey], issuer: str) -> jwt.VerifiedJwt:
    """As `past.read_past`: an id token that we signed under one of `keys`, whatever has become of them."""
    return _checked(past_jwt(token, keys, issuer, ID_TOKEN_TYP))


def _checked(verified: jwt.VerifiedJwt) -> jwt.VerifiedJwt:
    """Other JWTs of ours may bear the same general type: an access token of a client that wants it so."""
    claims = verified.claims
    foreign = claims.keys() & {"client_id", "rv", "events", "token_introspection"}
    if foreign or not all(isinstance(claims.get(name), str) for name in ("sub", "aud")):
        raise InvalidToken("This is not an ID token.")
    return verified


def id_token_algorithm(client: Client) -> str:
    return client.id_token_signed_response_alg or RS256


def at_hash(access_token: str, algorithm: str) -> str:
    """The left half of its hash (OpenID Connect Core section 3.1.3.6)."""
    digest: bytes = ALGORITHMS[algorithm].hash(access_token.encode("ascii")).digest()
    return base64url(digest[: len(digest) // 2])
