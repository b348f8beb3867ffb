"""POST /authorize-challenge: a first-party application logs its user in on screens of its own.

OAuth 2.0 for First-Party Applications, a draft."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.oauth.authorization_requests import AuthorizationRequests
from authserver.oauth.challenge import AuthorizationChallenge, refuse_both
from authserver.oauth.client_auth import ClientAuthenticator
from authserver.web import cookies
from authserver.web.answers import NoStoreJson
from authserver.web.caller import caller_of
from authserver.web.csrf import refuse_other_sites
from authserver.web.forms import read_form
from authserver.web.presented import presented
from authserver.web.proof import ProofOfPossession


@dataclass(frozen=True, slots=True)
class ChallengeEndpoint:
    clients: ClientAuthenticator
    requests: AuthorizationRequests
    challenge: AuthorizationChallenge
    proof: ProofOfPossession
    issuer: str

    async def post(self, request: Request) -> Response:
        """`authorization_code`, or what is still needed for it."""
        refuse_other_sites(request, self.issuer)
        form = await read_form(request)
        client = await self.clients.authenticate(presented(request, form))
        dpop_jkt = await self.proof.dpop_key(request, client)
        refuse_both(form)
        asked = None
        if form.get("auth_session") is None:
            asked = await self.requests.of(client, form, via="challenge", dpop_jkt=dpop_jkt)
        code = await self.challenge.code(
            client, form, asked, caller_of(request), dpop_jkt=dpop_jkt, device_cookie=cookies.device_cookie(request)
        )
        return NoStoreJson({"authorization_code": code})
