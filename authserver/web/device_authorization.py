"""POST /device_authorization: a device asks for a code that somebody types elsewhere (RFC 8628 section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.oauth.client_auth import ClientAuthenticator
from authserver.oauth.device import DeviceAuthorization
from authserver.web.answers import NoStoreJson
from authserver.web.caller import caller_of
from authserver.web.forms import read_form
from authserver.web.presented import presented
from authserver.web.proof import ProofOfPossession


@dataclass(frozen=True, slots=True)
class DeviceAuthorizationEndpoint:
    clients: ClientAuthenticator
    devices: DeviceAuthorization
    proof: ProofOfPossession

    async def post(self, request: Request) -> Response:
        form = await read_form(request)
        client = await self.clients.authenticate(presented(request, form))
        confirmation = await self.proof.confirm(request, client)
        return NoStoreJson(await self.devices.begin(client, form, caller_of(request), confirmation))
