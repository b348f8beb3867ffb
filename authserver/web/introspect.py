"""POST /introspect: is this token good, now, for me? (RFC 7662)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.oauth.client_auth import ClientAuthenticator
from authserver.oauth.introspection import Introspector
from authserver.web.answers import NoStoreJson
from authserver.web.forms import read_form
from authserver.web.presented import presented


@dataclass(frozen=True, slots=True)
class IntrospectEndpoint:
    clients: ClientAuthenticator
    introspector: Introspector

    async def post(self, request: Request) -> Response:
        form = await read_form(request)
        caller = await self.clients.authenticate(presented(request, form))
        answer = await self.introspector.introspect(caller, form.require("token"), form.get("token_type_hint"))
        return NoStoreJson(answer)
