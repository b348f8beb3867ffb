"""The revocation log, from the outbox to what verifiers fetch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from authserver.clock import Clock
from authserver.model.audit import AuditEvent
from authserver.model.log import Extension, LinkedRecord, LogEnd, LogHead, LogRecord, Snapshot
from authserver.model.revocation import OutboxEntry
from authserver.model.time import Duration, Instant

Compose: TypeAlias = Callable[[LogEnd, Sequence[OutboxEntry]], Sequence[LinkedRecord]]
"""Makes the records of these entries, one each, in this order, linked to that end. Called inside a transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLog:
    """What takes the place of a log that lost commits."""

    log: str
    start: bytes
    """h(0)."""
    least_version: int
    """Of the issuer, at least: higher than any that was lost."""
    compose: Compose
    carry: Callable[[LogEnd, Sequence[LogRecord]], Sequence[LinkedRecord]]
    """Links records of the old log to that end."""


class LogStore(Protocol):
    async def head(self) -> LogHead:
        """The log's end, and whether the outbox holds more: one statement, so that if nothing is pending, everything
        that was committed before it began is in the log up to `seq`."""
        ...

    async def extend(self, compose: Compose, *, now: Clock, limit: int) -> Extension | None:
        """Move up to `limit` entries from the outbox to the end of the log, in one transaction; None, with nothing
        done, while somebody else does.

        Sequence numbers are dense, each entry gets exactly one, however many call this and whenever they are killed.
        An entry that was committed late, under a smaller id than those before it, is taken when it is there.
        `now` is asked after the entries were read.
        """
        ...

    async def tidy(self) -> None:
        """Clean up behind many entries, if there were many; to be called when nothing else is to do."""
        ...

    async def records(self, log: str, *, after: int, limit: int) -> Sequence[LinkedRecord]:
        """By sequence number; nothing if the log is another one by now. Below `floor` those that are over may be
        missing."""
        ...

    async def tile(self, log: str, number: int) -> Sequence[LogRecord] | None:
        """The records of a full tile at or above `floor`; None for any other, and for another log's."""
        ...

    async def hash_at(self, log: str, seq: int) -> bytes | None:
        """h(seq) if the record is there."""
        ...

    async def sequence_of(self, outbox_id: int) -> int | None:
        """Where the entry is in the log; None if it is not, yet or any more."""
        ...

    # -- snapshots --------------------------------------------------------------------------------

    async def claim_snapshot(self, *, now: Instant, until: Instant) -> bool:
        """Whether the caller may make the next snapshot; nobody else is told so before `until`. It saves work,
        correctness does not rest on it."""
        ...

    async def living(self, log: str, *, after: int, upto: int, over_before: int, limit: int) -> Sequence[LogRecord]:
        """Records after `after`, up to `upto`, that do not end before `over_before` (seconds); of several about the
        same thing only the last up to `upto`."""
        ...

    async def add_part(self, build: str, number: int, body: bytes) -> None: ...

    async def publish(self, snapshot: Snapshot) -> bool:
        """Offer a snapshot whose parts are stored; False if its log is not this one or has another h there, or
        there is one of that sequence number or a newer one."""
        ...

    async def newest_snapshot(self) -> Snapshot | None: ...

    async def snapshot(self, log: str, seq: int) -> Snapshot | None: ...

    async def snapshot_part(self, build: str, number: int) -> bytes | None:
        """None once the snapshot was replaced."""
        ...

    # -- keeping ----------------------------------------------------------------------------------

    async def purge(self, *, now: Instant) -> dict[str, int]:
        """Drop old snapshots, move the floor on, delete what is below it and over: rows by table, in small batches.

        What stays: the newest two snapshots and those made within ten minutes; every record that is not over, or
        at or above `floor`; a floor at or below the oldest snapshot, and below everything of the last hour.
        `now` must not run faster than time does: a clock that is ahead for a while must not bring tokens back.
        """
        ...

    async def raise_token_ttl(self, token_ttl: Duration) -> None:
        """From now on records last for tokens of this lifetime at least; never lowered."""
        ...

    async def accuse(self, log: str, witness: str) -> bool:
        """Keep the checkpoint that proves that `log` lost commits; False if there is one, or the log is another."""
        ...

    async def renew(self, new: NewLog, *, now: Clock, event: AuditEvent) -> LogHead:
        """Begin a log instead of the present one, in one transaction; its head.

        The issuer's revocation version moves on, to `least_version` at least, and its record is the first; records
        about keys that are not over follow. Everything else of the old log is gone, and its witness. Entries that
        are in the outbox, or are committed late, come after them.
        """
        ...
