"""The outbox of back-channel logout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from authserver.model.logout import LogoutDelivery
from authserver.model.time import Duration, Instant


class LogoutStore(Protocol):
    """Triggers note who was logged out in the transaction that did it; deliveries are made from that."""

    async def expand(self, *, limit: int, now: Instant) -> int:
        """Turn up to `limit` entries of the outbox into deliveries, one per family that had `openid` in its scope and
        whose client has a `backchannel_logout_uri`, and forget them; how many entries were taken. One transaction;
        several processes may do it at once (SKIP LOCKED), none twice."""
        ...

    async def due(self, *, now: Instant, lease: Duration, limit: int) -> Sequence[LogoutDelivery]:
        """Deliveries whose time has come, each handed to one caller: `next_at` moves to now + lease and `attempts`
        counts up before this returns, so that a process that dies loses nothing and repeats little."""
        ...

    async def delivered(self, delivery_id: str) -> None: ...

    async def failed(self, delivery_id: str, *, next_at: Instant | None, problem: str) -> None:
        """Try again at `next_at`; None: give it up."""
        ...

    async def waiting(self) -> int:
        """How many are still to be delivered, entries of the outbox included."""
        ...
