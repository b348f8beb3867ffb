"""From a token's text to what revoking it means."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.model.errors import InvalidToken, NotFound
from authserver.model.revocation import RevocationTarget
from authserver.tokens.handles import MalformedHandle, RefreshHandles
from authserver.tokens.validation import AccessTokens


@dataclass(frozen=True, slots=True)
class TokenTarget:
    """A callable: the text of a token to its target."""

    tokens: AccessTokens
    handles: RefreshHandles

    async def __call__(self, token: str) -> RevocationTarget:
        """An access token becomes its jti; a refresh token, of whatever generation, its family.

        Raises NotFound for anything that is not a genuine token of this issuer, or has expired;
        KeyNotSettled when that cannot be told yet.
        """
        if self.tokens.knows(token):
            return await self._access_token(token)
        try:
            return RevocationTarget(kind="family", value=self.handles.parse(token).family_id)
        except MalformedHandle:
            raise _not_ours() from None

    async def _access_token(self, token: str) -> RevocationTarget:
        try:
            claims = await self.tokens.genuine(token, certain=True)
        except InvalidToken:
            raise _not_ours() from None
        return RevocationTarget(kind="jti", value=claims.jti, expires_at=claims.exp)


def _not_ours() -> NotFound:
    return NotFound("this is no token of this issuer, or it has expired", extra={"field": "token"})
