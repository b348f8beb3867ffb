"""The negative set: what was taken back and could still be alive."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator

from .records import Record, key_of
from .token import TokenKeys

BUCKET = 16
"""Seconds: entries that end in the same ones are forgotten together, up to so much later than they could be."""
_SHARDS = 256
_APPLIED_AT_ONCE = 500


class Table:
    """What is listed of one kind: 16-byte keys, with the least version that is alive, and until when each is kept.

    In 256 dictionaries by a key's first byte, so that none ever grows so large that moving it holds up all threads.
    """

    __slots__ = ("_buckets", "_due", "_expiry", "entries", "shards")

    def __init__(self) -> None:
        self.shards: tuple[dict[bytes, int], ...] = tuple({} for _ in range(_SHARDS))
        """Versions by key; 0 where the kind knows none. Shared between all readers."""
        self.entries = 0
        self._expiry: tuple[dict[bytes, int], ...] = tuple({} for _ in range(_SHARDS))
        """The last bucket that a key is in."""
        self._buckets: dict[int, list[bytes]] = {}
        self._due: list[int] = []
        """A heap of the buckets."""

    def put(self, key: bytes, version: int, expires: int) -> None:
        """Of two records about one key the greater version and the greater end hold."""
        versions, ends = self.shards[key[0]], self._expiry[key[0]]
        known = versions.get(key)
        if known is None:
            self.entries += 1
        if known is None or known < version:
            versions[key] = version
        bucket = expires // BUCKET
        if bucket > ends.get(key, -1):
            ends[key] = bucket
            self._bucket(bucket).append(key)

    def _bucket(self, number: int) -> list[bytes]:
        keys = self._buckets.get(number)
        if keys is None:
            keys = self._buckets[number] = []
            heapq.heappush(self._due, number)
        return keys

    def purge(self, now: float, limit: int) -> int:
        """Forget what ended, looking at `limit` keys at most; how many of those are left."""
        over = int(now // BUCKET)
        while limit and self._due and self._due[0] < over:
            limit = self._empty(self._due[0], limit)
        return limit

    def _empty(self, number: int, limit: int) -> int:
        # Forgiving, because a process may be forked off in the midst of any of these steps.
        keys = self._buckets.get(number, [])
        while keys and limit:
            key, limit = keys.pop(), limit - 1
            ends = self._expiry[key[0]]
            if ends.get(key) == number:  # otherwise a later record prolonged it
                ends.pop(key)
                self.shards[key[0]].pop(key, None)
                self.entries -= 1
        if not keys:
            self._buckets.pop(number, None)
            heapq.heappop(self._due)
        return limit

    def items(self) -> Iterator[tuple[bytes, int, int]]:
        """Keys, versions, and ends rounded up; for the thread that writes."""
        for versions, ends in zip(self.shards, self._expiry, strict=True):
            for key, version in versions.items():
                yield key, version, ends.get(key, 0) * BUCKET + BUCKET - 1


class Revocations:
    """Written by the follower's thread, read by all: each look-up and each change is one step of the interpreter."""

    def __init__(self, issuer: str) -> None:
        self._issuer_key = key_of("iss", issuer, "")
        self._least_issuer_version = 0
        self._kid, self._jti, self._sid, self._sub, self._cli, self._iss = (Table() for _ in range(6))
        self._tables = {
            "kid": self._kid,
            "jti": self._jti,
            "sid": self._sid,
            "sub": self._sub,
            "cli": self._cli,
            "iss": self._iss,
        }
        # Without the way over the tables, for `refusal`.
        self._jtis, self._sids, self._subs, self._clis = (
            self._tables[kind].shards for kind in ("jti", "sid", "sub", "cli")
        )

    @property
    def entries(self) -> int:
        """How many things are listed."""
        return sum(table.entries for table in self._tables.values())

    def refusal(self, keys: TokenKeys) -> str | None:
        """The kind of record that denies such a token ("kid", "jti", "sid", "sub", "cli", "iss"), or None.

        Read the follower's `age()` *before*: then the answer is at least as new as that age says.
        """
        kid, jti, sid, sub, cli, s, c, i = keys
        if self._kid.entries and kid in self._kid.shards[kid[0]]:
            return "kid"
        if jti in self._jtis[jti[0]]:
            return "jti"
        if sid is not None and sid in self._sids[sid[0]]:
            return "sid"
        if s < self._subs[sub[0]].get(sub, 0):
            return "sub"
        if c < self._clis[cli[0]].get(cli, 0):
            return "cli"
        return "iss" if i < self._least_issuer_version else None

    def lists_kid(self, key: bytes) -> bool:
        return key in self._kid.shards[key[0]]

    def apply(self, records: Iterable[Record]) -> None:
        """Once their chain has reached a checkpoint; lets other threads run in between."""
        for count, (_, kind, key, version, expires, _) in enumerate(records, 1):
            self._tables[kind].put(key, version, expires)
            if kind == "iss" and key == self._issuer_key:
                self._least_issuer_version = max(self._least_issuer_version, version)
            if count % _APPLIED_AT_ONCE == 0:
                time.sleep(0)

    def purge(self, now: float, limit: int = 1000) -> bool:
        """Forget up to `limit` entries that are over at `now` (`PurgeClock`); true if there may be more of them."""
        for table in self._tables.values():
            limit = table.purge(now, limit)
        self._least_issuer_version = self._iss.shards[self._issuer_key[0]].get(self._issuer_key, 0)
        return limit == 0

    def take_kids(self, other: Revocations) -> None:
        """What another log said about keys: a stolen key stays stolen when a log is begun anew."""
        for key, version, expires in other._kid.items():
            self._kid.put(key, version, expires)

    def kids(self) -> list[bytes]:
        return [key for key, _, _ in self._kid.items()]
