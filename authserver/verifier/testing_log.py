"""The writing side of the feed, in memory: what an issuer would publish. For `testing` and for our own tests."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .records import TILE, Record, chain_start, chained, key_of, parse_record

Signer = Callable[[dict[str, Any], str], str]
"""A JWT of these claims with this `typ`."""


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def record_line(seq: int, kind: str, key: bytes, version: int, expires: int) -> bytes:
    fields = {"s": seq, "t": kind, "k": base64url(key), "v": version, "x": expires}
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


@dataclass(frozen=True)
class Snapshot:
    seq: int
    h: bytes
    body: bytes

    @property
    def reference(self) -> dict[str, object]:
        sha256 = hashlib.sha256(self.body).digest()
        return {"seq": self.seq, "h": base64url(self.h), "sha256": base64url(sha256)}


class WritableLog:
    """One log, and what can be read of it. Not for several threads without a lock around it."""

    def __init__(self, issuer: str, log: str | None = None) -> None:
        self.issuer = issuer
        self.log = log or secrets.token_hex(8)
        self.records: list[Record] = []
        self.hashes = [chain_start(self.log)]
        """`h` of each sequence number, from 0 on."""
        self.floor = 1
        self.snapshots: list[Snapshot] = []

    @property
    def seq(self) -> int:
        return len(self.records)

    def append(self, kind: str, value: str, *, version: int = 0, expires: int) -> int:
        """List a thing; its sequence number. `expires` in seconds since the epoch."""
        line = record_line(self.seq + 1, kind, key_of(kind, self.issuer, value), version, expires)
        self.hashes.append(chained(self.hashes[-1], [record := parse_record(line)]))
        self.records.append(record)
        return self.seq

    def after(self, seq: int) -> list[Record]:
        return self.records[seq:]

    def checkpoint_claims(self, at: int) -> dict[str, Any]:
        """`at` in milliseconds."""
        claims: dict[str, Any] = {"iss": self.issuer, "log": self.log, "seq": self.seq, "h": base64url(self.hashes[-1])}
        claims |= {"at": at, "iat": at // 1000, "exp": at // 1000 + 60, "floor": self.floor}
        return claims | ({"snap": self.snapshots[-1].reference} if self.snapshots else {})

    def checkpoint(self, at: int, sign: Signer) -> str:
        return sign(self.checkpoint_claims(at), "rev-checkpoint+jwt")

    def tail(self, at: int, sign: Signer, after: int | None = None) -> bytes:
        """The body of `/tail`: of the newest tile, or what comes after a sequence number."""
        first = max(TILE * (self.seq // TILE) - 1, 0) if after is None else after
        return self.checkpoint(at, sign).encode() + b"\n" + joined(self.records[first:])

    def tile(self, number: int) -> bytes | None:
        """None while it is not full, and below the floor."""
        first, last = max(TILE * number, 1), TILE * number + TILE - 1
        return joined(self.records[first - 1 : last]) if self.floor <= last <= self.seq else None

    def take_snapshot(self, now: int) -> Snapshot:
        """Of all that is not over at `now` (seconds), of several about the same thing the last."""
        last = {(record.kind, record.key): record for record in self.records if record.expires >= now}
        kept = sorted(last.values())
        head = {"log": self.log, "seq": self.seq, "h": base64url(self.hashes[-1]), "entries": len(kept)}
        body = json.dumps(head, separators=(",", ":")).encode() + b"\n" + joined(kept)
        self.snapshots.append(Snapshot(self.seq, self.hashes[-1], body))
        return self.snapshots[-1]


def joined(records: list[Record]) -> bytes:
    return b"".join(record.line + b"\n" for record in records)
