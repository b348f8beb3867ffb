"""Snapshots: all of the log that still matters, for whoever begins or was away for long."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.log import LogHead, LogRecord, Snapshot
from authserver.model.time import MINUTE, SECOND, Duration
from authserver.revocation.checkpoint import base64url
from authserver.revocation.records import line_of
from authserver.storage.interface import LogStore

PART_BYTES = 1 << 20
PAGE = 2000
CLAIM: Duration = 30 * SECOND
MANY = 1024
"""New records after which the next one is due."""
SHARE = 16
"""Of a large snapshot this part must be new: writing a million records anew for a thousand would never end."""
OLD: Duration = MINUTE
"""Age at which a single new record is enough; a minute more for each of SLOWLY entries."""
SLOWLY = 100_000


@dataclass(frozen=True, slots=True)
class SnapshotJob:
    store: LogStore
    now: Clock
    """A `PurgeClock`: a record that is left out here is forgotten."""

    async def run_once(self) -> Snapshot | None:
        """Make one if it is due and nobody else is making it. Raises StorageUnavailable."""
        head = await self.store.head()
        if head.seq == 0 or head.witness is not None or not self._is_due(head, await self.store.newest_snapshot()):
            return None
        now = self.now()
        if not await self.store.claim_snapshot(now=now, until=now + CLAIM):
            return None
        return await self.make(head)

    def _is_due(self, head: LogHead, newest: Snapshot | None) -> bool:
        if newest is None:
            return True
        new = head.seq - newest.seq
        # A snapshot from the future was made under a clock that was ahead.
        age = abs(self.now() - newest.created_at)
        return new >= max(MANY, newest.entries // SHARE) or (new > 0 and age >= OLD + OLD * newest.entries // SLOWLY)

    async def make(self, head: LogHead) -> Snapshot | None:
        """In bounded memory: the parts are written while the log is read, and read again for the hash, whose first
        line holds the number of entries. None if the log changed meanwhile."""
        now = self.now()
        build, entries, parts = uuid7(now), 0, 0
        async for part, records in self._parts(head, now // SECOND):
            parts, entries = parts + 1, entries + records
            await self.store.add_part(build, parts, part)
        first = first_line(head, entries)
        await self.store.add_part(build, 0, first)
        digest, size = hashlib.sha256(first), len(first)
        for number in range(1, parts + 1):
            part = await self.store.snapshot_part(build, number) or b""
            digest.update(part)
            size += len(part)
        snapshot = Snapshot(
            log=head.log,
            seq=head.seq,
            hash=head.hash,
            sha256=digest.digest(),
            entries=entries,
            size=size,
            parts=parts + 1,
            build=build,
            created_at=now,
        )
        return snapshot if await self.store.publish(snapshot) else None

    async def _parts(self, head: LogHead, now: int) -> AsyncIterator[tuple[bytes, int]]:
        """Lines in portions of at most PART_BYTES, with the number of their records."""
        part, count = bytearray(), 0
        async for record in self._living(head, now):
            line = line_of(record) + b"\n"
            if len(part) + len(line) > PART_BYTES:
                yield bytes(part), count
                part, count = bytearray(), 0
            part += line
            count += 1
        if part:
            yield bytes(part), count

    async def _living(self, head: LogHead, now: int) -> AsyncIterator[LogRecord]:
        after = 0
        while True:
            page = await self.store.living(head.log, after=after, upto=head.seq, over_before=now, limit=PAGE)
            for record in page:
                yield record
            if len(page) < PAGE:
                return
            after = page[-1].seq


def first_line(head: LogHead, entries: int) -> bytes:
    values = head.log, head.seq, base64url(head.hash), entries
    return b'{"log":"%b","seq":%d,"h":"%b","entries":%d}\n' % (
        values[0].encode("ascii"),
        values[1],
        values[2].encode("ascii"),
        values[3],
    )
