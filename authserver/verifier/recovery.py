"""Recovery: getting to a checkpoint when what came with it does not lead there."""

from __future__ import annotations

from collections.abc import Sequence

from .checkpoint import Checkpoint, SnapshotReference
from .feedclient import FeedClient
from .logcopy import ChainBroken, ForkedLog, LogCopy
from .notes import Notes
from .records import TILE, FeedFault, Malformed, Record
from .snapshot import SnapshotRefused, read_snapshot

FAR_BEHIND = 4096
"""Records; beyond, the snapshot is quicker than the tiles."""
MOST_TILES = 4096


class OutOfReach(FeedFault):
    """Neither tiles nor snapshot lead to the checkpoint, for now."""

    code = "out_of_reach"


class Recovery:
    def __init__(self, issuer: str, client: FeedClient, notes: Notes) -> None:
        self._issuer, self._client, self._notes = issuer, client, notes

    def reach(self, copy: LogCopy, checkpoint: Checkpoint, records: Sequence[Record]) -> LogCopy:
        """A copy that stands at the checkpoint: `copy` itself, or another if it took a snapshot.

        `records` came with the checkpoint; whether they are any good turns out. Raises FeedFault or TransportError, and
        then `copy` is what it was.
        """
        try:
            return self._attempt(self._client, copy, checkpoint, records)
        except (ChainBroken, Malformed, SnapshotRefused) as error:
            self._notes.fault(error)
        try:
            return self._attempt(self._client.past_caches(), copy, checkpoint, ())
        except ChainBroken as error:
            raise ForkedLog(f"the issuer's own records do not lead to its checkpoint: {error}") from None

    def _attempt(self, client: FeedClient, copy: LogCopy, checkpoint: Checkpoint, records: Sequence[Record]) -> LogCopy:
        snap = self._snapshot_for(copy, checkpoint)
        base = copy if snap is None else self._snapshot(client, checkpoint, snap)
        base.extend(self._missing(client, base, checkpoint, records), checkpoint)
        return base

    def _snapshot_for(self, copy: LogCopy, checkpoint: Checkpoint) -> SnapshotReference | None:
        below_floor = copy.seq + 1 < checkpoint.floor
        behind = checkpoint.seq - copy.seq
        snap = checkpoint.snap
        if snap is not None and snap.seq > copy.seq and (below_floor or behind > FAR_BEHIND):
            return snap
        if below_floor or behind > MOST_TILES * TILE:
            raise OutOfReach("what is missing cannot be had any more, and there is no snapshot")
        return None

    def _snapshot(self, client: FeedClient, checkpoint: Checkpoint, snap: SnapshotReference) -> LogCopy:
        with client.snapshot(checkpoint.log, snap.seq) as pieces:
            copy = read_snapshot(pieces, checkpoint, snap, self._issuer)
        self._notes.count("snapshots")
        return copy

    def _missing(
        self, client: FeedClient, copy: LogCopy, checkpoint: Checkpoint, records: Sequence[Record]
    ) -> list[Record]:
        """The records from the copy's to the checkpoint's, from wherever they are."""
        known = {record.seq: record for record in records}
        found: list[Record] = []
        asked_tail = False
        while (seq := copy.seq + 1 + len(found)) <= checkpoint.seq:
            if seq in known:
                found.append(known[seq])
            elif seq // TILE < checkpoint.seq // TILE:
                found.extend(self._rest_of_tile(client, checkpoint.log, seq))
            elif not asked_tail:
                asked_tail = True
                known.update((record.seq, record) for record in _tail(client, seq - 1))
            else:
                raise OutOfReach(f"record {seq} cannot be had yet")
        return found

    def _rest_of_tile(self, client: FeedClient, log: str, seq: int) -> list[Record]:
        """From `seq` on."""
        number = seq // TILE
        records = client.tile(log, number)
        self._notes.count("tiles")
        if [record.seq for record in records] != list(range(max(number * TILE, 1), number * TILE + TILE)):
            raise ChainBroken(f"tile {number} does not have its records")
        return records[seq - records[0].seq :]


def _tail(client: FeedClient, after: int) -> list[Record]:
    """The newest tile is not full yet. Its checkpoint is not needed: we have one to reach."""
    if not client.shared_cache:
        return client.tail_after(after, 0).records
    tail = client.tail()
    return [] if tail is None else tail.records
