"""A program acting for itself (RFC 6749 section 4.4)."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.model.audit import Caller
from authserver.model.client import Client
from authserver.model.grant import Authorization, Confirmation, Versions
from authserver.oauth.errors import UnauthorizedClient
from authserver.oauth.form import Form
from authserver.oauth.scopes import audience, grant_scope
from authserver.storage.interface import ClientLookup


@dataclass(frozen=True, slots=True)
class ClientCredentialsGrant:
    """A confidential client gets a token of its own: its `sub` is the client (RFC 9068 section 2.2), no
    refresh token, no `sid`. Both versions come from the client look-up; if its cache is behind, the
    token is born revoked."""

    clients: ClientLookup
    issuer: str
    grant_type: str = "client_credentials"

    async def redeem(
        self, client: Client, form: Form, caller: Caller, confirmation: Confirmation | None = None
    ) -> Authorization:
        if client.is_public:
            raise UnauthorizedClient("client_credentials is for confidential clients")
        asked = form.get("scope")
        return Authorization(
            client=client,
            subject=client.id,
            scope=grant_scope(client, asked),
            audience=audience(client, form.all("resource"), self.issuer),
            versions=Versions(0, client.version, await self.clients.issuer_version()),
            scope_asked=None if asked is None else tuple(asked.split()),
            confirmation=confirmation,
        )
