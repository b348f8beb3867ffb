"""Nonces for DPoP proofs (RFC 9449 sections 8 and 9) that nobody has to keep: made of the time, under a key."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

PERIOD = 60.0
"""Seconds in which the same nonce is given out."""
MIN_KEY_BYTES = 32
_BYTES = 18


class Nonces:
    """A nonce is good in the period in which it was given out and in the next one: for one to two minutes.

    The same for all callers: it says when a proof was made, not by whom.
    """

    def __init__(self, key: bytes, period: float = PERIOD) -> None:
        """`key`: the same in all processes that accept each other's nonces. Raises ValueError for a short one."""
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"the key for nonces has fewer than {MIN_KEY_BYTES} bytes")
        self._key = key
        self._period = period

    def __repr__(self) -> str:
        return "Nonces(...)"

    def current(self, now: float) -> str:
        """To be given out; `now` in seconds since the epoch."""
        return self._of(int(now // self._period))

    def accepts(self, nonce: str, now: float) -> bool:
        number = int(now // self._period)
        shown = nonce.encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(shown, self._of(n).encode()) for n in (number, number - 1))

    def ends(self, now: float) -> float:
        """When the newest nonce of this moment is good no more: so long must a proof be remembered."""
        return (now // self._period + 2) * self._period

    def _of(self, number: int) -> str:
        digest = hmac.digest(self._key, b"dpop nonce %d" % number, "sha256")
        return urlsafe_b64encode(digest[:_BYTES]).decode("ascii")
