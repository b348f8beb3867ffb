"""POST /revoke: a client takes back its token (RFC 7009)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.oauth.client_auth import ClientAuthenticator
from authserver.oauth.revocation import TokenRevocation
from authserver.web.answers import NO_STORE
from authserver.web.caller import caller_of
from authserver.web.forms import read_form
from authserver.web.presented import presented
from authserver.web.published import Publishes, published


@dataclass(frozen=True, slots=True)
class RevokeEndpoint:
    clients: ClientAuthenticator
    revocation: TokenRevocation
    publication: Publishes

    async def post(self, request: Request) -> Response:
        """200 for every token, also an unknown one (section 2.2); 503 if the revocation could not be stored."""
        form = await read_form(request)
        client = await self.clients.authenticate(presented(request, form))
        outcome = await self.revocation.revoke(
            client, form.require("token"), form.get("token_type_hint"), caller_of(request)
        )
        return Response(
            status_code=200, headers=NO_STORE | (await published(self.publication, request, outcome)).headers
        )
