"""/admin/clients/{client_id}/secrets: a new secret beside the old ones, so that rotating one is no outage."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.administration.client_view import secret_body
from authserver.administration.clients import ClientDirectory
from authserver.administration.fields import nullable, read_fields, seconds
from authserver.administration.scopes import CLIENTS
from authserver.model.time import DAY, SECOND
from authserver.web.admin.guard import AdminGuard
from authserver.web.admin.render import answer
from authserver.web.forms import read_json

_FIELDS = {"retire_others_in": nullable(seconds(0, 366 * DAY // SECOND))}


@dataclass(frozen=True, slots=True)
class AdminClientSecretsEndpoint:
    """The collection: POST adds a secret. Lists stand in the client itself."""

    guard: AdminGuard
    directory: ClientDirectory

    async def post(self, request: Request) -> Response:
        """201 with `client_secret`, shown once. `retire_others_in` (seconds; 0: at once): when the others end."""
        administrator = await self.guard.admit(request, CLIENTS)
        retire_in = read_fields(await read_json(request), _FIELDS).get("retire_others_in")
        client_id = request.path_params["client_id"]
        made = await self.directory.add_secret(
            client_id,
            retire_others_in=retire_in if isinstance(retire_in, int) else None,
            caller=administrator.caller,
            permit=self.guard.manager(administrator),
        )
        return answer({"client_id": client_id, **secret_body(made.kept), "client_secret": made.text}, 201)


@dataclass(frozen=True, slots=True)
class AdminClientSecretEndpoint:
    """One secret: DELETE /admin/clients/{client_id}/secrets/{secret_id}."""

    guard: AdminGuard
    directory: ClientDirectory

    async def delete(self, request: Request) -> Response:
        """It authenticates nobody from now on; 204. Tokens it already got stay: revoke the client for those."""
        administrator = await self.guard.admit(request, CLIENTS)
        client_id, secret_id = request.path_params["client_id"], request.path_params["secret_id"]
        permit = self.guard.manager(administrator)
        await self.directory.remove_secret(client_id, secret_id, caller=administrator.caller, permit=permit)
        return Response(status_code=204)
