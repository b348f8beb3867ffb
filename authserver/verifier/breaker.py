"""A circuit breaker: after failures in a row nobody asks for a while, then one asks for all."""

from __future__ import annotations

import threading

from .clock import Clock


class Breaker:
    """Closed (everybody asks), open (nobody does) or half open (one does, and decides which of the two follows)."""

    def __init__(self, failures: int, rest: float, monotonic: Clock) -> None:
        """`failures` in a row open it for `rest` seconds."""
        self._threshold = failures
        self._rest = rest
        self._monotonic = monotonic
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False
        self.renew_locks()

    def renew_locks(self) -> None:
        """After a fork: the thread that holds the lock, or probes, does not exist here."""
        self._lock = threading.Lock()
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self._open_until is not None

    def wait(self) -> float:
        """Seconds until it is worth asking; 0 lets the caller ask, who must then call `succeeded` or `failed`."""
        with self._lock:
            if self._open_until is None:
                return 0.0
            left = self._open_until - self._monotonic()
            if left > 0 or self._probing:
                return max(left, 1.0)
            self._probing = True
            return 0.0

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0
            self._open_until = None
            self._probing = False

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            # One failed probe is enough; what was asked before it opened changes nothing any more.
            if self._probing or (self._open_until is None and self._failures >= self._threshold):
                self._open_until = self._monotonic() + self._rest
            self._probing = False

    def abandoned(self) -> None:
        """The caller did not ask after all."""
        with self._lock:
            self._probing = False
