"""What the follower of the log calls: the feed in memory, as far as it is written to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from authserver.model.time import Instant


class LogSink(Protocol):
    """`feed.Feed` is one. Raises nothing and returns at once."""

    def begin(self, log: str, seq: int, lines: Sequence[bytes]) -> None:
        """Start over at `seq` of `log`; `lines` are the last records up to it, at least those of the newest tile."""
        ...

    def advance(
        self, lines: Sequence[bytes], *, log: str, seq: int, at: Instant, checkpoint: str, taken: float
    ) -> None:
        """The next records, up to `seq`, and the checkpoint that covers them; without records, a newer checkpoint.

        `taken`: monotonic seconds at the moment that `at` names. When the log is found to have lost commits, or the
        database does not answer, nothing is called any more, and the feed ages.
        """
        ...
