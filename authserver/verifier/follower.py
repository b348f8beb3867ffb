"""FeedFollower: a daemon thread that keeps a signed copy of the revocations, and knows how old it is."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from math import inf
from typing import Literal

from . import clock
from .backoff import Backoff
from .checkpoint import CheckpointReader, KeyFor
from .clock import Clock
from .feedclient import FeedClient, NoStream
from .freshness import Freshness, PurgeClock
from .notes import Notes
from .records import FeedFault
from .recovery import Recovery
from .replica import Replica
from .report import Applied, Reporter
from .sessions import NothingNew, Sessions
from .state import Revocations
from .transport import TimedOut, Transport, TransportError
from .troubles import Troubles

Mode = Literal["stream", "poll", "cached"]
CLOSING_SECONDS = 0.9
STREAM_AGAIN_SECONDS, STREAM_AGAIN_MOST = 60.0, 600.0
"""How long polls stand in for a stream that something on the way keeps back."""
_SHORT_SECONDS, _SHORT_STREAMS = 10.0, 3
"""So many streams in a row that went silent so soon: what they bring comes in lumps."""

logger = logging.getLogger("authserver.verifier")
_starting = threading.Lock()


def _after_fork() -> None:
    """Another thread may have held it in the parent; here there is no such thread."""
    global _starting
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks either
    os.register_at_fork(after_in_child=_after_fork)


def _ignore(key: bytes) -> None:
    """Nobody wants to hear of revoked keys."""


class FeedFollower:
    """What `Verifier` asks about revocations. Everything here may be called from any thread."""

    def __init__(
        self,
        issuer: str,
        *,
        feed_url: Callable[[], str],
        key_for: KeyFor,
        transport: Transport,
        mode: Mode = "stream",
        max_staleness: float = 5.0,
        authorization: str | None = None,
        report: bool = False,
        instance: str | None = None,
        on_kid: Callable[[bytes], None] = _ignore,
        wall: Clock = clock.wall,
        monotonic: Clock = clock.monotonic,
        pause: Callable[[float], bool] | None = None,
        troubles: Troubles | None = None,
    ) -> None:
        """
        `feed_url`: the `revocation_feed_endpoint` of the metadata; may raise TransportError; asked for each request.
        `key_for`: the issuer's key for a `kid`; fetches the JWKS at most once if it does not know it.
        `authorization`: the header of a confidential client, for private feeds and reports.
        `on_kid`: told the 16-byte key of each revoked `kid`, so that it leaves the JWKS's copy at once.
        `pause`: waits so many seconds between requests; true if the follower was closed meanwhile.
        `troubles`: where what is wrong is kept, for whoever asks.
        The transport is closed with the follower.
        """
        self._pause = pause or self._wait
        self._mode, self._transport, self._monotonic = mode, transport, monotonic
        self._notes = Notes(monotonic, troubles)
        self._freshness = Freshness(monotonic, wall)
        client = FeedClient(feed_url, transport, authorization, issuer, mode == "cached")
        recovery = Recovery(issuer, client, self._notes)
        purge_clock = PurgeClock(monotonic, wall)
        self._replica = Replica(
            issuer, recovery, self._freshness, purge_clock, self._notes, on_kid=on_kid, on_change=self._changed
        )
        reader = CheckpointReader(issuer, key_for, lambda key: self._replica.revocations.lists_kid(key), wall)
        self._sessions = Sessions(
            client, reader, self._replica, self._freshness, self._notes, monotonic, self._pause, max_staleness
        )
        self._backoff = Backoff()
        self._reporter = Reporter(client, self._applied, self._notes, instance) if report else None
        self._poll_next = mode == "poll"
        self._stream_again, self._short_streams = STREAM_AGAIN_SECONDS, 0
        self._running_in = 0
        self._thread: threading.Thread | None = None
        self._closing, self._first = threading.Event(), threading.Event()

    # -- life -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start following, also in a process forked off one that followed. Cheap when it does already."""
        if self._running_in == os.getpid():
            return
        with _starting:
            if self._running_in == os.getpid() or self._closing.is_set():
                return
            # Made anew: a fork may have copied them in the midst of being set.
            self._closing, self._first = threading.Event(), threading.Event()
            if self.ready:
                self._first.set()
            if self._reporter is not None:  # first, so that it hears of the first change
                self._reporter.start()
            self._thread = threading.Thread(target=self._run, name="authserver-feed", daemon=True)
            self._thread.start()
            self._running_in = os.getpid()

    def close(self) -> None:
        """Back within a second; what is held stays and ages. There is no starting again."""
        self._closing.set()
        self._transport.close()
        if self._running_in == os.getpid():
            if self._thread is not None:
                self._thread.join(CLOSING_SECONDS)
            if self._reporter is not None:
                self._reporter.close(0.1)

    def _wait(self, seconds: float) -> bool:
        return self._closing.wait(seconds)

    # -- what is asked --------------------------------------------------------------------------------

    @property
    def revocations(self) -> Revocations:
        """Another object after a snapshot or a new log: take it anew for each token, after `age()`."""
        return self._replica.revocations

    @property
    def ready(self) -> bool:
        """True from the first checkpoint on whose records are all here."""
        return self._replica.checkpoint is not None

    def wait_ready(self, timeout: float) -> bool:
        """Started it must be."""
        return self.ready or self._first.wait(timeout)

    def age(self) -> float:
        """Seconds by which the copy may lag behind the issuer; infinite before the first checkpoint."""
        return self._freshness.age()

    def issuer_now(self) -> float | None:
        """The issuer's clock in seconds since the epoch, carried on by the monotonic one."""
        return self._freshness.issuer_now()

    def since(self, issued_at: int) -> float | None:
        """Seconds, at most, since a token of that `iat` was issued; None before the first checkpoint."""
        return self._freshness.since(issued_at)

    @property
    def seq(self) -> int:
        return self._replica.seq

    @property
    def log(self) -> str | None:
        checkpoint = self._replica.checkpoint
        return None if checkpoint is None else checkpoint.log

    @property
    def checkpoint(self) -> str | None:
        """The newest that was applied, as it came: evidence of what this service knows."""
        checkpoint = self._replica.checkpoint
        return None if checkpoint is None else checkpoint.jwt

    @property
    def counters(self) -> Mapping[str, int]:
        """By the names in `notes.NAMES`."""
        return dict(self._notes.counters)

    # -- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            delay = self.follow_once()
            if self._pause(delay):
                return

    def follow_once(self) -> float:
        """One connection, to its end; how many seconds to wait before the next."""
        started, error = self._monotonic(), None
        try:
            self._session()
        except (FeedFault, TransportError) as failed:
            error = failed
        except Exception:  # a thread that dies of a mistake of ours would never hear of a revocation again
            logger.exception("the revocation feed: a mistake in the follower")
            self._notes.count("mistakes")
            error = FeedFault("mistake")
        if error is None or self._closing.is_set():
            return 0.0
        return self._after(error, self._monotonic() - started)

    def _session(self) -> None:
        if self._mode == "cached":
            self._sessions.look()
        elif self._poll_next:
            self._sessions.poll(inf if self._mode == "poll" else self._monotonic() + self._stream_again)
            self._poll_next = self._mode == "poll"
            self._stream_again = min(2 * self._stream_again, STREAM_AGAIN_MOST)
        else:
            self._sessions.stream()
            raise TransportError("the stream was ended by the other side")

    def _after(self, error: FeedFault | TransportError, lasted: float) -> float:
        self._notes.fault(error)
        self._notes.count("reconnects")
        if self._mode == "stream":
            was_polling, self._poll_next = self._poll_next, False
            if not was_polling and self._is_kept_back(error, lasted):
                self._poll_next = True
                return 0.0
        return self._backoff.next(error, self._sessions.delivered)

    def _is_kept_back(self, error: Exception, lasted: float) -> bool:
        """Whether the stream is silent rather than gone: proxies that gather answers do that, and polls get through."""
        silent = isinstance(error, TimedOut | NothingNew | NoStream)
        if not self._sessions.heard:
            return silent
        self._short_streams = self._short_streams + 1 if silent and lasted < _SHORT_SECONDS else 0
        return self._short_streams >= _SHORT_STREAMS

    def _changed(self) -> None:
        """By the replica: records were applied, the first checkpoint came, or one that contradicts what is known."""
        self._first.set()
        if self._reporter is not None:
            self._reporter.changed()

    def _applied(self) -> Applied | None:
        checkpoint = self._replica.checkpoint
        return None if checkpoint is None else Applied(checkpoint.jwt, self._replica.revocations.entries)
