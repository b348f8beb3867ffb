"""Snapshots: everything that is listed, in one body that a checkpoint vouches for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

from . import strict
from .checkpoint import Checkpoint, SnapshotReference
from .logcopy import LogCopy
from .records import FeedFault, parse_record
from .state import Revocations

MAX_SNAPSHOT = 256 << 20
"""Bytes; more than three million entries."""
_MAX_HEAD = 1024


class SnapshotRefused(FeedFault):
    """Not what the checkpoint vouches for; nothing of it was used."""

    code = "refused_snapshots"


def read_snapshot(
    pieces: Iterator[bytes], checkpoint: Checkpoint, snap: SnapshotReference, issuer: str, limit: int = MAX_SNAPSHOT
) -> LogCopy:
    """A copy of the log up to `snap.seq`. Read while it comes, so that memory holds the entries but not the body.

    Raises SnapshotRefused or Malformed; what was read until then is dropped with this call.
    """
    digest, revocations, last = sha256(), Revocations(issuer), 0
    lines = _lines(pieces, digest.update, limit)
    entries = _head(next(lines, []), checkpoint.log, snap)
    for some in lines:
        records = [parse_record(line) for line in some]
        for record in records:
            if not last < record.seq <= snap.seq:
                raise SnapshotRefused("a snapshot is not in order")
            last = record.seq
        revocations.apply(records)
        entries -= len(records)
    if digest.digest() != snap.sha256:
        raise SnapshotRefused("a snapshot is not the one that was signed")
    if entries:
        raise SnapshotRefused("a snapshot does not have as many entries as it says")
    return LogCopy(checkpoint.log, revocations, snap.seq, snap.h)


def _lines(pieces: Iterator[bytes], hashed: Callable[[bytes], None], limit: int) -> Iterator[list[bytes]]:
    """First the first line alone, then as many as a piece has."""
    rest, size, first = b"", 0, True
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise SnapshotRefused(f"a snapshot has more than {limit} bytes")
        hashed(piece)
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > _MAX_HEAD:
            raise SnapshotRefused("a line of a snapshot does not end")
        if first and lines:
            first = False
            yield [lines.pop(0)]
        if lines:
            yield lines
    if rest or first:
        raise SnapshotRefused("a snapshot was cut")


def _head(lines: list[bytes], log: str, snap: SnapshotReference) -> int:
    """How many entries it says it has."""
    try:
        head = strict.json_object(lines[0])
        told = (head["log"], head["seq"], strict.decoded(head["h"]))
        entries = head["entries"]
    except (strict.Malformed, LookupError, TypeError, AttributeError):
        raise SnapshotRefused("a snapshot's first line is not understood") from None
    if told != (log, snap.seq, snap.h) or type(entries) is not int:
        raise SnapshotRefused("a snapshot is of another log or moment")
    return entries
