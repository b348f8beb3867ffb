"""Records as bytes, and the chain that binds them (docs/feed.md, byte by byte)."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from authserver.model.log import LinkedRecord, LogEnd, LogRecord
from authserver.model.revocation import EntryKind, OutboxEntry
from authserver.model.time import HOUR, MINUTE, SECOND, Duration, Instant

SLACK: Duration = MINUTE
"""Added to every end, for clocks that differ: resource servers allow a leeway of at most that."""
KEY_LASTS: Duration = 25 * HOUR
"""A record about a key outlasts any token: whoever has the key writes tokens with any lifetime and any version, and a
copy of the key set may be old."""


def key_of(kind: EntryKind, issuer: str, value: str) -> str:
    """What stands for a thing in the log, in base64url; `value` is empty for `iss`."""
    digest = hashlib.sha256(f"{kind}|{issuer}|{value}".encode()).digest()[:16]
    return urlsafe_b64encode(digest)[:22].decode("ascii")


def line_of(record: LogRecord) -> bytes:
    """The record as JSON, without the line's end: these bytes are what is hashed."""
    return b'{"s":%d,"t":"%b","k":"%b","v":%d,"x":%d}' % (
        record.seq,
        record.kind.encode("ascii"),
        record.key.encode("ascii"),
        record.version,
        record.expires,
    )


def chain_start(log: str) -> bytes:
    return hashlib.sha256(log.encode("ascii")).digest()


def link(previous: bytes, line: bytes) -> bytes:
    """h(n) from h(n-1) and record n."""
    return hashlib.sha256(previous + line).digest()


def chained(previous: bytes, lines: Iterable[bytes]) -> bytes:
    for line in lines:
        previous = link(previous, line)
    return previous


def end_of(entry: OutboxEntry, time: Instant, token_ttl: Duration) -> int:
    """Seconds: when nothing that the entry refuses can be alive any more.

    It counts from the moment of sequencing, not from that of the entry: a transaction may have been committed long
    after it wrote the entry, and until then tokens were issued as if nothing had happened.
    """
    if entry.kind == "jti" and entry.expires_at is not None:
        return _seconds_up(max(entry.expires_at, entry.created_at) + SLACK)
    return _seconds_up(time + (KEY_LASTS if entry.kind == "kid" else token_ttl) + SLACK)


def _seconds_up(instant: Instant) -> int:
    return -(-instant // SECOND)


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes records of outbox entries; the `Compose` that stores call."""

    issuer: str

    def __call__(self, end: LogEnd, entries: Sequence[OutboxEntry]) -> list[LinkedRecord]:
        linked, previous = [], end.hash
        for seq, entry in enumerate(entries, end.seq + 1):
            key = key_of(entry.kind, self.issuer, entry.value)
            expires = end_of(entry, end.time, end.token_ttl)
            record = LogRecord(seq, entry.kind, key, entry.version, expires)
            previous = link(previous, line_of(record))
            linked.append(LinkedRecord(record, previous, entry.id))
        return linked


def carry(end: LogEnd, records: Sequence[LogRecord]) -> list[LinkedRecord]:
    """The same records under the next numbers of another log."""
    linked, previous = [], end.hash
    for seq, record in enumerate(records, end.seq + 1):
        moved = record._replace(seq=seq)
        previous = link(previous, line_of(moved))
        linked.append(LinkedRecord(moved, previous, None))
    return linked
