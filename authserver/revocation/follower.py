"""What every process does with the log: extend it, follow it, vouch for it.

The order of the steps is the proof. The time is taken first, then the database is read; only if that reading (or a
transaction begun after that moment) left nothing in the outbox is everything that was acknowledged before in the
log, and only then does the checkpoint's `at` move on. Without the database nothing newer is signed.
See docs/decisions/0080-at-is-a-proof-of-coverage.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

from authserver import telemetry
from authserver.clock import Clock
from authserver.model.errors import TemporarilyUnavailable
from authserver.model.log import FIRST_SEQ, TILE, Extension, LinkedRecord, LogHead
from authserver.revocation.checkpoint import Checkpoint, Sign
from authserver.revocation.continuity import End, LogLostCommits, Moment, continues, must_link
from authserver.revocation.records import chain_start, line_of
from authserver.revocation.sink import LogSink
from authserver.storage.channels import tell_revoked
from authserver.storage.interface import Bus, Compose, LogStore

BATCH = 1024
"""Records of one transaction: thirty milliseconds."""
AT_START = 4 * TILE
"""Records that are read at the start, so that streams that were cut by a restart can go on."""
POLL_ALONE = 0.05
"""Seconds between two looks when nothing else would tell of a revocation."""
POLL_WITH_BUS = 0.45
RETRY = 0.01
"""While somebody else is extending the log."""
SIGN_AFTER = 0.7
"""Seconds after which the next look signs, so that with either poll it is done once a second at least."""

_log = telemetry.logger("authserver.log")


@dataclass(slots=True)
class LogFollower:
    store: LogStore
    compose: Compose
    sign: Sign
    sink: LogSink
    bus: Bus
    issuer: str
    now: Clock
    clock: Callable[[], float] = monotonic
    bus_reaches_others: bool = False

    fault: str | None = None
    """Why nothing is signed although the database answers; None while all is well."""
    pending: bool = False
    """At the last look the outbox held something."""
    signed: str | None = None
    """The newest checkpoint."""
    _end: End | None = None
    _covered: Moment | None = None
    _signed_at: float = float("-inf")
    _head: LogHead | None = None
    _trouble: str | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    # -- for others -----------------------------------------------------------------------------

    def wake(self) -> None:
        """Look now: something was revoked."""
        self._wake.set()

    @property
    def seq(self) -> int:
        """The last record that this process has followed."""
        return self._end.seq if self._end else 0

    @property
    def log(self) -> str | None:
        return self._end.log if self._end else None

    @property
    def age(self) -> float:
        """Seconds since the moment up to which the newest checkpoint vouches; infinite before the first."""
        return self.clock() - self._covered.taken if self._covered and self.signed else float("inf")

    async def run(self) -> None:
        """Raises StorageUnavailable when the database does not answer; may be called again after that."""
        while True:
            self._wake.clear()
            caught_up = await self.look()
            # Not wait_for: on Python 3.11 it swallows a cancellation that meets the wake-up, and the job never ends.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval() if caught_up else RETRY):
                    await self._wake.wait()

    def _interval(self) -> float:
        return POLL_WITH_BUS if self.bus_reaches_others and self.bus.connected else POLL_ALONE

    # -- looking --------------------------------------------------------------------------------

    async def look(self) -> bool:
        """Extend, follow, vouch; False if there is more to do at once. Raises StorageUnavailable."""
        moment = self._moment()  # before the reading that it vouches for
        head = await self.store.head()
        try:
            self._check(head)
            caught_up = await self._drain() if head.pending else await self._follow(head, moment)
        except LogLostCommits as fault:
            await self._stop(str(fault), head)
            return True
        except TemporarilyUnavailable as error:  # no key signs: nothing was shown, and all of it is read again
            self._say("checkpoints cannot be signed", error)
            return True
        self._say(None)
        if caught_up:
            await self.store.tidy()
        return caught_up

    def _moment(self) -> Moment:
        taken = self.clock()
        return Moment(self.now(), taken)

    def _check(self, head: LogHead) -> None:
        """Raises LogLostCommits. A log that took the place of ours by `renew` is simply begun."""
        self._head, self.pending = head, head.pending
        if not continues(head, self._end):
            self._end = self._covered = None

    # -- extending ------------------------------------------------------------------------------

    async def _drain(self) -> bool:
        """Move the outbox into the log and follow, batch by batch; False while somebody else does."""
        while True:
            moment = self._moment()
            extension = await self.store.extend(self.compose, now=self.now, limit=BATCH)
            done = extension is not None and extension.drained
            if extension is None or not self._take(extension, moment if done else None):
                head = await self.store.head()
                self._check(head)
                done = done or not head.pending
                await self._follow(head, moment if done else None)
            if extension is not None and extension.records and self.bus_reaches_others:
                await tell_revoked(self.bus)
            if extension is None or done:
                self.pending = not done
                return done

    def _take(self, extension: Extension, moment: Moment | None) -> bool:
        """Follow by what was just written, without reading it; False if it is not what comes next."""
        if self._end is None or extension.log != self._end.log:
            return False
        if not extension.records:
            if extension.seq == self._end.seq and moment is not None:
                self._vouch(moment)
            return extension.seq == self._end.seq
        if extension.records[0].record.seq != self._end.seq + 1:
            return False
        self._show(extension.records, moment)
        return True

    # -- following ------------------------------------------------------------------------------

    async def _follow(self, head: LogHead, moment: Moment | None) -> bool:
        """Read up to `head`, sign; `moment` if everything acknowledged before it is there. Whether all was done."""
        if self._end is None:  # nothing was vouched for yet, so there is nothing to show before somebody can
            return moment is not None and await self._begin(head, moment)
        while self._end.seq < head.seq:
            page = await self._page(self._end.log, self._end.seq, head.seq)
            if not page or page[0].record.seq != self._end.seq + 1:
                return await self._lost_the_thread(head)
            self._show(page, moment if page[-1].record.seq == head.seq else None)
        if moment is not None:
            self._vouch(moment)
        return moment is not None

    async def _page(self, log: str, after: int, upto: int) -> Sequence[LinkedRecord]:
        return await self.store.records(log, after=after, limit=min(BATCH, upto - after))

    async def _lost_the_thread(self, head: LogHead) -> bool:
        """What follows is not there: the log was renewed this moment, or the floor has passed this process, which
        slept. Then it begins anew. Raises LogLostCommits if it is neither."""
        again = await self.store.head()
        self._check(again)
        if self._end is not None and again.floor <= self._end.seq + 1 and again.floor == head.floor:
            raise LogLostCommits(f"record {self._end.seq + 1} is missing")
        self._end = self._covered = None
        return False

    async def _begin(self, head: LogHead, moment: Moment) -> bool:
        """Take up the log at its head, with its last records; False if it changed meanwhile."""
        first = max(head.floor, head.seq // TILE * TILE - AT_START, FIRST_SEQ)
        linked: list[LinkedRecord] = []
        while first + len(linked) <= head.seq:
            page = await self._page(head.log, first + len(linked) - 1, head.seq)
            if not page or page[0].record.seq != first + len(linked):
                return False
            linked += page
        lines = [line_of(each.record) for each in linked]
        if (linked[-1].hash if linked else chain_start(head.log)) != head.hash:
            raise LogLostCommits(f"record {head.seq} is not the one that the head names")
        for before, each, line in zip(linked, linked[1:], lines[1:], strict=False):
            must_link(before.hash, each, line)
        end = End(head.log, head.seq, head.hash)
        checkpoint = self._signed(end, moment)
        self.sink.begin(head.log, head.seq, lines)
        self._advance([], end, moment, checkpoint)
        return True

    def _show(self, page: Sequence[LinkedRecord], moment: Moment | None) -> None:
        """The next records, under a new checkpoint; without `moment` one that vouches for no more than the last."""
        if self._end is None or self._covered is None:
            return
        hash_, lines = self._end.hash, [line_of(each.record) for each in page]
        for each, line in zip(page, lines, strict=True):
            hash_ = must_link(hash_, each, line)
        end = End(self._end.log, page[-1].record.seq, hash_)
        covered = moment or self._covered
        self._advance(lines, end, covered, self._signed(end, covered))

    def _vouch(self, moment: Moment) -> None:
        """That nothing was added; about once a second, however often this is called."""
        if self._end is not None and self.clock() - self._signed_at >= SIGN_AFTER:
            self._advance([], self._end, moment, self._signed(self._end, moment))

    def _signed(self, end: End, moment: Moment) -> str:
        snapshot = self._head.snapshot if self._head else None
        if snapshot is not None and snapshot.seq > end.seq:
            snapshot = None
        floor = self._head.floor if self._head else FIRST_SEQ
        checkpoint = Checkpoint(log=end.log, seq=end.seq, hash=end.hash, at=moment.at, floor=floor, snapshot=snapshot)
        return self.sign(checkpoint.claims(self.issuer))

    def _advance(self, lines: Sequence[bytes], end: End, moment: Moment, checkpoint: str) -> None:
        """Only after the signature, so that what could not be signed is followed again."""
        self._end, self._covered, self.signed, self._signed_at = end, moment, checkpoint, self.clock()
        self.sink.advance(lines, log=end.log, seq=end.seq, at=moment.at, checkpoint=checkpoint, taken=moment.taken)

    # -- faults ---------------------------------------------------------------------------------

    async def _stop(self, why: str, head: LogHead) -> None:
        """Sign no more, in any process and after any restart, until the log is renewed."""
        if self.fault is None:
            _log.critical("the database has lost commits of the revocation log", why=why, cure="authserver log renew")
        self.fault = why
        if head.witness is None and self.signed is not None:
            await self.store.accuse(head.log, self.signed)

    def _say(self, trouble: str | None, error: Exception | None = None) -> None:
        if trouble is not None and self._trouble is None:
            _log.error(trouble, error=str(error))
        if trouble is None and (self._trouble or self.fault):
            _log.info("checkpoints are signed again")
        self._trouble = trouble
        self.fault = None
