"""How often clients that prove nothing may leave something behind: a pushed request, a device that waits.

Counted for the network that a request comes from, whichever client it says it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from authserver.accounts.throttle import network_of
from authserver.clock import Clock
from authserver.model.client import Client
from authserver.model.errors import TooManyRequests
from authserver.model.time import SECOND, Duration
from authserver.storage.interface import ThrottleStore

AT_ONCE: Final = 100
INTERVAL: Final[Duration] = SECOND // 2
"""Of those that come after these."""


@dataclass(frozen=True, slots=True)
class PublicLimit:
    store: ThrottleStore
    now: Clock

    async def admit(self, client: Client, what: str, address: str) -> None:
        """Count one, unless the client has authenticated itself. Raises TooManyRequests."""
        if not client.is_public:
            return
        bucket = hashlib.sha256(f"{what} from\0{network_of(address)}".encode()).digest()
        wait = await self.store.admit(bucket, burst=AT_ONCE, interval=INTERVAL, now=self.now())
        if wait:
            raise TooManyRequests("too many of these came from here; wait", retry_after=-(-wait // SECOND))
