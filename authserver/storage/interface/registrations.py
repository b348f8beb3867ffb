"""Clients that came by themselves, and the tokens that let them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from authserver.model.audit import AuditEvent
from authserver.model.client import Client
from authserver.model.registration import InitialAccessToken, Registration
from authserver.model.time import Instant


class RegistrationStore(Protocol):
    async def add_initial_token(self, token: InitialAccessToken, *, event: AuditEvent) -> None: ...

    async def initial_tokens(self) -> Sequence[InitialAccessToken]:
        """All of them, oldest first, expired and used up ones too until they are purged."""
        ...

    async def remove_initial_token(self, token_id: str, *, event: AuditEvent) -> bool: ...

    async def initial_token(self, sha256: bytes, *, now: Instant) -> InitialAccessToken | None:
        """If it is neither expired nor used up."""
        ...

    async def register(self, client: Client, registration: Registration, *, event: AuditEvent) -> bool:
        """Store client, registration and one use of its initial token, if it has one, in one transaction. False, with
        nothing stored, when that token is expired or used up by now. Raises AlreadyExists when the id is taken."""
        ...

    async def get(self, client_id: str) -> Registration | None: ...

    async def replace(
        self, client: Client, registration: Registration, *, unless_changed_since: Instant, event: AuditEvent | None
    ) -> bool:
        """Change client and registration together; the client as in `ClientStore.update`, its secrets too (those of
        `client` instead of the stored ones), and token, freshness and etag of the registration. None as event:
        nothing but these changed, and the client is not written. False as in `ClientStore.update`, or when the
        client has no registration."""
        ...

    async def used(self, client_id: str, *, at: Instant, interval: int) -> None:
        """Note a use, unless one was noted within the last `interval` milliseconds."""
        ...

    async def unused(self, *, before: Instant, limit: int) -> Sequence[str]:
        """Ids of clients that were last used, or registered, before this moment and were never used since."""
        ...
