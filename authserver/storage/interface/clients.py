"""Clients and their secrets."""

from __future__ import annotations

from typing import Protocol

from authserver.model.audit import AuditEvent
from authserver.model.client import Client, ClientSecret
from authserver.model.page import Page, PageRequest
from authserver.model.time import Instant


class ClientLookup(Protocol):
    """The one verb the hot paths need; a cache may stand in front of it."""

    async def get(self, client_id: str) -> Client | None:
        """The client with its unexpired and expired secrets, enabled or not; None if unknown."""
        ...

    async def issuer_version(self) -> int:
        """The issuer's revocation version, the `i` of `rv`.

        A cache in front may be behind: the token then carries an old version and is refused
        everywhere, so staleness here fails closed.
        """
        ...


class ClientStore(ClientLookup, Protocol):
    async def add(self, client: Client, *, event: AuditEvent) -> None:
        """Store a new client; raises AlreadyExists when the id is taken."""
        ...

    async def update(self, client: Client, *, unless_changed_since: Instant, event: AuditEvent) -> bool:
        """Unless it was changed since the moment `unless_changed_since`, its `updated_at` when it was read,
        replace name, auth_method, grant_types, scopes, resources, audiences, redirect_uris,
        first_party, refresh_rotation, access_token_ttl, updated_at and every field without a column of its own.
        Never `enabled`, `version` or secrets. False if unknown, or changed by somebody else."""
        ...

    async def set_enabled(self, client_id: str, enabled: bool, *, at: Instant, event: AuditEvent) -> bool:
        """Disabling also moves the revocation version on, so that nothing issued before comes
        back to life when the client is enabled again. False if unknown."""
        ...

    async def add_secret(
        self, client_id: str, secret: ClientSecret, *, retire_others_at: Instant | None, event: AuditEvent
    ) -> bool:
        """Add a secret; the others end at `retire_others_at` (or earlier, where they did), None
        leaves them. It moves the client's `updated_at` on. False if the client is unknown."""
        ...

    async def remove_secret(self, client_id: str, secret_id: str, *, event: AuditEvent) -> bool:
        """It moves the client's `updated_at` on. False if there is no such secret."""
        ...

    async def remove(self, client_id: str, *, at: Instant, event: AuditEvent) -> bool:
        """Delete the client and end its families; tokens it was issued are refused from now on
        (an outbox entry says so, whose version is past every one issued)."""
        ...

    async def list(self, page: PageRequest, *, query: str | None = None) -> Page[Client]:
        """By id. `query` matches a part of id or name, case-insensitively; wildcards are literal."""
        ...
