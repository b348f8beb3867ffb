"""Clients in the process's memory, in front of the database.

A client is needed by every token request and changes rarely. Two things keep the copy honest: the follower
(see `app`) asks the database for `config_version` several times a second and empties the cache when it moved;
and when that confirmation has not come for `max_age`, the cache steps aside and every question goes to the
database. So a client disabled elsewhere is refused within that time whatever fails.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

from authserver.model.audit import AuditEvent
from authserver.model.client import Client, ClientSecret
from authserver.model.page import Page, PageRequest
from authserver.model.time import Instant
from authserver.storage.channels import tell_revoked
from authserver.storage.interface import Bus, ClientLookup, ClientStore

_ISSUER = "\0issuer"
"""Never a client id."""


@dataclass(slots=True)
class CachedClients:
    """A `ClientLookup` in front of a `ClientLookup`."""

    clients: ClientLookup
    size: int = 1000
    max_age: float = 2.0
    """Seconds without a confirmation after which nothing is served from memory."""
    _entries: OrderedDict[str, Client | int] = field(default_factory=OrderedDict)
    _confirmed_at: float = float("-inf")
    _epoch: int = 0

    async def get(self, client_id: str) -> Client | None:
        entry = self._fresh(client_id)
        if isinstance(entry, Client):
            return entry
        epoch = self._epoch
        client = await self.clients.get(client_id)
        # Unknown clients are not remembered: a flood of made-up ids would push out the real ones.
        if client is not None:
            self._keep(client_id, client, epoch)
        return client

    async def issuer_version(self) -> int:
        entry = self._fresh(_ISSUER)
        if isinstance(entry, int):
            return entry
        epoch = self._epoch
        version = await self.clients.issuer_version()
        self._keep(_ISSUER, version, epoch)
        return version

    def invalidate(self) -> None:
        """Forget everything, also what is being read right now: it may be from before the change."""
        self._entries.clear()
        self._epoch += 1

    def confirm(self) -> None:
        """The database has just said that nothing changed since the last `invalidate`."""
        self._confirmed_at = monotonic()

    @property
    def age(self) -> float:
        """Seconds since the last confirmation."""
        return monotonic() - self._confirmed_at

    def _fresh(self, key: str) -> Client | int | None:
        if self.age > self.max_age:
            return None
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def _keep(self, key: str, value: Client | int, epoch: int) -> None:
        if epoch != self._epoch:
            return
        self._entries[key] = value
        if len(self._entries) > self.size:
            self._entries.popitem(last=False)


@dataclass(frozen=True, slots=True)
class AnnouncedClients:
    """A `ClientStore` that says so after each change, so that this process and the others look again at once."""

    store: ClientStore
    changed: Callable[[], Awaitable[None]]
    bus: Bus

    async def get(self, client_id: str) -> Client | None:
        return await self.store.get(client_id)

    async def issuer_version(self) -> int:
        return await self.store.issuer_version()

    async def list(self, page: PageRequest, *, query: str | None = None) -> Page[Client]:
        return await self.store.list(page, query=query)

    async def add(self, client: Client, *, event: AuditEvent) -> None:
        await self.store.add(client, event=event)
        await self.changed()

    async def update(self, client: Client, *, unless_changed_since: Instant, event: AuditEvent) -> bool:
        return await self._then(self.store.update(client, unless_changed_since=unless_changed_since, event=event))

    async def set_enabled(self, client_id: str, enabled: bool, *, at: Instant, event: AuditEvent) -> bool:
        done = await self._then(self.store.set_enabled(client_id, enabled, at=at, event=event))
        return done if enabled else await self._revoked(done)

    async def add_secret(
        self, client_id: str, secret: ClientSecret, *, retire_others_at: Instant | None, event: AuditEvent
    ) -> bool:
        return await self._then(
            self.store.add_secret(client_id, secret, retire_others_at=retire_others_at, event=event)
        )

    async def remove_secret(self, client_id: str, secret_id: str, *, event: AuditEvent) -> bool:
        return await self._then(self.store.remove_secret(client_id, secret_id, event=event))

    async def remove(self, client_id: str, *, at: Instant, event: AuditEvent) -> bool:
        return await self._revoked(await self._then(self.store.remove(client_id, at=at, event=event)))

    async def _then(self, change: Awaitable[bool]) -> bool:
        done = await change
        if done:
            await self.changed()
        return done

    async def _revoked(self, done: bool) -> bool:
        if done:
            await tell_revoked(self.bus)
        return done
