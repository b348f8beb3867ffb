"""/admin/registration-tokens: initial access tokens, and another registration token for a client that lost its own."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.administration.scopes import CLIENTS, READ
from authserver.model.page import Page
from authserver.registration.initial_tokens import InitialTokens, initial_token_body
from authserver.registration.service import Registrar
from authserver.web.admin.guard import AdminGuard
from authserver.web.admin.render import answer
from authserver.web.forms import read_json
from authserver.web.query import Query, page_body


@dataclass(frozen=True, slots=True)
class AdminRegistrationTokensEndpoint:
    guard: AdminGuard
    tokens: InitialTokens

    async def get(self, request: Request) -> Response:
        """All of them: there are a handful, and what is over is purged."""
        await self.guard.admit(request, READ, CLIENTS)
        Query(request, ())
        return answer(page_body("registration-tokens", Page(tuple(await self.tokens.all()), None), initial_token_body))

    async def post(self, request: Request) -> Response:
        """201 with the token in `initial_access_token`: the only time it is shown."""
        administrator = await self.guard.admit(request, CLIENTS)
        made = await self.tokens.add(await read_json(request, optional=True), caller=administrator.caller)
        return answer({**initial_token_body(made.kept), "initial_access_token": made.text}, 201)


@dataclass(frozen=True, slots=True)
class AdminRegistrationTokenEndpoint:
    guard: AdminGuard
    tokens: InitialTokens

    async def delete(self, request: Request) -> Response:
        """It registers nobody from now on; the clients that it registered stay. 204."""
        administrator = await self.guard.admit(request, CLIENTS)
        await self.tokens.remove(request.path_params["token_id"], caller=administrator.caller)
        return Response(status_code=204)


@dataclass(frozen=True, slots=True)
class AdminClientRegistrationTokenEndpoint:
    """/admin/clients/{client_id}/registration-token."""

    guard: AdminGuard
    registrar: Registrar

    async def post(self, request: Request) -> Response:
        """Another registration access token; the one before is worth nothing from now on."""
        administrator = await self.guard.admit(request, CLIENTS)
        named = request.path_params["client_id"]
        text = await self.registrar.renew_token(named, administrator.caller)
        return answer({"client_id": named, "registration_access_token": text}, 201)
