"""Authorization requests that were pushed, and the codes they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from authserver.model.audit import AuditEvent
from authserver.model.authorization import AuthorizationCode, PushedRequest
from authserver.model.grant import Family, Versions
from authserver.model.revocation import RevocationOutcome
from authserver.model.session import Session
from authserver.model.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFamilies:
    """What a redeemed code (or device code) opens: a family under the browser session that gave it and, for offline
    access, a session of kind "token" with a family that outlives the log-out."""

    family: Family
    offline: tuple[Session, Family] | None = None
    client_version: int | None = None
    """What the client's version was when this was authorized; with another one by now it is over."""


class Redeemed(NamedTuple):
    """`versions` were read by the statement that wrote the families."""

    versions: Versions
    offline_versions: Versions | None = None


RedeemRefusal = Literal["spent", "expired", "over"]
"""Redeemed before; too late; the session, the user or the client is not alive any more (and the code is spent)."""


class AuthorizationStore(Protocol):
    async def push(self, pushed: PushedRequest) -> None: ...

    async def pushed(self, handle_hash: bytes, *, now: Instant) -> PushedRequest | None:
        """If it is neither spent nor expired. Looking at it spends nothing."""
        ...

    async def add_code(
        self, code: AuthorizationCode, *, pushed: bytes | None, consented: bool = False, event: AuditEvent
    ) -> bool:
        """Keep a code and spend the pushed request it answers, in one transaction. False, with nothing kept, when
        that request is spent, expired at `code.created_at` or gone: one request, one code, however many race.
        `consented`: False also when the user has allowed this client nothing (any more); a withdrawal waits for this
        transaction, and takes its code back."""
        ...

    async def code(self, handle_hash: bytes) -> AuthorizationCode | None:
        """As it is, spent or expired or not; None if unknown or purged. Kept past its end for as long as anything that
        it gave may live, so that a replay is known for what it is."""
        ...

    async def redeem(
        self, handle_hash: bytes, *, at: Instant, first: FirstFamilies, event: AuditEvent
    ) -> Redeemed | RedeemRefusal:
        """Spend a code and open its families, in one transaction: exactly one of racing callers gets `Redeemed`.

        Holds the browser session's row, so that an end of it either sees the family or makes this "over", which is
        committed too: that code is spent. Versions as in `SessionStore.begin`.
        """
        ...

    async def replayed(self, family_id: str, *, at: Instant, event: AuditEvent) -> RevocationOutcome:
        """A code that was redeemed has come again: end everything it gave, the family with this id and the offline
        session that was opened beside it. Idempotent; the event is written when something changed."""
        ...
