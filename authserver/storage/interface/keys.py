"""The key ring. Every algorithm has keys of its own, which no verb about another one's touches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from authserver.model.audit import AuditEvent
from authserver.model.key import SigningKey
from authserver.model.time import Instant


class KeyStore(Protocol):
    async def all(self) -> Sequence[SigningKey]:
        """Every key that is not purged, by creation."""
        ...

    async def add_announced(self, key: SigningKey, *, event: AuditEvent) -> bool:
        """Publish a key that does not sign yet. At most one per algorithm is announced; False if there is one."""
        ...

    async def activate(
        self, kid: str, *, instead_of: str | None, at: Instant, remove_at: Instant, event: AuditEvent
    ) -> bool:
        """Make the announced key `kid` the one that signs and retire `instead_of` (None: no key is active),
        which stays published until `remove_at`. One atomic step: of many racing callers exactly one gets True,
        and there is never more or, once there was one, less than one active key of an algorithm. False if the two
        are of different ones."""
        ...

    async def replace_now(
        self, key: SigningKey, *, instead_of: str | None, at: Instant, reason: str, event: AuditEvent
    ) -> bool:
        """Emergency: `key` (not stored yet) signs from now on; `instead_of`, and a key of its algorithm that was
        announced, are revoked, with an outbox entry each. True for exactly one of many racing callers."""
        ...

    async def give_up(self, kid: str, *, at: Instant, remove_at: Instant, event: AuditEvent) -> bool:
        """Retire the active key `kid` of an algorithm that is no longer used: nobody takes its place. True for exactly
        one of many racing callers."""
        ...

    async def purge(self, *, now: Instant) -> int:
        """Delete retired and revoked keys whose `remove_at` has passed."""
        ...
