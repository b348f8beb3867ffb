"""Clients whose id is the URL of their metadata: looked up by fetching it, and kept like any other client.

A decorator in front of the look-up of clients, so that whoever asks for a client by its id (the authorization endpoint,
pushed requests, client authentication) gets one of these as well. It never raises for what a stranger's server does:
a client that cannot be described is an unknown client, and the log says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from authserver import telemetry
from authserver.accounts.throttle import network_of
from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.audit import Caller
from authserver.model.client import Client
from authserver.model.registration import Registration
from authserver.model.time import SECOND, Duration, Instant
from authserver.oauth.client_ids import host_of, is_document_id
from authserver.outgoing import Fetched, OutgoingError, OutgoingFailed
from authserver.registration.budget import Burst, Until
from authserver.registration.document import LONGEST, MAX_BYTES, DocumentRules, blank, kept_for
from authserver.registration.service import differing
from authserver.storage.interface import AlreadyExists, ClientLookup, RegistrationStore

NEGATIVE: Final = 30 * SECOND
"""How long an address that gave no document is left alone: long enough to stop floods, short enough to mend it."""
TIMEOUT: Final = 3 * SECOND
AT_ONCE: Final = 24
"""Fetches of one process, fewer than `outgoing` allows in all; more are not queued, their clients are unknown for the
moment."""
ADDRESS_BURST, ADDRESS_INTERVAL = 20, 6 * SECOND
"""New documents on behalf of one network address."""
HOST_BURST, HOST_INTERVAL = 20, 3 * SECOND
"""Requests to one host."""


class NotNow(OutgoingFailed):
    """Nobody was asked: our own limits forbid it for the moment."""


_log = telemetry.logger("authserver.registration")


class Fetches(Protocol):
    """`outgoing.Outgoing`."""

    async def get(
        self,
        url: str,
        *,
        accept: str = ...,
        max_bytes: int = ...,
        timeout: Duration | None = ...,
        headers: Mapping[str, str] | None = ...,
    ) -> Fetched: ...


@dataclass(slots=True)
class DocumentClients:
    """A `ClientLookup` in front of a `ClientLookup`."""

    on: bool
    """Off: what came from a document is no client any more."""
    loopback: bool
    clients: ClientLookup
    """The fast way."""
    stored: ClientLookup
    """The exact way."""
    store: RegistrationStore
    outgoing: Fetches
    rules: DocumentRules
    audit: AuditLog
    changed: Callable[[], Awaitable[None]]
    now: Clock
    _fresh: Until = field(init=False)
    _failed: Until = field(init=False)
    _refused: Until = field(init=False)
    _hosts: Burst = field(init=False)
    _callers: Burst = field(init=False)
    _running: dict[str, asyncio.Task[Client | None]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._fresh, self._failed, self._refused = Until(self.now), Until(self.now), Until(self.now)
        self._hosts = Burst(HOST_BURST, HOST_INTERVAL, self.now)
        self._callers = Burst(ADDRESS_BURST, ADDRESS_INTERVAL, self.now)

    async def issuer_version(self) -> int:
        return await self.clients.issuer_version()

    async def get(self, client_id: str) -> Client | None:
        if not client_id.startswith(("https:", "http:")):
            return await self.clients.get(client_id)
        if not self.on or not is_document_id(client_id, loopback=self.loopback):
            return None
        known = await self.clients.get(client_id)
        if known is not None and (not known.enabled or await self._is_fresh(client_id)):
            return known
        return await self._looked_up(client_id)

    async def _is_fresh(self, client_id: str) -> bool:
        if client_id in self._fresh:
            return True
        registration = await self.store.get(client_id)
        if registration is None or registration.fresh_until is None or registration.fresh_until <= self.now():
            return False
        self._fresh.put(client_id, registration.fresh_until)
        return True

    async def _looked_up(self, client_id: str) -> Client | None:
        """One fetch in flight for each; whoever asks meanwhile gets its answer, also when the first one has gone."""
        running = self._running.get(client_id)
        if running is None:
            running = asyncio.create_task(self._refreshed(client_id))
            self._running[client_id] = running
            running.add_done_callback(lambda done: self._ended(client_id, done))
        return await asyncio.shield(running)

    def _ended(self, client_id: str, task: asyncio.Task[Client | None]) -> None:
        self._running.pop(client_id, None)
        if not task.cancelled():
            task.exception()  # told to those who waited for it, if any still did

    async def _refreshed(self, client_id: str) -> Client | None:
        before, registration = await self.stored.get(client_id), await self.store.get(client_id)
        if client_id in self._refused or (before is not None and before.origin != "document"):
            return None
        try:
            return await self._fetch_and_keep(client_id, before, registration)
        except OutgoingError as error:
            _log.info("client document refused", client_id=client_id, why=error.why, detail=str(error))
            is_final = not isinstance(error, OutgoingFailed)
            if not isinstance(error, NotNow):
                (self._refused if is_final else self._failed).put(client_id, self.now() + NEGATIVE)
            return None if is_final or not self._lasts(registration) else before

    def _lasts(self, registration: Registration | None) -> bool:
        """While a client's server is down, what it said last holds for a day at most after it was to be asked again."""
        until = None if registration is None else registration.fresh_until
        return until is not None and self.now() < until + LONGEST

    async def _fetch_and_keep(
        self, client_id: str, before: Client | None, registration: Registration | None
    ) -> Client | None:
        """Raises OutgoingError."""
        self._require_budget(client_id, is_new=before is None)
        etag = None if registration is None else registration.etag
        headers = {"If-None-Match": etag} if etag and before is not None else None
        fetched = await self.outgoing.get(
            client_id, accept="application/json", max_bytes=MAX_BYTES, timeout=TIMEOUT, headers=headers
        )
        now = self.now()
        until = now + kept_for(fetched)
        if fetched.status == 304 and before is not None and registration is not None and etag:
            return await self._keep(before, before, replace(registration, fresh_until=until))
        client = self.rules.client(fetched, before or blank(client_id, now))
        etag = _etag(fetched)
        if before is None or registration is None:
            return await self._add(
                client,
                Registration(client_id=client_id, created_at=now, used_at=now, fresh_until=until, etag=etag),
            )
        return await self._keep(before, client, replace(registration, fresh_until=until, etag=etag))

    def _require_budget(self, client_id: str, *, is_new: bool) -> None:
        """Raises NotNow. What is known already is not kept from being asked again by who asks for others."""
        if client_id in self._failed:
            raise NotNow("gave no document a moment ago")
        if len(self._running) > AT_ONCE:
            raise NotNow("has to wait: too many documents are being fetched")
        if is_new and not self._callers.admits(network_of(telemetry.address.get())):
            raise NotNow("has to wait: too many new documents were asked for from one place")
        if not self._hosts.admits(host_of(client_id) or ""):
            raise NotNow("has to wait: its host was asked too often")

    async def _add(self, client: Client, registration: Registration) -> Client | None:
        event = self.audit.event(
            EventType.CLIENT_REGISTERED, _caller(client.id), client_id=client.id, name=client.name, origin="document"
        )
        try:
            await self.store.register(client, registration, event=event)
        except AlreadyExists:  # another process was faster
            return await self.stored.get(client.id)
        return await self._settled(client.id, registration.fresh_until)

    async def _keep(self, before: Client, after: Client, registration: Registration) -> Client | None:
        event = None
        if after != before:
            after = replace(after, updated_at=self.now())
            changed = differing(before, after)
            event = self.audit.event(EventType.CLIENT_UPDATED, _caller(before.id), client_id=before.id, changed=changed)
        await self.store.replace(after, registration, unless_changed_since=before.updated_at, event=event)
        if event is not None:
            await self.changed()
        return await self._settled(before.id, registration.fresh_until)

    async def _settled(self, client_id: str, fresh_until: Instant | None) -> Client | None:
        """As it is stored: an administrator may have been there meanwhile."""
        self._failed.drop(client_id)
        self._refused.drop(client_id)
        self._fresh.put(client_id, fresh_until or 0)
        return await self.stored.get(client_id)


def _etag(fetched: Fetched) -> str | None:
    etag = fetched.headers.get("etag", "")
    return etag if 0 < len(etag) <= 200 and etag.isascii() and etag.isprintable() else None


def _caller(client_id: str) -> Caller:
    return Caller(actor=f"client:{client_id}", address=telemetry.address.get(), request_id=telemetry.request_id.get())
