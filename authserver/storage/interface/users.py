"""Accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from authserver.model.account import User
from authserver.model.audit import AuditEvent
from authserver.model.page import Page, PageRequest
from authserver.model.time import Instant


class UserStore(Protocol):
    async def get(self, user_id: str) -> User | None: ...

    async def by_username(self, username_key: str) -> User | None: ...

    async def add(self, user: User, *, event: AuditEvent) -> None:
        """Raises AlreadyExists when username_key or id is taken."""
        ...

    async def set_enabled(self, user_id: str, enabled: bool, *, at: Instant, event: AuditEvent) -> bool:
        """Disabling also moves the revocation version on: every session, family and token of the
        user is dead at once, and stays so when the user is enabled again."""
        ...

    async def set_password(self, user_id: str, password_hash: str, *, at: Instant, event: AuditEvent) -> bool:
        """Also moves the revocation version on: whoever was logged in with the old password is out."""
        ...

    async def rehash_password(self, user_id: str, old_hash: str, new_hash: str) -> bool:
        """The same password under stronger parameters: revokes nothing; only if `old_hash` still stands."""
        ...

    async def set_claims(
        self,
        user_id: str,
        claims: Mapping[str, object],
        *,
        instead_of: Mapping[str, object],
        at: Instant,
        event: AuditEvent,
    ) -> bool:
        """Replace what is said about a user, in one statement; False, with nothing written, when the user is gone or
        what is stored is not `instead_of` any more. Nobody is logged out by it."""
        ...

    async def remove(self, user_id: str, *, at: Instant, event: AuditEvent) -> bool:
        """Delete the user, sessions and families; an outbox entry refuses every token issued before."""
        ...

    async def list(self, page: PageRequest, *, query: str | None = None, enabled: bool | None = None) -> Page[User]:
        """By id, that is by age. `query` matches a part of the username, case-insensitively."""
        ...
