"""/admin/clients: register, show, change, disable and remove clients."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.client import Client, ClientSecret
from authserver.model.errors import Conflict, NotFound
from authserver.model.inputs import InvalidField, truth
from authserver.storage.interface import AlreadyExists, ClientStore
from authserver.tokens.handles import new_client_secret
from authserver.web.admin.fields import Reader, check_client, client_id, is_client_id, read_fields, required
from authserver.web.admin.guard import CLIENTS, READ, AdminGuard
from authserver.web.admin.last_admin import LastAdmin
from authserver.web.admin.query import PAGING, Query, page_body
from authserver.web.admin.render import answer, client_body
from authserver.web.forms import read_json

LISTING = "clients"


@dataclass(frozen=True, slots=True)
class AdminClientsEndpoint:
    """The collection: GET lists, POST registers."""

    guard: AdminGuard
    clients: ClientStore
    audit: AuditLog
    now: Clock
    readers: Mapping[str, Reader]
    """`fields.client_readers`: what may be set, by name."""

    async def get(self, request: Request) -> Response:
        await self.guard.admit(request, READ, CLIENTS)
        query = Query(request, (*PAGING, "query"))
        page = await self.clients.list(query.page(LISTING), query=query.search("query"))
        return answer(page_body(LISTING, page, client_body))

    async def post(self, request: Request) -> Response:
        """201 with the client and, for a confidential one, `client_secret`: the only time it is shown."""
        administrator = await self.guard.admit(request, CLIENTS)
        client, secret = self._new_client(await read_json(request))
        await self.guard.may_manage(administrator, client)
        event = self.audit.event(
            EventType.CLIENT_CREATED,
            administrator.caller,
            client_id=client.id,
            scopes=list(client.scopes),
            grant_types=list(client.grant_types),
        )
        try:
            await self.clients.add(client, event=event)
        except AlreadyExists:
            raise Conflict("client_id is taken", extra={"field": "client_id"}) from None
        shown = client_body(client) if secret is None else {**client_body(client), "client_secret": secret}
        return answer(shown, 201, headers={"Location": f"{request.url.path}/{client.id}"})

    def _new_client(self, body: Mapping[str, object]) -> tuple[Client, str | None]:
        fields: dict[str, Any] = read_fields(body, {"client_id": client_id, **self.readers})
        required(fields, "name")
        named = fields.pop("client_id", None) or f"client-{secrets.token_hex(8)}"
        fields.setdefault("auth_method", "client_secret_basic")
        public = fields["auth_method"] == "none"
        fields.setdefault("grant_types", ("refresh_token",) if public else ("client_credentials",))
        now = self.now()
        client = Client(id=named, created_at=now, updated_at=now, **fields)
        check_client(client)
        if public:
            return client, None
        secret, digest = new_client_secret()
        kept = ClientSecret(id=uuid7(now), sha256=digest, created_at=now)
        return replace(client, secrets=(kept,)), secret


@dataclass(frozen=True, slots=True)
class AdminClientEndpoint:
    """One client: GET, PATCH, DELETE /admin/clients/{client_id}."""

    guard: AdminGuard
    clients: ClientStore
    last_admin: LastAdmin
    audit: AuditLog
    now: Clock
    readers: Mapping[str, Reader]

    async def get(self, request: Request) -> Response:
        await self.guard.admit(request, READ, CLIENTS)
        return answer(client_body(await find_client(self.clients, request)))

    async def patch(self, request: Request) -> Response:
        """Changes the fields that are named. `enabled` goes alone: it also revokes, in a transaction of its own."""
        administrator = await self.guard.admit(request, CLIENTS)
        fields: dict[str, Any] = read_fields(await read_json(request), {**self.readers, "enabled": truth})
        if not fields:
            raise InvalidField("body", "names nothing to change")
        if "enabled" in fields and len(fields) > 1:
            raise InvalidField("enabled", "must be changed by itself")
        async with self.last_admin.turn:
            before = await find_client(self.clients, request)
            after = _changed(before, fields)
            for client in (before, after):
                await self.guard.may_manage(administrator, client)
            await self.last_admin.allow(before, after)
            if after != before:
                await self._store(before, replace(after, updated_at=self.now()), administrator.caller)
        return answer(client_body(await find_client(self.clients, request)))

    async def delete(self, request: Request) -> Response:
        """Ends its families and refuses its tokens; 204."""
        administrator = await self.guard.admit(request, CLIENTS)
        async with self.last_admin.turn:
            client = await find_client(self.clients, request)
            await self.guard.may_manage(administrator, client)
            await self.last_admin.allow(client, None)
            event = self.audit.event(EventType.CLIENT_REMOVED, administrator.caller, client_id=client.id)
            if not await self.clients.remove(client.id, at=self.now(), event=event):
                raise NotFound("there is no such client")
        return Response(status_code=204)

    async def _store(self, before: Client, after: Client, caller: Any) -> None:
        if before.enabled != after.enabled:
            kind = EventType.CLIENT_ENABLED if after.enabled else EventType.CLIENT_DISABLED
            event = self.audit.event(kind, caller, client_id=before.id)
            found = await self.clients.set_enabled(before.id, after.enabled, at=self.now(), event=event)
        else:
            event = self.audit.event(
                EventType.CLIENT_UPDATED, caller, client_id=before.id, changed=_difference(before, after)
            )
            found = await self.clients.update(after, event=event)
        if not found:
            raise NotFound("there is no such client")


async def find_client(clients: ClientStore, request: Request) -> Client:
    """The client that the path names; raises NotFound."""
    named = request.path_params["client_id"]
    client = await clients.get(named) if is_client_id(named) else None
    if client is None:
        raise NotFound("there is no such client")
    return client


def _changed(before: Client, fields: Mapping[str, Any]) -> Client:
    after = replace(before, **fields)
    if after.is_public != before.is_public:
        raise InvalidField("auth_method", "cannot change between public and confidential; register another client")
    check_client(after)
    return after


def _difference(before: Client, after: Client) -> dict[str, object]:
    """Old and new value of what changed, for the audit log; the fields that PATCH takes hold no secrets."""
    old, new = client_body(before), client_body(after)
    return {
        name: {"from": old[name], "to": new[name]}
        for name in old
        if name not in ("secrets", "updated_at") and old[name] != new[name]
    }
