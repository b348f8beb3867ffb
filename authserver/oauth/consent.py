"""What users have allowed clients, remembered until they take it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.audit import Caller
from authserver.model.authorization import Consent
from authserver.model.revocation import RevocationOutcome
from authserver.model.session import Session
from authserver.oauth.flow import PendingRequest
from authserver.storage.channels import tell_revoked
from authserver.storage.interface import Bus, ConsentStore


@dataclass(frozen=True, slots=True)
class Consents:
    consents: ConsentStore
    audit: AuditLog
    bus: Bus
    now: Clock

    async def of(self, user_id: str, client_id: str) -> Consent | None:
        return await self.consents.get(user_id, client_id)

    async def of_user(self, user_id: str) -> Sequence[Consent]:
        """By client id."""
        return await self.consents.of_user(user_id)

    async def remember(self, pending: PendingRequest, session: Session, scope: tuple[str, ...], caller: Caller) -> None:
        """Add what the session's user has just allowed to what they allowed before."""
        request, now = pending.request, self.now()
        consent = Consent(
            user_id=session.user_id,
            client_id=request.client_id,
            scope=scope,
            resources=request.resources,
            authorization_details=request.authorization_details,
            granted_at=now,
            updated_at=now,
        )
        event = self.audit.event(
            EventType.CONSENT_GRANTED,
            caller.acting_as(f"user:{session.user_id}"),
            user_id=session.user_id,
            client_id=request.client_id,
            session_id=session.id,
            scope=list(scope),
            resources=list(request.resources),
        )
        await self.consents.grant(consent, event=event)

    async def withdraw(self, user_id: str, client_id: str, caller: Caller) -> RevocationOutcome:
        """Forget it, and end whatever the client still has of this user; `found` is False if there was neither."""
        event = self.audit.event(EventType.CONSENT_WITHDRAWN, caller, user_id=user_id, client_id=client_id)
        outcome = await self.consents.withdraw(user_id, client_id, at=self.now(), event=event)
        if outcome.changed:
            await tell_revoked(self.bus)
        return outcome
