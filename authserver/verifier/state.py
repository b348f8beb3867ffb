"""The negative set: what was taken back and could still be alive."""

from __future__ import annotations

from collections.abc import Iterable

from .records import Record
from .token import TokenKeys


class Revocations:
    """Written by the follower's thread, read by all: each look-up and each change is one step of the interpreter."""

    def __init__(self, issuer: str) -> None: ...

    @property
    def entries(self) -> int:
        """How many things are listed."""
        raise NotImplementedError

    def refusal(self, keys: TokenKeys) -> str | None:
        """The kind of record that denies such a token ("kid", "jti", "sid", "sub", "cli", "iss"), or None.

        Read the follower's `age()` *before*: then the answer is at least as new as that age says.
        """
        raise NotImplementedError

    def lists_kid(self, key: bytes) -> bool:
        raise NotImplementedError

    def apply(self, records: Iterable[Record]) -> None:
        raise NotImplementedError

    def purge(self, now: float, limit: int = 1000) -> bool:
        """Forget up to `limit` entries that are over at `now` (PurgeClock); true if there are more of them."""
        raise NotImplementedError
