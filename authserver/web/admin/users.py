"""/admin/users: make, find, disable and remove accounts, and give them passwords."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from authserver.accounts.directory import Directory
from authserver.administration.fields import Reader, nullable, read_fields, required
from authserver.administration.scopes import READ, USERS
from authserver.administration.user_claims import claim_changes, claims
from authserver.administration.views import user_body
from authserver.model.errors import NotFound
from authserver.model.inputs import InvalidField, is_uuid, truth
from authserver.web.admin.guard import AdminGuard
from authserver.web.admin.render import answer
from authserver.web.forms import read_json
from authserver.web.query import PAGING, Query, page_body

LISTING = "users"


def _string(field: str, value: object) -> str:
    """A name or a password as it is; the directory has the rules for both."""
    if not isinstance(value, str):
        raise InvalidField(field, "must be a string")
    return value


_NEW: dict[str, Reader] = {"username": _string, "password": nullable(_string), "enabled": truth, "claims": claims}
_CHANGES: dict[str, Reader] = {"enabled": truth, "claims": claim_changes}


@dataclass(frozen=True, slots=True)
class AdminUsersEndpoint:
    """The collection: GET lists, POST creates."""

    guard: AdminGuard
    directory: Directory

    async def get(self, request: Request) -> Response:
        """By age; `query` is a part of the username."""
        await self.guard.admit(request, READ, USERS)
        query = Query(request, (*PAGING, "query", "enabled"))
        page = await self.directory.list(
            query.page(LISTING), query=query.search("query"), enabled=query.truth("enabled")
        )
        return answer(page_body(LISTING, page, user_body))

    async def post(self, request: Request) -> Response:
        """201. Without `password` the account cannot log in until it is given one."""
        administrator = await self.guard.admit(request, USERS)
        fields = read_fields(await read_json(request), _NEW)
        required(fields, "username")
        password = fields.get("password")
        user = await self.directory.create(
            str(fields["username"]),
            None if password is None else str(password),
            enabled=fields.get("enabled") is not False,
            claims=cast("dict[str, object]", fields.get("claims", {})),
            caller=administrator.caller,
        )
        return answer(user_body(user), 201, headers={"Location": f"{request.url.path}/{user.id}"})


@dataclass(frozen=True, slots=True)
class AdminUserEndpoint:
    """One account: GET, PATCH, DELETE /admin/users/{user_id}."""

    guard: AdminGuard
    directory: Directory

    async def get(self, request: Request) -> Response:
        await self.guard.admit(request, READ, USERS)
        return answer(user_body(await self.directory.get(_user_id(request))))

    async def patch(self, request: Request) -> Response:
        """`{"enabled": false}` ends every session and token at once, for good; enabling brings none back.
        `{"claims": {...}}` changes those that it names; null takes one away."""
        administrator = await self.guard.admit(request, USERS)
        user_id = _user_id(request)
        fields = read_fields(await read_json(request), _CHANGES)
        if not fields:
            raise InvalidField("enabled", "or claims is required")
        user = await self.directory.get(user_id)
        if "claims" in fields:
            changes = cast("dict[str, object]", fields["claims"])
            user = await self.directory.change_claims(user_id, changes, caller=administrator.caller)
        if user.enabled != fields.get("enabled", user.enabled):
            await self.directory.set_enabled(user_id, fields["enabled"] is True, caller=administrator.caller)
        return answer(user_body(await self.directory.get(user_id)))

    async def delete(self, request: Request) -> Response:
        administrator = await self.guard.admit(request, USERS)
        await self.directory.remove(_user_id(request), caller=administrator.caller)
        return Response(status_code=204)


@dataclass(frozen=True, slots=True)
class AdminPasswordEndpoint:
    """PUT /admin/users/{user_id}/password."""

    guard: AdminGuard
    directory: Directory

    async def put(self, request: Request) -> Response:
        """204; whoever was logged in is out."""
        administrator = await self.guard.admit(request, USERS)
        user_id = _user_id(request)
        fields = read_fields(await read_json(request), {"password": _string})
        required(fields, "password")
        await self.directory.set_password(user_id, str(fields["password"]), caller=administrator.caller)
        return Response(status_code=204)


def _user_id(request: Request) -> str:
    named = str(request.path_params["user_id"])
    if not is_uuid(named):
        raise NotFound("there is no such user")
    return named
