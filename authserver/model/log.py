"""The revocation log: its records, its end, its snapshots (docs/feed.md is what of it goes over the wire)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .revocation import EntryKind
from .time import Duration, Instant

TILE = 256
"""Records of a tile; a tile begins at a multiple of it."""
FIRST_SEQ = 1


class LogRecord(NamedTuple):
    seq: int
    kind: EntryKind
    key: str
    """What was taken back: 16 bytes of a hash in base64url, 22 characters."""
    version: int
    expires: int
    """In seconds: the wire's `x`. Once issuer time is past it, nothing that it refuses can be alive."""


class LinkedRecord(NamedTuple):
    """A record with its place in the chain."""

    record: LogRecord
    hash: bytes
    """h(seq), 32 bytes."""
    outbox_id: int | None
    """The outbox entry it was made from; None for one that was carried over from an older log."""


class LogEnd(NamedTuple):
    """What the next record is linked to, and what its end is reckoned from."""

    log: str
    seq: int
    """0 in a log without records."""
    hash: bytes
    """h(seq)."""
    token_ttl: Duration
    """The longest lifetime that an access token has ever had here."""
    time: Instant
    """The moment of sequencing; it never goes back within a log, so that a later record about the same thing never
    ends sooner than an earlier one."""


@dataclass(frozen=True, slots=True)
class SnapshotRef:
    """What a checkpoint says of the newest snapshot."""

    seq: int
    hash: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """The log at one moment, read in one statement."""

    log: str
    seq: int
    hash: bytes
    floor: int
    """The least sequence number whose record, and all after it, is there: 1 or a multiple of 256."""
    pending: bool
    """The outbox holds entries that are not in the log."""
    token_ttl: Duration
    snapshot: SnapshotRef | None
    witness: str | None
    """A checkpoint of ours that this log cannot have led to: the database lost commits."""
    left: frozenset[str]
    """The ids of the logs that this one followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """What one transaction appended."""

    records: tuple[LinkedRecord, ...]
    log: str
    seq: int
    """The log's end now, also when nothing was appended."""
    hash: bytes
    drained: bool
    """The outbox held nothing more that had been committed when the transaction began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot that is ready to be had, in parts of at most 1 MiB."""

    log: str
    seq: int
    hash: bytes
    sha256: bytes
    """Of the whole body."""
    entries: int
    size: int
    """Bytes of the whole body."""
    parts: int
    build: str = field(repr=False)
    """The name under which the parts are stored."""
    created_at: Instant
