"""LogCopy: one log as far as it is known here, and the hashes that prove it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from hashlib import sha256

from .checkpoint import Checkpoint
from .records import FeedFault, Record, chain_start
from .state import Revocations

REMEMBERED = 1024
"""Sequence numbers whose hash is remembered, to tell another history of the same log."""


class ChainBroken(FeedFault):
    """These records do not lead to that checkpoint: some are missing, doubled, changed, or of another history."""

    code = "broken_chains"


class ForkedLog(FeedFault):
    """The issuer signed two histories of one log: somebody has its key, or it lost commits and went on all the same."""

    code = "forks"


class LogCopy:
    """For the one thread that follows; others read `revocations` alone."""

    def __init__(self, log: str, revocations: Revocations, seq: int = 0, h: bytes | None = None) -> None:
        """`seq` and `h` of the snapshot that it begins with, if it does not begin at the beginning."""
        self.log = log
        self.revocations = revocations
        # In one step, because a process may be forked off in between.
        self._tip = (seq, chain_start(log) if h is None else h)
        self._hashes: deque[tuple[int, bytes]] = deque([self._tip], REMEMBERED)

    @property
    def seq(self) -> int:
        return self._tip[0]

    def check_history(self, checkpoint: Checkpoint) -> None:
        """Raises ForkedLog for a checkpoint of this log that says something else about what is known."""
        back = self.seq - checkpoint.seq
        if 0 <= back < len(self._hashes) and self._hashes[-1 - back] != (checkpoint.seq, checkpoint.h):
            raise ForkedLog(f"two histories of log {self.log} up to {checkpoint.seq}")

    def extend(self, records: Sequence[Record], checkpoint: Checkpoint) -> None:
        """Take the records from `seq + 1` to the checkpoint's; all of them or, with ChainBroken, none."""
        seq, h = self._tip
        hashes: deque[tuple[int, bytes]] = deque(maxlen=REMEMBERED)
        for record in records:
            seq += 1
            if record.seq != seq:
                raise ChainBroken(f"record {record.seq} where {seq} belongs")
            h = sha256(h + record.line).digest()
            hashes.append((seq, h))
        if (seq, h) != (checkpoint.seq, checkpoint.h):
            raise ChainBroken(f"the records up to {seq} do not lead to the checkpoint of {checkpoint.seq}")
        self.revocations.apply(records)
        self._hashes.extend(hashes)
        self._tip = (seq, h)
