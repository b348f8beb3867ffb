"""Tokens whose signature was found good, by their SHA-256: what can never change about them, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

from .jwk import Key
from .token import TokenKeys, VerifiedToken


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A token that was genuine and for us when it was first seen. Whether it is alive is asked each time."""

    token: VerifiedToken
    keys: TokenKeys = field(repr=False)
    key: Key
    digest: bytes = field(repr=False)
    issued_at: int
    expires_at: int


class SeenTokens:
    """Two generations: what is used in the younger's time stays, what is not goes with the older.

    No locks: each step is one of the interpreter's, and what two threads lose by meeting in between is seen again.
    The token itself is not kept, only its hash.
    """

    def __init__(self, capacity: int) -> None:
        """At most `capacity` tokens, about 2 KiB each; 0 remembers none."""
        self._half = capacity // 2
        self._young: dict[bytes, Seen] = {}
        self._old: dict[bytes, Seen] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, digest: bytes) -> Seen | None:
        seen = self._young.get(digest)
        if seen is None:
            seen = self._old.pop(digest, None)
            if seen is not None:
                self.add(seen)
        return seen

    def add(self, seen: Seen) -> None:
        if not self._half:
            return
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[seen.digest] = seen

    def clear(self) -> None:
        self._young, self._old = {}, {}
