"""Three ways to follow the feed: a stream, long polls, and looks at what a shared cache has.

Each runs until something is wrong, and then raises; FeedFollower decides what comes next.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .checkpoint import Checkpoint, CheckpointReader, CheckpointRefused
from .clock import Clock
from .feedclient import FeedClient, NoStream
from .freshness import Anchor, Freshness, Point
from .notes import Notes
from .records import FeedFault, Malformed, Record, parse_record
from .replica import Replica
from .sse import EventReader
from .transport import SILENCE

LOOK_SECONDS = 1.0
"""Between two looks at a shared cache, which keeps what it has for a second."""
LEAST_POLL_SECONDS = 0.05
"""From one poll to the next, so that a server that does not wait is not asked without end."""
LEAST_LAG = 0.5
"""Seconds by which the copy may lag behind a checkpoint that has just come, however young it is wanted."""
MAX_BUFFERED = 131_072
"""Records that may come without a checkpoint; about 30 MB."""


class NothingNew(FeedFault):
    """The connection lives, but nothing that it brings makes the copy younger."""

    code = "nothing_new"


@dataclass(slots=True)
class Sessions:
    client: FeedClient
    reader: CheckpointReader
    replica: Replica
    freshness: Freshness
    notes: Notes
    monotonic: Clock
    pause: Callable[[float], bool]
    """Wait so many seconds; true if the follower was closed meanwhile."""
    max_staleness: float
    delivered: bool = field(default=False, init=False)
    """Whether the session that runs, or ran last, has brought a checkpoint that could be used."""
    heard: bool = field(default=False, init=False)
    """Whether it has brought anything that was said on the other side."""

    # -- stream ---------------------------------------------------------------------------------------

    def stream(self) -> None:
        """Until the other side ends it, or FeedFault or TransportError; NoStream if it was over without a word."""
        self.delivered, self.heard, start = False, False, self.monotonic()
        anchor, events, buffered = Anchor(start), EventReader(), list[Record]()
        with self.client.stream(self.replica.position) as download:
            for piece in download.pieces():
                for event in events.feed(piece):
                    self.heard = True
                    if event.name == "rev":
                        _buffer(buffered, event.data)
                    elif event.name == "reset" or (
                        event.name == "cp" and self._take_from_stream(event.data, buffered, anchor)
                    ):
                        buffered.clear()
                self._check_progress(start)
        if not self.heard:
            raise NoStream("the stream", 200)

    def _take_from_stream(self, jwt: bytes, records: Sequence[Record], anchor: Anchor) -> bool:
        """False for a checkpoint that is none: what came before it still waits for one."""
        try:
            checkpoint = self.reader.read(jwt.decode("latin-1"))
        except CheckpointRefused as error:
            self.notes.fault(error)
            return False
        self._take(checkpoint, records, self.freshness.direct(checkpoint, anchor))
        self._check_lag(anchor.start)
        return True

    def _check_lag(self, start: float) -> None:
        """Asked when a checkpoint was taken: what a connection begins with too late, it is behind by until its end.

        Between two checkpoints, a second, the copy must not grow too old; else another connection is better.
        """
        most = max(LEAST_LAG, self.max_staleness / 2, self.max_staleness - LOOK_SECONDS)
        if self.monotonic() - start > SILENCE and self.freshness.age() > most:
            raise NothingNew("a connection lags behind by more than the copy may be old")

    def _check_progress(self, start: float, patience: float = SILENCE) -> None:
        """A trickle, a delay, a server that lags behind: another connection may be better than any of these."""
        if self.monotonic() - start > patience and self.freshness.age() > patience:
            raise NothingNew("a connection does not keep the copy young")

    # -- long poll ------------------------------------------------------------------------------------

    def poll(self, until: float) -> None:
        """Returns at that monotonic moment, or when the follower is closed."""
        self.delivered, anchor = False, Anchor(self.monotonic())
        longest = min(int(self.max_staleness / 2), 20)
        wait = 0  # the first answer is wanted at once
        while (requested := self.monotonic()) < until:
            tail = self.client.tail_after(self.replica.seq, wait)
            checkpoint = self.reader.read(tail.checkpoint)
            self._take(checkpoint, tail.records, self.freshness.direct(checkpoint, anchor, requested))
            self._check_progress(anchor.start, SILENCE + longest)
            wait = longest
            if self.pause(LEAST_POLL_SECONDS if longest else max(LEAST_POLL_SECONDS, self.max_staleness / 4)):
                return

    # -- shared cache ---------------------------------------------------------------------------------

    def look(self) -> None:
        """Returns when the follower is closed."""
        self.delivered, etag = False, None
        while True:
            tail = self.client.tail(etag)
            if tail is not None:
                checkpoint = self.reader.read(tail.checkpoint)
                self._take(checkpoint, tail.records, self.freshness.cached(checkpoint))
                etag = tail.etag
            if self.pause(LOOK_SECONDS * random.uniform(0.9, 1.0)):  # noqa: S311 -- spreads load, hides nothing
                return

    def _take(self, checkpoint: Checkpoint, records: Sequence[Record], point: Point) -> None:
        self.replica.take(checkpoint, records, point)
        self.delivered = True
        self.notes.well()


def _buffer(records: list[Record], line: bytes) -> None:
    if len(records) >= MAX_BUFFERED:
        raise Malformed("too many records without a checkpoint")
    records.append(parse_record(line))
