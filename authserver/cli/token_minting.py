"""An access token for a program, minted by whoever holds the master key, and audited as such."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authserver.audit.events import EventType
from authserver.model.audit import Caller
from authserver.model.errors import Forbidden, NotFound
from authserver.model.grant import Authorization, Versions
from authserver.oauth.scopes import audience, grant_scope

if TYPE_CHECKING:
    from authserver.model.client import Client
    from authserver.services import Services


async def mint(
    services: Services, client_id: str, scope: str | None, resources: list[str], caller: Caller
) -> dict[str, object]:
    """What POST /token would answer to the client itself; raises NotFound, Forbidden, InvalidScope, InvalidTarget.

    Only for a client's own tokens: one for a user would be impersonation, which needs a trail
    in the token itself.
    """
    client = await services.clients.get(client_id)
    if client is None:
        raise NotFound(f"there is no client {client_id}")
    _may_have_tokens(client)
    granted = grant_scope(client, scope)
    minted = await services.issuance.access_token(
        Authorization(
            client=client,
            subject=client.id,
            scope=granted,
            audience=audience(client, resources, services.issuer),
            versions=Versions(0, client.version, await services.clients.issuer_version()),
        )
    )
    await services.audit_store.append(
        services.audit.event(EventType.TOKEN_ISSUED, caller, client_id=client.id, jti=minted.jti, scope=list(granted))
    )
    return {
        "access_token": minted.token,
        "token_type": "Bearer",
        "expires_in": minted.expires_in,
        "scope": " ".join(granted),
    }


def _may_have_tokens(client: Client) -> None:
    if client.is_public:
        raise Forbidden("a public client has no tokens of its own: its users log in")
    if not client.enabled:
        raise Forbidden(f"client {client.id} is disabled")
