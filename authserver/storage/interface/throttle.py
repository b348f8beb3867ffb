"""Attempts, counted."""

from __future__ import annotations

from typing import Protocol

from authserver.model.time import Duration, Instant


class ThrottleStore(Protocol):
    """A generic cell rate limiter per bucket, in the database: it survives restarts and holds on all nodes."""

    async def admit(self, bucket: bytes, *, burst: int, interval: Duration, now: Instant) -> Duration:
        """Count one attempt. 0: admitted; else how long until the next one would be, and nothing was counted.
        `burst` attempts at once, then one per `interval`. One atomic statement: racing callers cannot
        get more than `burst` admitted."""
        ...

    async def refund(self, bucket: bytes, *, interval: Duration) -> None:
        """Take one counted attempt back (it was a success)."""
        ...
