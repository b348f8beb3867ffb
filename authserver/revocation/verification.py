"""The whole log against itself: is every record where the chain says it is?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from authserver.model.log import FIRST_SEQ, LinkedRecord, LogHead, Snapshot
from authserver.revocation.records import chain_start, line_of, link
from authserver.storage.interface import LogStore

PAGE = 2000


class Broken(Exception):
    """What does not fit, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogVerdict:
    log: str
    first: int
    """The least record that was looked at: what is below `floor` is no longer promised."""
    seq: int
    checked: int
    fault: str | None
    """What does not fit; None if all does."""


async def verify_log(store: LogStore, advance: Callable[[int], None] = lambda _: None) -> LogVerdict:
    """Reckon the chain anew from the floor to the head and look through the newest snapshot; `advance` is told how many
    records were done. Servers may go on meanwhile. Raises StorageUnavailable."""
    head = await store.head()
    chain = _Chain(head)
    fault = None
    try:
        if head.witness is not None:
            raise Broken("a checkpoint that was signed proves that this log lost commits: authserver log renew")
        await chain.follow(store, advance)
        await _check_snapshot(store, chain)
    except Broken as broken:
        fault = str(broken)
    return LogVerdict(log=head.log, first=chain.first, seq=head.seq, checked=chain.checked, fault=fault)


class _Chain:
    def __init__(self, head: LogHead) -> None:
        self.head = head
        self.first = max(FIRST_SEQ, head.floor)
        self.checked = 0
        self._hash = chain_start(head.log) if self.first == FIRST_SEQ else None
        """h of the record before; None at the floor, whose record is believed."""

    async def follow(self, store: LogStore, advance: Callable[[int], None]) -> None:
        last = self.first - 1
        while last < self.head.seq:
            page = await store.records(self.head.log, after=last, limit=PAGE)
            page = [linked for linked in page if linked.record.seq <= self.head.seq]
            if not page:
                raise Broken(f"record {last + 1} is missing")
            self._follow_page(last, page)
            last += len(page)
            advance(len(page))
        end = self._hash if self.checked or self.first == FIRST_SEQ else self.head.hash
        if end != self.head.hash:
            raise Broken(f"the chain does not lead to the head at {self.head.seq}")

    def _follow_page(self, last: int, page: Sequence[LinkedRecord]) -> None:
        for seq, linked in enumerate(page, last + 1):
            if linked.record.seq != seq:
                raise Broken(f"record {seq} is missing")
            reckoned = linked.hash if self._hash is None else link(self._hash, line_of(linked.record))
            if reckoned != linked.hash:
                raise Broken(f"record {seq} is not the one that was written")
            self._hash = reckoned
            self.checked += 1


async def _check_snapshot(store: LogStore, chain: _Chain) -> None:
    snapshot = await store.newest_snapshot()
    if snapshot is None or snapshot.log != chain.head.log:
        return
    known = await store.hash_at(snapshot.log, snapshot.seq)
    if known is not None and known != snapshot.hash:
        raise Broken(f"the snapshot at {snapshot.seq} is of another chain")
    digest = await _digest(store, snapshot)
    if digest not in (None, snapshot.sha256):
        raise Broken(f"the snapshot at {snapshot.seq} is damaged")


async def _digest(store: LogStore, snapshot: Snapshot) -> bytes | None:
    """SHA-256 of its whole body; None if it was replaced meanwhile."""
    digest = hashlib.sha256()
    for number in range(snapshot.parts):
        part = await store.snapshot_part(snapshot.build, number)
        if part is None:
            return None
        digest.update(part)
    return digest.digest()
