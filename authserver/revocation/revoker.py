"""The one way to take something back: state, outbox rows and audit event together, then the bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.audit import AuditEvent, Caller
from authserver.model.errors import Conflict, NotFound
from authserver.model.revocation import RevocationKind, RevocationOutcome, RevocationTarget
from authserver.revocation.records import key_of
from authserver.storage.channels import tell_revoked
from authserver.storage.interface import Bus, KeyIsUsed, RevocationStore, StorageUnavailable
from authserver.telemetry import REVOCATIONS

EVENT_OF: dict[RevocationKind, EventType] = {
    "jti": EventType.TOKEN_REVOKED,
    "family": EventType.FAMILY_REVOKED,
    "session": EventType.SESSION_REVOKED,
    "user": EventType.USER_REVOKED,
    "client": EventType.CLIENT_REVOKED,
    "kid": EventType.KEY_REVOKED,
    "all": EventType.ISSUER_REVOKED,
}
"""Every revocation is an event of one of these types: together they are the list of past revocations."""


_CONFIGURATION: frozenset[RevocationKind] = frozenset({"client", "kid", "all"})


class WithdrawSigningKey(Protocol):
    """`tokens.rotation.KeyRotation.withdraw`: if this key signs, another one does from its return on, and this one
    is revoked; False, with nothing changed, if it does not sign."""

    async def __call__(self, kid: str, *, caller: Caller, reason: str) -> bool: ...


ATTEMPTS = 2


async def _nobody() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Revoker:
    store: RevocationStore
    bus: Bus
    audit: AuditLog
    now: Clock
    withdraw_signing_key: WithdrawSigningKey
    issuer: str
    changed: Callable[[], Awaitable[None]] = _nobody
    """Told after the commit of what also stands in copies of clients and keys, so that everybody looks again:
    a client must not be handed tokens under the version that was just revoked."""

    async def revoke(self, target: RevocationTarget, *, reason: str, caller: Caller) -> RevocationOutcome:
        """Take `target` back; when this returns, it is refused everywhere and stays so over a crash.

        Raises NotFound for a target that does not exist. A session, family, token or key that was
        revoked before is found and left as it is (`changed` False); for a user, a client or all,
        whatever was born since the last time is ended too. Raises Conflict for a key that others
        put to use and replace again and again meanwhile.
        """
        outcome = await self._done(target, reason, caller)
        if not outcome.found:
            raise unknown(target)
        if outcome.changed:
            REVOCATIONS.inc(target.kind)
            # Only after the commit: whoever is woken must find the change.
            if target.kind in _CONFIGURATION:
                await self.changed()
            await tell_revoked(self.bus)
        return outcome

    async def preview(self, target: RevocationTarget) -> RevocationOutcome:
        """What `revoke` would end; changes nothing. Raises NotFound likewise."""
        outcome = await self.store.preview(target, now=self.now())
        if not outcome.found:
            raise unknown(target)
        return outcome

    async def _done(self, target: RevocationTarget, reason: str, caller: Caller) -> RevocationOutcome:
        """A key may begin to sign between the question whether it does and its end; then it is asked once more."""
        for _ in range(ATTEMPTS):
            with suppress(KeyIsUsed):
                return await self._withdrawn(target, reason, caller) or await self._stored(target, reason, caller)
        raise Conflict("the signing key was changed by somebody else at the same time; look again")

    async def _withdrawn(self, target: RevocationTarget, reason: str, caller: Caller) -> RevocationOutcome | None:
        """The key that signs is replaced in the same step, so that the issuer is never without one."""
        if target.kind != "kid" or not await self.withdraw_signing_key(target.value, caller=caller, reason=reason):
            return None
        outbox_id = None
        with suppress(StorageUnavailable):  # it is withdrawn, and everybody must hear of it
            outbox_id = await self.store.position("kid", target.value, key=key_of("kid", self.issuer, target.value))
        return RevocationOutcome(found=True, changed=True, outbox_id=outbox_id, sessions=0, families=0)

    async def _stored(self, target: RevocationTarget, reason: str, caller: Caller) -> RevocationOutcome:
        event = self._event(target, reason, caller)
        return await self.store.revoke(target, at=self.now(), reason=reason, event=event)

    def _event(self, target: RevocationTarget, reason: str, caller: Caller) -> AuditEvent:
        named = target.value or None
        detail: dict[str, object] = {"target": target.kind}
        if target.kind in ("jti", "family", "kid"):
            detail[_DETAIL_NAME[target.kind]] = target.value
        if reason:
            detail["reason"] = reason
        return self.audit.event(
            EVENT_OF[target.kind],
            caller,
            user_id=named if target.kind == "user" else None,
            client_id=named if target.kind == "client" else None,
            session_id=named if target.kind == "session" else None,
            **detail,
        )


_DETAIL_NAME: dict[RevocationKind, str] = {"jti": "jti", "family": "family_id", "kid": "kid"}
_SPOKEN: dict[RevocationKind, str] = {
    "jti": "token",
    "family": "refresh family",
    "session": "session",
    "user": "user",
    "client": "client",
    "kid": "signing key",
    "all": "issuer",
}


def unknown(target: RevocationTarget) -> NotFound:
    return NotFound(f"there is no such {_SPOKEN[target.kind]}")
