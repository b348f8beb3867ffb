"""What the userinfo endpoint tells to whoever shows an access token (OpenID Connect Core section 5.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from authserver.model.client import Client
from authserver.model.errors import InsufficientScope, InvalidToken
from authserver.oauth.subjects import Subjects
from authserver.oauth.user_claims import asked_by_name, asked_by_scope
from authserver.storage.interface import ClientLookup, FamilyStore, UserStore
from authserver.tokens.claims import AccessTokenClaims

USERINFO_TYP: Final = "JWT"
Sign: TypeAlias = Callable[[Mapping[str, Any], str, str], str]
"""Claims, algorithm and `typ` to a JWT; raises NoSigningKey."""


@dataclass(frozen=True, slots=True)
class UserInfo:
    users: UserStore
    clients: ClientLookup
    families: FamilyStore
    subjects: Subjects
    issuer: str
    sign: Sign

    async def about(self, token: AccessTokenClaims) -> dict[str, object] | str:
        """The claims, or for a client that wants them signed a JWT of them (section 5.3.2).

        `token` is alive, whomever it is meant for (docs/decisions/0141). Raises InsufficientScope without `openid`,
        InvalidToken for a token that is about nobody.
        """
        if "openid" not in token.scope:
            raise InsufficientScope("this needs the scope openid")
        client, user = await self.clients.get(token.client_id), await self.users.get(token.sub)
        if client is None or user is None:
            raise InvalidToken("this token is about nobody who can be told of")
        by_name = asked_by_name(user, await self._requested(token))
        claims = {"sub": self.subjects.of(client, user.id), **asked_by_scope(user, token.scope), **by_name}
        return claims if client.userinfo_signed_response_alg is None else self._signed(claims, client)

    async def _requested(self, token: AccessTokenClaims) -> Mapping[str, object]:
        """The `claims` parameter of the authorization request, as it was granted: to the client that the log-in was
        at, and not to one that traded its token for this one."""
        family = None if token.sid is None else await self.families.get(token.sid)
        if family is None or family.client_id != token.client_id:
            return {}
        requested = family.terms.claims.get("userinfo")
        return requested if isinstance(requested, Mapping) else {}

    def _signed(self, claims: Mapping[str, object], client: Client) -> str:
        """Neither `exp` nor `client_id`: it can pass for no other JWT of ours."""
        whole = {"iss": self.issuer, "aud": client.id, **claims}
        return self.sign(whole, client.userinfo_signed_response_alg or "", USERINFO_TYP)
