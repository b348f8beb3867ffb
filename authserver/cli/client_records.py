"""What the admin API does to clients, for the operator at the command line: the same fields and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from authserver.audit.events import EventType
from authserver.ids import uuid7
from authserver.model.audit import Caller
from authserver.model.client import Client, ClientSecret
from authserver.model.errors import Conflict, NotFound
from authserver.model.inputs import InvalidField
from authserver.model.time import Duration
from authserver.storage.interface import AlreadyExists
from authserver.tokens.handles import new_client_secret
from authserver.web.admin.fields import check_client, client_id, client_readers, read_fields
from authserver.web.admin.render import client_body, secret_body

if TYPE_CHECKING:
    from authserver.services import Services


async def find(services: Services, named: str) -> Client:
    """Raises NotFound."""
    client = await services.clients.get(named)
    if client is None:
        raise NotFound(f"there is no client {named}")
    return client


async def register(services: Services, body: Mapping[str, object], caller: Caller) -> dict[str, object]:
    """The new client and, if it is confidential, its secret; raises InvalidField, Conflict."""
    fields: dict[str, Any] = read_fields(body, {"client_id": client_id, **_readers(services)})
    fields.setdefault("auth_method", "client_secret_basic")
    public = fields["auth_method"] == "none"
    fields.setdefault("grant_types", ("refresh_token",) if public else ("client_credentials",))
    now = services.now()
    client = Client(id=fields.pop("client_id"), created_at=now, updated_at=now, **fields)
    check_client(client)
    secret, digest = (None, b"") if public else new_client_secret()
    if secret is not None:
        client = replace(client, secrets=(ClientSecret(id=uuid7(now), sha256=digest, created_at=now),))
    event = services.audit.event(
        EventType.CLIENT_CREATED,
        caller,
        client_id=client.id,
        scopes=list(client.scopes),
        grant_types=list(client.grant_types),
    )
    try:
        await services.clients.add(client, event=event)
    except AlreadyExists:
        raise Conflict(f"there is a client {client.id} already") from None
    return client_body(client) if secret is None else {**client_body(client), "client_secret": secret}


async def change(services: Services, named: str, body: Mapping[str, object], caller: Caller) -> dict[str, object]:
    """The client as it is afterwards; raises InvalidField, NotFound."""
    fields: dict[str, Any] = read_fields(body, _readers(services))
    before = await find(services, named)
    after = replace(before, updated_at=services.now(), **fields)
    if after.is_public != before.is_public:
        raise InvalidField("auth_method", "cannot change between public and confidential; register another client")
    check_client(after)
    event = services.audit.event(EventType.CLIENT_UPDATED, caller, client_id=named, changed=sorted(fields))
    return await _after(services, named, await services.clients.update(after, event=event))


async def set_enabled(services: Services, named: str, enabled: bool, caller: Caller) -> dict[str, object]:
    kind = EventType.CLIENT_ENABLED if enabled else EventType.CLIENT_DISABLED
    event = services.audit.event(kind, caller, client_id=named)
    found = await services.clients.set_enabled(named, enabled, at=services.now(), event=event)
    return await _after(services, named, found)


async def add_secret(services: Services, named: str, overlap: Duration | None, caller: Caller) -> dict[str, object]:
    """A new secret, shown once; the others end after `overlap` (None: not because of this)."""
    client = await find(services, named)
    if client.is_public:
        raise Conflict(f"client {named} is public: it has no secrets")
    now = services.now()
    text, digest = new_client_secret()
    secret = ClientSecret(id=uuid7(now), sha256=digest, created_at=now)
    retire_at = None if overlap is None else now + overlap
    event = services.audit.event(
        EventType.CLIENT_SECRET_ADDED, caller, client_id=named, secret_id=secret.id, retire_others_at=retire_at
    )
    found = await services.clients.add_secret(named, secret, retire_others_at=retire_at, event=event)
    await _after(services, named, found)
    return {"client_id": named, **secret_body(secret), "client_secret": text}


async def remove(services: Services, named: str, caller: Caller) -> None:
    event = services.audit.event(EventType.CLIENT_REMOVED, caller, client_id=named)
    if not await services.clients.remove(named, at=services.now(), event=event):
        raise NotFound(f"there is no client {named}")


def _readers(services: Services) -> dict[str, Any]:
    return client_readers(services.grants, services.access_token_ttl)


async def _after(services: Services, named: str, found: bool) -> dict[str, object]:
    if not found:
        raise NotFound(f"there is no client {named}")
    return client_body(await find(services, named))
