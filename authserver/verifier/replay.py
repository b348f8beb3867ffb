"""Which proofs were shown already: in this process, for as long as they would be accepted again, and no more of them
than fit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from hashlib import sha256

from .clock import Clock


class TooMany(Exception):
    """More proofs came than can be remembered; whether this one is new cannot be said."""


class Replays:
    """What is kept is 16 bytes of a hash and a time, about 150 bytes each."""

    def __init__(self, capacity: int, monotonic: Clock) -> None:
        self._capacity = capacity
        self._monotonic = monotonic
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self.renew_locks()

    def renew_locks(self) -> None:
        """After a fork: the lock may be held by a thread that does not exist here."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._seen)

    def use(self, jkt: str, jti: str, seconds: float) -> bool:
        """True for the first of all that show this `jti` under this key within `seconds`; raises TooMany."""
        key = sha256(f"{jkt} {jti}".encode()).digest()[:16]
        now = self._monotonic()
        with self._lock:
            self._forget(now)
            if self._seen.get(key, now) > now:
                return False
            if len(self._seen) >= self._capacity:
                raise TooMany
            self._seen[key] = now + seconds
            self._seen.move_to_end(key)
        return True

    def _forget(self, now: float) -> None:
        """In the order in which they came: the few that end out of it wait for those before them."""
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
