"""Logout tokens: a client is told that one of its log-ins is over (OpenID Connect Back-Channel Logout section 2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from authserver.clock import Clock
from authserver.model.client import Client
from authserver.model.time import SECOND
from authserver.tokens import jwt
from authserver.tokens.algorithms import RS256
from authserver.tokens.keyring import KeyRing

LOGOUT_TOKEN_TYP: Final = "logout+jwt"  # noqa: S105 (a media type)
EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
LIFE: Final = 120
"""Seconds, as section 2.4 recommends: nobody keeps one for later."""


@dataclass(frozen=True, slots=True)
class LogoutTokens:
    issuer: str
    ring: KeyRing
    now: Clock

    def token(self, client: Client, *, jti: str, subject: str, sid: str) -> str:
        """`subject` and `sid` as in the id token of the log-in, and signed as that is. Never a `nonce`: so it cannot
        pass for an id token. Raises NoSigningKey."""
        issued = self.now() // SECOND
        claims = {
            "iss": self.issuer,
            "aud": client.id,
            "iat": issued,
            "exp": issued + LIFE,
            "jti": jti,
            "sub": subject,
            "sid": sid,
            "events": {EVENT: {}},
        }
        return jwt.sign(claims, self.ring.signing_for(client.id_token_signed_response_alg or RS256), LOGOUT_TOKEN_TYP)
