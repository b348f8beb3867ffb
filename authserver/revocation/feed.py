"""The feed as this process has it in memory: what every reader of it is answered from, without a look at the database.

One follower writes (`begin`, `advance`), any number of endpoints read. A state is replaced as a whole and in one step
of the event loop, so a reader never sees records without the checkpoint that covers them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from time import monotonic

from authserver.model.log import TILE
from authserver.model.time import Instant

RING_BYTES = 4 << 20
"""How much of the log's end is in memory for streams that go on; some 36,000 records."""
FRESH_SECONDS = 1.5
"""Older than this, what comes over a connection of its own would not be fresh by itself."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """One signed moment of the log. Another object for every checkpoint, so `is` tells whether anything moved."""

    log: str
    seq: int
    at: Instant
    checkpoint: bytes
    """The JWT."""
    taken: float
    """Monotonic seconds at the moment that `at` names."""


class Feed:
    """Raises nothing; until the first `advance` there is no `state`."""

    def __init__(self, *, clock: Callable[[], float] = monotonic, ring_bytes: int = RING_BYTES) -> None:
        self._clock = clock
        self._ring_bytes = ring_bytes
        self._lines: list[bytes] = []
        self._size = 0
        self._first = 1
        """Sequence number of the first line in memory, or of the next record while there is none."""
        self._listeners: list[Callable[[], None]] = []
        self._grown = asyncio.Event()
        self._heard = float("-inf")
        self.state: FeedState | None = None

    # -- for the follower -----------------------------------------------------------------------

    def begin(self, log: str, seq: int, lines: Sequence[bytes]) -> None:
        """Start over at `seq` of `log`: at the process's start, and when the log is another one.

        `lines` are the last records up to `seq`, without line ends: at least those of the newest tile. Nothing is
        shown of it until the next `advance`.
        """
        self._lines = list(lines)
        self._first = seq + 1 - len(self._lines)
        self._size = sum(map(len, self._lines))
        self.state = None

    def advance(
        self, lines: Sequence[bytes], *, log: str, seq: int, at: Instant, checkpoint: str, taken: float
    ) -> None:
        """Show the records `lines`, the next ones up to `seq`, and the checkpoint over them; wake whoever waits."""
        before = self.state
        self._lines.extend(lines)
        self._size += sum(map(len, lines))
        self._trim(seq)
        self._heard = self._clock()
        self.state = FeedState(log, seq, at, checkpoint.encode(), taken)
        if before is None or before.log != log or before.seq != seq:
            self._grown.set()  # everybody who waits now; those who come later wait for the next
            self._grown = asyncio.Event()
        for listener in self._listeners:
            listener()

    def _trim(self, seq: int) -> None:
        """In portions, because cutting off the front of a list costs its whole length; never the newest tile."""
        if self._size <= self._ring_bytes + self._ring_bytes // 8:
            return
        keep_from = seq // TILE * TILE
        drop = 0
        while self._size > self._ring_bytes and self._first + drop < keep_from:
            self._size -= len(self._lines[drop])
            drop += 1
        del self._lines[:drop]
        self._first += drop

    # -- for readers ----------------------------------------------------------------------------

    @property
    def age(self) -> float:
        """Seconds since the moment that the newest checkpoint vouches for; infinite before the first."""
        return float("inf") if self.state is None else self._clock() - self.state.taken

    @property
    def silence(self) -> float:
        """Seconds since this process had anything to show, which it has once a second if it reaches its database.

        Less than `age` while a burst is being logged: records come then, each time under a checkpoint that vouches
        for no more than the last.
        """
        return self._clock() - self._heard

    @property
    def fresh(self) -> bool:
        return self.age <= FRESH_SECONDS

    @property
    def first(self) -> int:
        """The least sequence number whose record is in memory."""
        return self._first

    def lines(self, first: int, last: int) -> list[bytes]:
        """The records from `first` to `last`, both included, as far as they are in memory."""
        return self._lines[max(0, first - self._first) : max(0, last + 1 - self._first)]

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after every change, at once: it must return quickly and raise nothing."""
        self._listeners.append(listener)

    def stop_listening(self, listener: Callable[[], None]) -> None:
        self._listeners.remove(listener)

    def grown(self) -> Coroutine[object, object, object]:
        """Returns when there is a new record, or another log, since it was called, whenever it is awaited."""
        return self._grown.wait()
