"""From an authorization to the answer that carries its tokens, the same whichever way it was earned (RFC 6749
section 5.1, OpenID Connect Core section 3.1.3.3)."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.model.client import Client
from authserver.model.grant import Authorization
from authserver.oauth.response import token_response
from authserver.tokens.issuer import TokenIssuer


@dataclass(frozen=True, slots=True)
class TokenIssuance:
    """Mints what goes into a token response: the access token, and whatever else belongs to it."""

    tokens: TokenIssuer

    def require_ready(self, client: Client) -> None:
        """Raises NoSigningKey if nothing could be signed for this client now: asked before anything is spent."""
        self.tokens.require_signing_key()

    async def answer(self, authorization: Authorization) -> dict[str, object]:
        """The members of the token response."""
        minted = self.tokens.access_token(authorization)
        return token_response(minted, authorization)
