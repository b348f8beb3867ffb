"""Clients that came by themselves and are not used any more are forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.audit import SYSTEM
from authserver.model.client import Client
from authserver.model.time import DAY, Duration
from authserver.registration.budget import Until
from authserver.storage.interface import ClientStore, RegistrationStore, StorageUnavailable

NOTED_EVERY: Final = DAY
BATCH: Final = 100


@dataclass(slots=True)
class ClientUsage:
    store: RegistrationStore
    clients: ClientStore
    audit: AuditLog
    now: Clock
    unused_ttl: Duration
    """How long a client stays that gets no tokens."""
    _noted: Until = field(init=False)

    def __post_init__(self) -> None:
        self._noted = Until(self.now)

    async def note(self, client: Client) -> None:
        """It was given tokens. Costs nothing for clients that administrators made, and little for the others."""
        if client.origin == "admin" or client.id in self._noted:
            return
        now = self.now()
        try:
            await self.store.used(client.id, at=now, interval=NOTED_EVERY)
        except StorageUnavailable:
            return  # the tokens are made by now: they are worth more than this note
        self._noted.put(client.id, now + NOTED_EVERY // 2)

    async def expire(self) -> int:
        """Remove those that are unused for too long, with whatever they may still hold; how many."""
        gone = 0
        while True:
            unused: Sequence[str] = await self.store.unused(before=self.now() - self.unused_ttl, limit=BATCH)
            for client_id in unused:
                gone += await self._remove(client_id)
            if len(unused) < BATCH:
                return gone

    async def _remove(self, client_id: str) -> bool:
        client = await self.clients.get(client_id)
        if client is not None and client.origin == "document" and not client.enabled:
            # Forgotten, it would be an unknown client that is fetched again: it stays what the administrator made it.
            await self.store.used(client_id, at=self.now(), interval=0)
            return False
        event = self.audit.event(EventType.CLIENT_EXPIRED, SYSTEM, client_id=client_id)
        return await self.clients.remove(client_id, at=self.now(), event=event)
