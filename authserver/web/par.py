"""POST /par: an authorization request sent by the client itself, before the browser comes with it (RFC 9126)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from authserver.model.time import SECOND
from authserver.oauth.authorization_requests import AuthorizationRequests
from authserver.oauth.client_auth import ClientAuthenticator
from authserver.web.answers import NO_STORE
from authserver.web.caller import caller_of
from authserver.web.forms import read_form
from authserver.web.presented import presented
from authserver.web.proof import ProofOfPossession


@dataclass(frozen=True, slots=True)
class ParEndpoint:
    clients: ClientAuthenticator
    requests: AuthorizationRequests
    proof: ProofOfPossession

    async def post(self, request: Request) -> Response:
        """201 and a `request_uri` for one minute; the client authenticates as at the token endpoint."""
        form = await read_form(request)
        client = await self.clients.authenticate(presented(request, form))
        dpop_jkt = await self.proof.dpop_key(request, client)  # the code will be bound to it (RFC 9449 section 10.1)
        request_uri, life = await self.requests.push(
            client, form, address=caller_of(request).address, dpop_jkt=dpop_jkt
        )
        body = {"request_uri": request_uri, "expires_in": life // SECOND}
        return JSONResponse(body, 201, headers=NO_STORE)
