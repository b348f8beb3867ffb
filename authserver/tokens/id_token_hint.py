"""Id tokens of ours that come back as a hint, mostly after their time (OpenID Connect Core section 3.1.2.1,
RP-Initiated Logout section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from authserver.model.errors import InvalidToken
from authserver.tokens.id_token import IdTokens
from authserver.tokens.jwt import UnknownKey
from authserver.tokens.keyring import KeyRing


class IdTokenHint(NamedTuple):
    """Who was told what: it proves that this log-in was, not that it is, and nothing about who presents it."""

    client_id: str
    subject: str
    """As this client knows the user."""
    family_id: str
    """Its `sid`."""


@dataclass(frozen=True, slots=True)
class IdTokenHints:
    id_tokens: IdTokens
    ring: KeyRing

    async def read(self, token: str) -> IdTokenHint:
        """The hint in a genuine id token, however old; raises InvalidToken for anything else.

        The key must still be published: one that was withdrawn vouches for nothing.
        """
        try:
            claims = self.id_tokens.read_past(token)
        except UnknownKey as unknown:
            if self.ring.is_over(unknown.kid):
                raise
            await self.ring.refresh()
            claims = self.id_tokens.read_past(token)
        if not isinstance(claims.get("sid"), str):
            raise InvalidToken("This ID token belongs to no log-in.")
        return IdTokenHint(claims["aud"], claims["sub"], claims["sid"])
