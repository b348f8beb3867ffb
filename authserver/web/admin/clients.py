"""/admin/clients: register, show, change, disable and remove clients."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.administration.client_view import client_body
from authserver.administration.clients import ClientDirectory
from authserver.administration.scopes import CLIENTS, READ
from authserver.model.inputs import InvalidField, truth
from authserver.web.admin.guard import AdminGuard
from authserver.web.admin.render import answer
from authserver.web.forms import read_json
from authserver.web.query import PAGING, Query, page_body

LISTING = "clients"


@dataclass(frozen=True, slots=True)
class AdminClientsEndpoint:
    """The collection: GET lists, POST registers."""

    guard: AdminGuard
    directory: ClientDirectory

    async def get(self, request: Request) -> Response:
        await self.guard.admit(request, READ, CLIENTS)
        query = Query(request, (*PAGING, "query"))
        page = await self.directory.list(query.page(LISTING), query=query.search("query"))
        return answer(page_body(LISTING, page, client_body))

    async def post(self, request: Request) -> Response:
        """201 with the client and, for a confidential one, `client_secret`: the only time it is shown."""
        administrator = await self.guard.admit(request, CLIENTS)
        client, secret = await self.directory.add(
            await read_json(request), caller=administrator.caller, permit=self.guard.manager(administrator)
        )
        shown = client_body(client) if secret is None else {**client_body(client), "client_secret": secret.text}
        return answer(shown, 201, headers={"Location": f"{request.url.path}/{client.id}"})


@dataclass(frozen=True, slots=True)
class AdminClientEndpoint:
    """One client: GET, PATCH, DELETE /admin/clients/{client_id}."""

    guard: AdminGuard
    directory: ClientDirectory

    async def get(self, request: Request) -> Response:
        await self.guard.admit(request, READ, CLIENTS)
        return answer(client_body(await self.directory.get(request.path_params["client_id"])))

    async def patch(self, request: Request) -> Response:
        """Changes the fields that are named. `enabled` goes alone: it also revokes, in a transaction of its own."""
        administrator = await self.guard.admit(request, CLIENTS)
        client_id, body = request.path_params["client_id"], await read_json(request)
        caller, permit = administrator.caller, self.guard.manager(administrator)
        if not body:
            raise InvalidField("body", "names nothing to change")
        if "enabled" not in body:
            return answer(client_body(await self.directory.update(client_id, body, caller=caller, permit=permit)))
        enabled = truth("enabled", body["enabled"])
        if len(body) > 1:
            raise InvalidField("enabled", "must be changed by itself")
        return answer(client_body(await self.directory.set_enabled(client_id, enabled, caller=caller, permit=permit)))

    async def delete(self, request: Request) -> Response:
        """Ends its families and refuses its tokens; 204."""
        administrator = await self.guard.admit(request, CLIENTS)
        permit = self.guard.manager(administrator)
        await self.directory.remove(request.path_params["client_id"], caller=administrator.caller, permit=permit)
        return Response(status_code=204)
