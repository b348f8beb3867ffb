"""POST /introspect: is this token good, now, for me? (RFC 7662; as a JWT: RFC 9701)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from authserver.oauth.client_auth import ClientAuthenticator
from authserver.oauth.introspection import Introspector
from authserver.web.accept import weight
from authserver.web.answers import NO_STORE, NoStoreJson
from authserver.web.forms import read_form
from authserver.web.presented import presented

SIGNED: Final = "application/token-introspection+jwt"
JSON: Final = "application/json"
"""For everybody who does not ask for the other by its name, whatever else they ask for."""


@dataclass(frozen=True, slots=True)
class IntrospectEndpoint:
    clients: ClientAuthenticator
    introspector: Introspector

    async def post(self, request: Request) -> Response:
        form = await read_form(request)
        caller = await self.clients.authenticate(presented(request, form))
        answer = await self.introspector.introspect(caller, form.require("token"), form.get("token_type_hint"))
        signed = weight(request.scope, SIGNED)
        if signed > 0 and signed >= weight(request.scope, JSON):
            return Response(self.introspector.signed(caller, answer), media_type=SIGNED, headers=NO_STORE)
        return NoStoreJson(answer)
