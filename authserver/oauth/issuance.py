"""From an authorization to the answer that carries its tokens, the same whichever way it was earned (RFC 6749
section 5.1, OpenID Connect Core section 3.1.3.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from authserver.model.client import Client
from authserver.model.grant import Authorization
from authserver.oauth.errors import InvalidGrant
from authserver.oauth.response import token_response
from authserver.oauth.scopes import resources_of
from authserver.tokens.id_token import IdTokens
from authserver.tokens.issuer import MintedToken, TokenIssuer
from authserver.tokens.opaque import OpaqueTokens


@dataclass(frozen=True, slots=True)
class TokenIssuance:
    """Mints what goes into a token response: the access token, and whatever else belongs to it."""

    tokens: TokenIssuer
    opaque: OpaqueTokens
    id_tokens: IdTokens

    def require_ready(self, client: Client) -> None:
        """Raises NoSigningKey if something could not be signed for this client now: asked before anything is spent."""
        self.tokens.require_signing_key(client, resources_of(client, self.tokens.issuer))
        if "openid" in client.scopes:
            self.id_tokens.require_signing_key(client)

    async def answer(self, authorization: Authorization) -> dict[str, object]:
        """The members of the token response.

        Raises SessionOver, InvalidGrant, TokenTooLarge, NoSigningKey, and StorageUnavailable where something has to
        be stored or looked up: then a refresh may be repeated within its grace, and a code is lost.
        """
        authorization = self._narrowed(authorization)
        minted = await self.access_token(authorization)
        body = token_response(minted, authorization)
        if authorization.openid is not None and authorization.subject != authorization.client.id:
            body["id_token"] = await self.id_tokens.token(authorization, minted.token)
        return body

    def _narrowed(self, authorization: Authorization) -> Authorization:
        """To what the client may have now: minutes may have gone by since somebody was asked. Raises InvalidGrant."""
        client, allowed = authorization.client, resources_of(authorization.client, self.tokens.issuer)
        scope = tuple(name for name in authorization.scope if name in client.scopes)
        audience = tuple(name for name in authorization.audience if name in allowed)
        if not audience:
            raise InvalidGrant("none of the resources that were granted is left to this client")
        openid = authorization.openid if "openid" in client.scopes else None
        if (scope, audience, openid) == (authorization.scope, authorization.audience, authorization.openid):
            return authorization
        return replace(authorization, scope=scope, audience=audience, openid=openid)

    async def access_token(self, authorization: Authorization) -> MintedToken:
        """In the form that client and resource want; raises as `answer` does."""
        if self.tokens.form(authorization).format == "opaque":
            return await self.opaque.keep(self.tokens.draft(authorization))
        return self.tokens.access_token(authorization)
