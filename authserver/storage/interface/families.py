"""Refresh families: the rotation of their tokens, and their end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from authserver.model.audit import AuditEvent
from authserver.model.grant import Family
from authserver.model.revocation import (
    RevocationOutcome,
)
from authserver.model.time import Duration, Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One presentation of a genuine refresh token (its tag was checked), and the successor it would get."""

    family_id: str
    client_id: str
    presented_hash: bytes = field(repr=False)
    next_hash: bytes = field(repr=False)
    next_salt: bytes = field(repr=False)
    now: Instant
    idle: Duration
    grace: Duration
    bound_to: str | None = None
    """`str(Confirmation)` of the key that this request proved to hold; a family that is bound to another one, or
    to any when this is None, is not touched and the answer is "key"."""
    rotate: bool = True
    """False for a client whose refresh tokens do not rotate: the same checks, nothing moves but
    the idle end (and that lazily)."""


RotationResult = Literal["rotated", "retry", "unchanged"]
RefusalReason = Literal["reused", "revoked", "session_ended", "expired", "key", "unknown"]


class Rotated(NamedTuple):
    family: Family
    """As it stands after the statement: `salt` and `generation` are those of the live successor."""
    result: RotationResult


class RotationRefused(NamedTuple):
    reason: RefusalReason
    """"unknown": no such family, or another client's; the only one that may not be told to the client."""
    family: Family | None = None


class FamilyStore(Protocol):
    async def get(self, family_id: str) -> Family | None:
        """The row as it is, dead or alive; None if unknown."""
        ...

    async def is_alive(self, family_id: str, *, now: Instant) -> bool:
        """Neither dead nor expired, its user and client enabled at its versions, its session not ended."""
        ...

    async def rotate(self, rotation: Rotation, *, reuse_event: AuditEvent) -> Rotated | RotationRefused:
        """Trade the presented secret for its successor. However many race, exactly one gets "rotated";
        the others, and whoever presents the immediate parent within the grace, get "retry" with the *same*
        successor. Any older secret is reuse: the family is dead, its outbox entry and
        `reuse_event` (with the family's user and session filled in) are committed, before this returns "reused";
        nobody else's family is touched.

        Only for a family that is alive (see `is_alive`) and belongs to `client_id`. A rotation never
        moves the absolute end, and the idle end never passes it. A family that is dead gets no grace.
        """
        ...

    async def end(
        self, family_id: str, *, client_id: str | None, at: Instant, reason: str, event: AuditEvent
    ) -> RevocationOutcome:
        """End one family, if it belongs to `client_id` (None: whoever's). Idempotent."""
        ...
