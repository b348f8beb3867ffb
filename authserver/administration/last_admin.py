"""The rule that somebody can always administer: the last client able to is neither disabled nor stripped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from authserver.administration.scopes import ADMIN
from authserver.model.client import Client
from authserver.model.errors import Conflict
from authserver.model.page import PageRequest
from authserver.oauth.scopes import resources_of
from authserver.storage.interface import ClientStore


@dataclass(frozen=True, slots=True)
class LastAdmin:
    clients: ClientStore
    issuer: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from the check to the write: two administrators cannot remove each other in this process.
    On two nodes they can; the command line then makes a new one."""

    def can_administer(self, client: Client) -> bool:
        """Whether it can get itself an admin token, now and later."""
        lasting = not client.uses_secret or any(secret.expires_at is None for secret in client.secrets)
        return (
            client.enabled
            and not client.is_public
            and lasting
            and ADMIN in client.scopes
            and "client_credentials" in client.grant_types
            and self.issuer in resources_of(client, self.issuer)
        )

    async def allow(self, before: Client, after: Client | None) -> None:
        """Raises Conflict when `before` is the last one that can administer and `after` (None: removed) cannot."""
        if not self.can_administer(before) or (after is not None and self.can_administer(after)):
            return
        if not await self._another(before.id):
            raise Conflict("this is the last client that can administer this server; make another one first")

    async def _another(self, client_id: str) -> bool:
        page = await self.clients.list(PageRequest(limit=200))
        while True:
            if any(client.id != client_id and self.can_administer(client) for client in page.items):
                return True
            if page.next_after is None:
                return False
            page = await self.clients.list(PageRequest(limit=200, after=page.next_after))
