"""POST /token: trade a grant for tokens (RFC 6749 section 3.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.model.client import Client
from authserver.oauth.client_auth import ClientAuthenticator
from authserver.oauth.errors import UnauthorizedClient, UnsupportedGrantType
from authserver.oauth.grants.base import Grant
from authserver.oauth.issuance import TokenIssuance
from authserver.telemetry import TOKENS_ISSUED
from authserver.web.answers import NoStoreJson
from authserver.web.caller import caller_of
from authserver.web.forms import read_form
from authserver.web.presented import presented
from authserver.web.proof import ProofOfPossession


async def nobody_cares(client: Client) -> None:
    """Where clients are never forgotten."""


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    clients: ClientAuthenticator
    grants: Mapping[str, Grant]
    issuance: TokenIssuance
    proof: ProofOfPossession
    used: Callable[[Client], Awaitable[None]] = nobody_cares
    """Told of the client that got tokens: those that registered themselves are forgotten when unused."""

    async def post(self, request: Request) -> Response:
        form = await read_form(request)
        client = await self.clients.authenticate(presented(request, form))
        grant = self._grant_for(client, form.require("grant_type"))
        self.issuance.require_ready(client)  # before anything is spent: no key, no token for it
        confirmation = await self.proof.confirm(request, client)
        authorization = await grant.redeem(client, form, caller_of(request), confirmation)
        answer = await self.issuance.answer(authorization)
        await self.used(client)
        TOKENS_ISSUED.inc(grant.grant_type)
        return NoStoreJson(answer)

    def _grant_for(self, client: Client, grant_type: str) -> Grant:
        grant = self.grants.get(grant_type)
        if grant is None:
            raise UnsupportedGrantType("this server does not offer that grant_type")
        if grant_type not in client.grant_types:
            raise UnauthorizedClient(f"this client is not registered for {grant_type}")
        return grant
