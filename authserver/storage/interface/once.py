"""Values that count once: `jti` of assertions, request objects and DPoP proofs."""

from __future__ import annotations

from typing import Protocol

from authserver.model.time import Instant


class OnceStore(Protocol):
    async def use(self, purpose: str, value: str, *, expires_at: Instant, now: Instant) -> bool:
        """True for exactly one caller, however many race on however many servers, until `expires_at`.

        `purpose` keeps the values of one kind and sender apart from those of others ("assertion <client id>").
        Only a hash is kept. An entry that has expired by `now` counts as never used.
        """
        ...
