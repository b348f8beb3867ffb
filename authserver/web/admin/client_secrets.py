"""/admin/clients/{client_id}/secrets: a new secret beside the old ones, so that rotating one is no outage."""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.client import ClientSecret
from authserver.model.errors import Conflict, NotFound
from authserver.model.inputs import is_uuid
from authserver.model.time import DAY, SECOND, Instant
from authserver.storage.interface import ClientStore
from authserver.tokens.handles import new_client_secret
from authserver.web.admin.clients import find_client
from authserver.web.admin.fields import nullable, read_fields, seconds
from authserver.web.admin.guard import CLIENTS, AdminGuard
from authserver.web.admin.last_admin import LastAdmin
from authserver.web.admin.render import answer, secret_body
from authserver.web.forms import read_json

MOST_LIVE_SECRETS = 10
_FIELDS = {"retire_others_in": nullable(seconds(0, 366 * DAY // SECOND))}


@dataclass(frozen=True, slots=True)
class AdminClientSecretsEndpoint:
    """The collection: POST adds a secret. Lists stand in the client itself."""

    guard: AdminGuard
    clients: ClientStore
    audit: AuditLog
    now: Clock

    async def post(self, request: Request) -> Response:
        """201 with `client_secret`, shown once. `retire_others_in` (seconds; 0: at once): when the others end."""
        administrator = await self.guard.admit(request, CLIENTS)
        retire_in = read_fields(await read_json(request), _FIELDS).get("retire_others_in")
        client = await find_client(self.clients, request)
        await self.guard.may_manage(administrator, client)
        if client.is_public:
            raise Conflict("this client is public: it has no secrets")
        now = self.now()
        if retire_in is None and len(living(client.secrets, now)) >= MOST_LIVE_SECRETS:
            raise Conflict(f"this client has {MOST_LIVE_SECRETS} secrets; remove one first")
        text, digest = new_client_secret()
        secret = ClientSecret(id=uuid7(now), sha256=digest, created_at=now)
        retire_at = now + retire_in if isinstance(retire_in, int) else None
        event = self.audit.event(
            EventType.CLIENT_SECRET_ADDED,
            administrator.caller,
            client_id=client.id,
            secret_id=secret.id,
            retire_others_at=retire_at,
        )
        if not await self.clients.add_secret(client.id, secret, retire_others_at=retire_at, event=event):
            raise NotFound("there is no such client")
        return answer({"client_id": client.id, **secret_body(secret), "client_secret": text}, 201)


@dataclass(frozen=True, slots=True)
class AdminClientSecretEndpoint:
    """One secret: DELETE /admin/clients/{client_id}/secrets/{secret_id}."""

    guard: AdminGuard
    clients: ClientStore
    last_admin: LastAdmin
    audit: AuditLog

    async def delete(self, request: Request) -> Response:
        """It authenticates nobody from now on; 204. Tokens it already got stay: revoke the client for those."""
        administrator = await self.guard.admit(request, CLIENTS)
        secret_id = request.path_params["secret_id"]
        async with self.last_admin.turn:
            client = await find_client(self.clients, request)
            await self.guard.may_manage(administrator, client)
            left = tuple(secret for secret in client.secrets if secret.id != secret_id)
            await self.last_admin.allow(client, replace(client, secrets=left))
            event = self.audit.event(
                EventType.CLIENT_SECRET_REMOVED, administrator.caller, client_id=client.id, secret_id=secret_id
            )
            if not is_uuid(secret_id) or not await self.clients.remove_secret(client.id, secret_id, event=event):
                raise NotFound("this client has no such secret")
        return Response(status_code=204)


def living(secrets: tuple[ClientSecret, ...], now: Instant) -> list[ClientSecret]:
    return [secret for secret in secrets if secret.expires_at is None or secret.expires_at > now]
