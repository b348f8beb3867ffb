"""How often strangers may come: per address and altogether, in the database, so that it holds on all nodes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from authserver.accounts.throttle import network_of
from authserver.clock import Clock
from authserver.model.errors import TooManyRequests
from authserver.model.time import HOUR, SECOND
from authserver.storage.interface import ThrottleStore


@dataclass(frozen=True, slots=True)
class RegistrationLimits:
    """Rates an hour; as many may come at once."""

    store: ThrottleStore
    now: Clock
    per_address: int
    altogether: int

    async def admit(self, address: str) -> None:
        """Count one attempt to register, whatever comes of it. Raises TooManyRequests."""
        await self._count("registration from", network_of(address), self.per_address)
        await self._count("registration", "", self.altogether)

    async def admit_change(self, client_id: str) -> None:
        """Count a change that a client makes to itself."""
        await self._count("registration of", client_id, self.per_address)

    async def _count(self, what: str, of: str, rate: int) -> None:
        bucket = hashlib.sha256(f"{what}\0{of}".encode()).digest()
        wait = await self.store.admit(bucket, burst=rate, interval=max(1, HOUR // rate), now=self.now())
        if wait:
            raise TooManyRequests("too many registrations; wait", retry_after=-(-wait // SECOND), detail=what)
