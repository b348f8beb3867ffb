"""Replica: the copy that is asked, and the rules by which it moves on (docs/feed.md, "Following it safely")."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .checkpoint import Checkpoint
from .freshness import Freshness, Point, PurgeClock
from .logcopy import ChainBroken, ForkedLog, LogCopy
from .notes import Notes
from .records import Record
from .recovery import Recovery
from .state import Revocations

_PURGE_STEPS = 50
"""Thousands of entries forgotten at most with each checkpoint: others get their turn in between."""


class Replica:
    """Written by the follower's thread alone."""

    def __init__(
        self,
        issuer: str,
        recovery: Recovery,
        freshness: Freshness,
        purge_clock: PurgeClock,
        notes: Notes,
        *,
        on_kid: Callable[[bytes], None],
        on_change: Callable[[], None],
    ) -> None:
        self.revocations = Revocations(issuer)
        """Of the copy, once there is one."""
        self.checkpoint: Checkpoint | None = None
        """The last one whose records are all here."""
        self._issuer = issuer
        self._recovery, self._freshness, self._purge_clock = recovery, freshness, purge_clock
        self._notes, self._on_kid, self._on_change = notes, on_kid, on_change
        self._copy: LogCopy | None = None
        self._left: set[str] = set()
        """Logs that were left; they never come back."""
        self._told_kids: set[bytes] = set()
        self._is_contradicted = False

    @property
    def position(self) -> str | None:
        """LOG.SEQ."""
        copy = self._copy
        return None if copy is None else f"{copy.log}.{copy.seq}"

    @property
    def seq(self) -> int:
        return 0 if self._copy is None else self._copy.seq

    def take(self, checkpoint: Checkpoint, records: Sequence[Record], point: Point) -> None:
        """Move on to a checkpoint, with the records that came with it and others if need be.

        `point` is how new it is. One that is older than what is known is only counted. Raises FeedFault or
        TransportError; the copy and its age are then what they were.
        """
        try:
            if self._is_older(checkpoint):
                self._notes.count("older_checkpoints")
                self._contradict()
                return
            copy = self._reached(checkpoint, records)
        except ForkedLog:
            self._contradict()
            raise
        self._is_contradicted = False
        if self._copy is not None and copy.log != self._copy.log:
            self._leave(self._copy, copy)
        moved = self.checkpoint is None or (self.checkpoint.log, self.checkpoint.seq) != (copy.log, copy.seq)
        self._copy = copy
        # What is asked comes before its age: who reads them the other way round never believes too much.
        self.revocations = copy.revocations
        self.checkpoint = checkpoint
        self._tell_kids()
        self._freshness.advance(point)
        if moved:
            self._on_change()
        self._purge(checkpoint)

    def _contradict(self) -> None:
        """What is known here may be the only proof that the issuer's database lost commits: tell it, once."""
        if self.checkpoint is not None and not self._is_contradicted:
            self._is_contradicted = True
            self._on_change()

    def _is_older(self, checkpoint: Checkpoint) -> bool:
        """Raises ForkedLog for one that contradicts what is known."""
        if self._copy is None or self.checkpoint is None:
            return False
        if checkpoint.log != self._copy.log:
            # By the time as well: we may never have seen a log that somebody repeats the end of.
            return checkpoint.log in self._left or checkpoint.at <= self.checkpoint.at
        self._copy.check_history(checkpoint)
        return checkpoint.seq < self._copy.seq

    def _reached(self, checkpoint: Checkpoint, records: Sequence[Record]) -> LogCopy:
        copy = self._copy
        if copy is None or copy.log != checkpoint.log:
            copy = LogCopy(checkpoint.log, Revocations(self._issuer))
        ahead = [record for record in records if copy.seq < record.seq <= checkpoint.seq]
        try:
            copy.extend(ahead, checkpoint)
        except ChainBroken:
            if copy is self._copy:  # beginning is no gap
                self._notes.count("gaps")
            return self._recovery.reach(copy, checkpoint, ahead)
        return copy

    def _leave(self, old: LogCopy, new: LogCopy) -> None:
        new.revocations.take_kids(old.revocations)
        self._left.add(old.log)
        self._notes.event("new_logs", f"the issuer has begun a new revocation log: {new.log} after {old.log}")

    def _tell_kids(self) -> None:
        told = set(self.revocations.kids())
        for key in told - self._told_kids:
            self._on_kid(key)
        self._told_kids = told

    def _purge(self, checkpoint: Checkpoint) -> None:
        now = self._purge_clock.now_at(checkpoint.at)
        for _ in range(_PURGE_STEPS):
            if not self.revocations.purge(now):
                break
            time.sleep(0)
