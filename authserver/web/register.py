"""POST /register and /register/{client_id}: clients register and manage themselves (RFC 7591, RFC 7592)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from authserver.registration.service import Registered, Registrar
from authserver.web.answers import NO_STORE
from authserver.web.caller import caller_of
from authserver.web.forms import read_json
from authserver.web.possession import shown_token

PATH = "/register"


@dataclass(frozen=True, slots=True)
class RegisterEndpoint:
    registrar: Registrar
    issuer: str

    async def post(self, request: Request) -> Response:
        """201 with everything that is registered, a secret if there is one, and the registration access token."""
        bearer, caller = _bearer(request), caller_of(request)
        made = await self.registrar.register(await read_json(request), bearer, caller)
        return answer(made, self.issuer, 201)


@dataclass(frozen=True, slots=True)
class RegisteredClientEndpoint:
    registrar: Registrar
    issuer: str

    async def get(self, request: Request) -> Response:
        """As it is registered now; never a secret, of which only a hash is kept."""
        return answer(await self.registrar.read(_named(request), _bearer(request)), self.issuer)

    async def put(self, request: Request) -> Response:
        """Replaces everything that a client can say of itself."""
        named, bearer = _named(request), _bearer(request)
        caller = caller_of(request, f"client:{named}")
        return answer(await self.registrar.replace(named, await read_json(request), bearer, caller), self.issuer)

    async def delete(self, request: Request) -> Response:
        """204; ends everything that it was issued."""
        named = _named(request)
        await self.registrar.remove(named, _bearer(request), caller_of(request, f"client:{named}"))
        return Response(status_code=204, headers=NO_STORE)


def answer(registered: Registered, issuer: str, status: int = 200) -> Response:
    where = f"{issuer}{PATH}/{registered.client.id}"
    return JSONResponse({**registered.metadata, "registration_client_uri": where}, status, headers=NO_STORE)


def _named(request: Request) -> str:
    return str(request.path_params["client_id"])


def _bearer(request: Request) -> str | None:
    """These tokens are bound to no key."""
    shown = shown_token(request)
    return None if shown is None or shown.scheme != "bearer" else shown.token
