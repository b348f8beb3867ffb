"""What users have allowed clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from authserver.model.audit import AuditEvent
from authserver.model.authorization import Consent
from authserver.model.revocation import RevocationOutcome
from authserver.model.time import Instant


class ConsentStore(Protocol):
    async def get(self, user_id: str, client_id: str) -> Consent | None: ...

    async def grant(self, consent: Consent, *, event: AuditEvent) -> None:
        """Add to what was allowed before: scopes, resources and details are united, `granted_at` stays the first."""
        ...

    async def of_user(self, user_id: str) -> Sequence[Consent]:
        """By client id."""
        ...

    async def withdraw(self, user_id: str, client_id: str, *, at: Instant, event: AuditEvent) -> RevocationOutcome:
        """Forget it and end every family of this user and client (and the sessions of kind "token" that live through
        nothing else), one outbox entry each. `found` is False when there was neither consent nor family."""
        ...
