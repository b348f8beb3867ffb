"""A client takes back a token that it was issued (RFC 7009)."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.model.audit import Caller
from authserver.model.client import Client
from authserver.model.errors import InvalidToken, NotFound
from authserver.model.revocation import RevocationOutcome, RevocationTarget
from authserver.revocation.revoker import Revoker
from authserver.storage.interface import FamilyStore
from authserver.tokens.handles import MalformedHandle, RefreshHandles
from authserver.tokens.validation import AccessTokens

REASON = "revoked by its client"


@dataclass(frozen=True, slots=True)
class TokenRevocation:
    """An access token is refused from now on; a refresh token takes its family and thereby the
    access tokens of that family with it (RFC 7009 section 2.1)."""

    tokens: AccessTokens
    families: FamilyStore
    handles: RefreshHandles
    revoker: Revoker

    async def revoke(self, client: Client, token: str, hint: str | None, caller: Caller) -> RevocationOutcome | None:
        """Take `token` back if it is the client's; None, with nothing changed, for any other token, known or not.

        A wrong hint does no harm: the two kinds of token cannot be mistaken for each other.
        When this returns, the revocation is stored; raises StorageUnavailable or KeyNotSettled otherwise.
        """
        find = self._access_token if self.tokens.knows(token) else self._family
        target = await find(client, token)
        if target is None:
            return None
        try:
            return await self.revoker.revoke(target, reason=REASON, caller=caller.acting_as(f"client:{client.id}"))
        except NotFound:
            return None

    async def _access_token(self, client: Client, token: str) -> RevocationTarget | None:
        """Asks the database too: it knows the keys that this process has not seen yet."""
        try:
            claims, _ = await self.tokens.authenticate(token, certain=True)
        except InvalidToken:
            return None
        if claims.client_id != client.id:
            return None
        return RevocationTarget(kind="jti", value=claims.jti, expires_at=claims.exp)

    async def _family(self, client: Client, token: str) -> RevocationTarget | None:
        """Any genuine token of the family will do: who holds an old one may end it, not use it."""
        try:
            handle = self.handles.parse(token)
        except MalformedHandle:
            return None
        family = await self.families.get(handle.family_id)
        if family is None or family.client_id != client.id:
            return None
        return RevocationTarget(kind="family", value=family.id)
