"""What a process vouches for, over a log that is played: nothing that it has not seen, nothing newer than its look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from authserver.clock import Clock
from authserver.model.errors import TemporarilyUnavailable
from authserver.model.log import Extension, LinkedRecord, LogEnd, LogHead, SnapshotRef
from authserver.model.revocation import OutboxEntry
from authserver.model.time import MINUTE
from authserver.revocation import follower as module
from authserver.revocation.feed import Feed
from authserver.revocation.follower import LogFollower
from authserver.revocation.records import Composer, chain_start, chained, line_of
from authserver.storage.interface import Compose, StorageUnavailable
from authserver.storage.local import LocalBus

ISSUER = "https://auth.example"
NOW = 1_800_000_000_000
LOG = "5c0b7e0f2f6a4d11"


async def nothing() -> None:
    return None


@dataclass
class PlayedLog:
    """A `LogStore` in memory. `before_*` run when the database is reached, so that anything may happen in between."""

    log: str = LOG
    records_: list[LinkedRecord] = field(default_factory=list)
    outbox: list[OutboxEntry] = field(default_factory=list)
    floor: int = 1
    witness: str | None = None
    left: frozenset[str] = frozenset()
    snapshot: SnapshotRef | None = None
    down: bool = False
    busy: bool = False
    before_head: Callable[[], Awaitable[None]] = nothing
    before_extend: Callable[[], Awaitable[None]] = nothing
    looks: int = 0
    tidied: int = 0

    def commit(self, *values: str) -> None:
        start = len(self.outbox) + len(self.records_) + 1
        for number, value in enumerate(values, start):
            self.outbox.append(
                OutboxEntry(id=number, kind="sid", value=value, version=0, expires_at=None, created_at=NOW)
            )

    @property
    def end(self) -> LogEnd:
        hash_ = self.records_[-1].hash if self.records_ else chain_start(self.log)
        return LogEnd(self.log, len(self.records_), hash_, MINUTE, NOW)

    def append(self, *values: str) -> None:
        """As another process would."""
        self.commit(*values)
        self._move(Composer(ISSUER), len(self.outbox))

    def _move(self, compose: Compose, limit: int) -> list[LinkedRecord]:
        taken, self.outbox = self.outbox[:limit], self.outbox[limit:]
        linked = list(compose(self.end, taken))
        self.records_ += linked
        return linked

    def _reach(self) -> None:
        if self.down:
            raise StorageUnavailable("down")

    async def head(self) -> LogHead:
        self._reach()
        await self.before_head()
        self.looks += 1
        end = self.end
        return LogHead(
            log=end.log,
            seq=end.seq,
            hash=end.hash,
            floor=self.floor,
            pending=bool(self.outbox),
            token_ttl=MINUTE,
            snapshot=self.snapshot,
            witness=self.witness,
            left=self.left,
        )

    async def extend(self, compose: Compose, *, now: Clock, limit: int) -> Extension | None:
        self._reach()
        await self.before_extend()
        if self.busy:
            return None
        linked = self._move(compose, limit)
        end = self.end
        return Extension(records=tuple(linked), log=end.log, seq=end.seq, hash=end.hash, drained=len(linked) < limit)

    async def records(self, log: str, *, after: int, limit: int) -> Sequence[LinkedRecord]:
        self._reach()
        there = [each for each in self.records_ if each.record.seq > after and each.record.seq >= self.floor]
        return there[:limit] if log == self.log else []

    async def accuse(self, log: str, witness: str) -> bool:
        self._reach()
        accused = log == self.log and self.witness is None
        self.witness = witness if accused else self.witness
        return accused

    async def tidy(self) -> None:
        self.tidied += 1


@dataclass
class Scene:
    log: PlayedLog = field(default_factory=PlayedLog)
    feed: Feed = field(init=False)
    at: int = NOW
    seconds: float = 100.0
    claims: list[Mapping[str, Any]] = field(default_factory=list)
    no_key: bool = False

    def __post_init__(self) -> None:
        self.feed = Feed(clock=lambda: self.seconds)
        self.follower = self.process(self.feed)

    def process(self, feed: Feed) -> LogFollower:
        store: Any = self.log  # what the follower uses of a LogStore
        clock = {"now": lambda: self.at, "clock": lambda: self.seconds}
        return LogFollower(store, Composer(ISSUER), self.sign, feed, LocalBus(), ISSUER, **clock)

    def sign(self, claims: Mapping[str, Any]) -> str:
        if self.no_key:
            raise TemporarilyUnavailable("No signing key is active.")
        self.claims.append(claims)
        return f"checkpoint {len(self.claims)}"

    def later(self, seconds: float = 1.0) -> None:
        self.seconds += seconds
        self.at += int(seconds * 1000)

    async def look(self, seconds: float = 1.0) -> bool:
        self.later(seconds)
        return await self.follower.look()

    @property
    def last(self) -> Mapping[str, Any]:
        return self.claims[-1]

    def shown(self) -> list[bytes]:
        assert self.feed.state is not None
        return self.feed.lines(1, self.feed.state.seq)


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_what_was_revoked_is_logged_shown_and_vouched_for_in_one_look(scene: Scene) -> None:
    scene.log.commit("a", "b")
    assert await scene.look()
    assert (scene.last["seq"], scene.last["at"], scene.last["log"]) == (2, scene.at, LOG)
    assert scene.shown() == [line_of(each.record) for each in scene.log.records_]
    state = scene.feed.state
    assert state is not None
    assert (state.seq, state.checkpoint, state.taken) == (2, b"checkpoint 1", scene.seconds)


async def test_the_hash_of_a_checkpoint_is_that_of_the_records_that_are_shown(scene: Scene) -> None:
    from authserver.revocation.checkpoint import base64url

    for number in range(5):
        scene.log.commit(f"s{number}")
        await scene.look()
        assert scene.last["h"] == base64url(chained(chain_start(LOG), scene.shown()))


async def test_records_of_other_processes_are_followed(scene: Scene) -> None:
    await scene.look()
    scene.log.append("a", "b")
    await scene.look()
    assert (scene.last["seq"], len(scene.shown())) == (2, 2)


async def test_a_process_that_starts_takes_up_the_newest_tile_at_least(scene: Scene) -> None:
    scene.log.append(*(f"s{number}" for number in range(3000)))
    await scene.look()
    assert scene.feed.first <= 3000 // 256 * 256
    assert scene.feed.lines(2816, 3000) == [line_of(each.record) for each in scene.log.records_[2815:]]


# -- `at` is a proof --------------------------------------------------------------------------------


async def test_at_is_the_time_before_the_look_not_after(scene: Scene) -> None:
    async def slow() -> None:
        scene.later(0.4)

    scene.log.before_head = slow
    scene.later()
    asked = scene.at
    await scene.follower.look()
    assert (scene.last["at"], scene.feed.state and scene.feed.state.taken) == (asked, scene.seconds - 0.4)


async def test_at_stands_still_while_somebody_else_holds_the_log_and_does_not_come_on(scene: Scene) -> None:
    await scene.look()
    covered = scene.last["at"]
    scene.log.busy = True
    scene.log.commit("a")
    for _ in range(3):
        assert not await scene.look()
    assert scene.last["at"] == covered
    assert scene.follower.age >= 3
    scene.log.busy = False
    assert await scene.look()
    assert (scene.last["at"], scene.last["seq"]) == (scene.at, 1)


async def test_of_a_burst_every_batch_is_signed_but_at_moves_on_only_with_the_last(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 10)
    await scene.look()
    covered = scene.last["at"]
    scene.log.commit(*(f"s{number}" for number in range(35)))
    assert await scene.look()
    assert [(claims["seq"], claims["at"] > covered) for claims in scene.claims[1:]] == [
        (10, False),
        (20, False),
        (30, False),
        (35, True),
    ]


async def test_a_commit_during_the_last_batch_is_not_vouched_for(scene: Scene) -> None:
    """The database answers "nothing more" about what was there when its transaction began."""
    await scene.look()
    scene.log.commit("a")

    async def meanwhile() -> None:
        scene.later(0.3)  # time passes before the transaction begins; `at` must be from before

    scene.log.before_extend = meanwhile
    scene.later()
    asked = scene.at
    await scene.follower.look()
    assert (scene.last["seq"], scene.last["at"]) == (1, asked)


async def test_a_start_amid_a_burst_shows_nothing_before_it_can_vouch(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 10)
    scene.log.commit(*(f"s{number}" for number in range(35)))
    scene.log.busy = True
    await scene.look()
    assert (scene.claims, scene.feed.state) == ([], None)
    scene.log.busy = False
    await scene.look()
    assert [claims["seq"] for claims in scene.claims] == [35]
    assert len(scene.shown()) == 35


async def test_without_the_database_nothing_newer_is_signed_and_then_it_goes_on(scene: Scene) -> None:
    await scene.look()
    signed = len(scene.claims)
    scene.log.down = True
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            await scene.look()
    assert (len(scene.claims), scene.follower.age) == (signed, 3)
    assert not scene.feed.fresh
    scene.log.down = False
    await scene.look()
    assert scene.last["at"] == scene.at


@pytest.mark.parametrize("poll", [module.POLL_ALONE, module.POLL_WITH_BUS])
async def test_with_either_poll_there_is_a_checkpoint_a_second_and_not_many(scene: Scene, poll: float) -> None:
    moments = []
    for _ in range(int(20 / poll)):
        before = len(scene.claims)
        await scene.look(poll)
        moments += [scene.seconds] * (len(scene.claims) - before)
    gaps = [after - before for before, after in pairwise(moments)]
    assert max(gaps) <= 1.0
    assert len(moments) <= 30


async def test_without_a_key_nothing_is_shown_and_nothing_is_lost(scene: Scene) -> None:
    await scene.look()
    scene.no_key = True
    scene.log.commit("a")
    await scene.look()
    assert (scene.last["seq"], scene.shown()) == (0, [])
    scene.no_key = False
    await scene.look()
    assert (scene.last["seq"], len(scene.shown())) == (1, 1)


async def test_a_snapshot_that_is_ahead_of_the_checkpoint_is_not_in_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.look()
    monkeypatch.setattr(module, "BATCH", 10)
    scene.log.append(*(f"s{number}" for number in range(15)))
    scene.log.snapshot = SnapshotRef(12, b"h" * 32, b"s" * 32)
    await scene.look()
    assert [(claims["seq"], "snap" in claims) for claims in scene.claims[1:]] == [(10, False), (15, True)]


# -- lost commits -----------------------------------------------------------------------------------


async def stopped(scene: Scene) -> bool:
    """Whether it neither signs nor extends."""
    signed, waiting = len(scene.claims), len(scene.log.outbox)
    for _ in range(3):
        await scene.look()
    return scene.follower.fault is not None and (len(scene.claims), len(scene.log.outbox)) == (signed, waiting)


async def test_a_log_that_is_shorter_than_what_was_signed_stops_everything_and_the_proof_is_kept(scene: Scene) -> None:
    scene.log.commit("a", "b")
    await scene.look()
    del scene.log.records_[1:]
    scene.log.commit("c")
    assert await stopped(scene)
    assert scene.log.witness == "checkpoint 1"
    assert not scene.feed.fresh


async def test_another_record_under_a_number_that_was_signed_stops_everything(scene: Scene) -> None:
    scene.log.commit("a", "b")
    await scene.look()
    del scene.log.records_[1:]
    scene.log.append("other")
    assert await stopped(scene)


async def test_a_log_that_grew_again_beyond_what_was_signed_is_found_out_by_its_chain(scene: Scene) -> None:
    scene.log.commit("a", "b")
    await scene.look()
    del scene.log.records_[1:]
    scene.log.append("other", "and", "more")
    assert await stopped(scene)


async def test_a_log_that_is_restored_before_a_batch_is_written_is_found_out_by_the_batch(scene: Scene) -> None:
    scene.log.commit("a", "b")
    await scene.look()
    shown = scene.shown()

    async def restored() -> None:
        del scene.log.records_[1:]
        scene.log.before_extend = nothing

    scene.log.commit("c")
    scene.log.before_extend = restored
    await scene.look()
    assert await stopped(scene)
    assert (len(scene.claims), scene.shown()) == (1, shown)


async def test_a_log_that_was_restored_from_before_a_renewal_stops_everything(scene: Scene) -> None:
    await scene.look()
    scene.log.log = "another0another0"
    assert await stopped(scene)


async def test_a_witness_of_others_stops_this_process_too_and_a_start_on_it(scene: Scene) -> None:
    await scene.look()
    scene.log.witness = "somebody's checkpoint"
    assert await stopped(scene)
    fresh = Scene(log=scene.log)
    assert await stopped(fresh)
    assert fresh.claims == []


async def test_a_renewed_log_is_followed_from_its_beginning(scene: Scene) -> None:
    scene.log.commit("a", "b")
    await scene.look()
    scene.log.witness = "w"
    assert await stopped(scene)
    scene.log.left, scene.log.log, scene.log.records_ = frozenset({LOG}), "00112233445566ff", []
    scene.log.witness = None
    scene.log.append("x")
    await scene.look()
    await scene.look()
    assert scene.follower.fault is None
    assert (scene.last["log"], scene.last["seq"], len(scene.shown())) == ("00112233445566ff", 1, 1)


async def test_a_renewal_between_two_questions_is_no_fault(scene: Scene) -> None:
    await scene.look()
    scene.log.append(*"abc")

    async def renewed() -> None:
        if scene.log.looks == 2:  # the second question of this look, or the next look
            return
        scene.log.before_head = nothing

    scene.log.before_head = renewed
    original = scene.log.records

    async def records(log: str, *, after: int, limit: int) -> Sequence[LinkedRecord]:
        scene.log.left, scene.log.log, scene.log.records_ = frozenset({LOG}), "00112233445566ff", []
        scene.log.append("x")
        scene.log.records = original  # type: ignore[method-assign]  # once
        return await original(log, after=after, limit=limit)

    scene.log.records = records  # type: ignore[method-assign]  # something happens in between
    await scene.look()
    assert scene.follower.fault is None
    await scene.look()
    assert (scene.last["log"], scene.last["seq"]) == ("00112233445566ff", 1)


async def test_a_process_that_slept_past_the_floor_begins_anew(scene: Scene) -> None:
    await scene.look()
    scene.log.append(*(f"s{number}" for number in range(600)))
    scene.log.floor = 512
    await scene.look()
    await scene.look()
    assert scene.follower.fault is None
    assert scene.last["seq"] == 600
    assert scene.feed.first == 512


async def test_a_missing_record_is_a_fault(scene: Scene) -> None:
    await scene.look()
    scene.log.append(*"abc")
    del scene.log.records_[0]
    scene.log.records_.append(scene.log.records_[-1])  # as many as before
    assert await stopped(scene)


# -- running ----------------------------------------------------------------------------------------


async def test_a_wake_up_is_followed_by_a_look_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_ALONE", 30.0)
    running = asyncio.create_task(scene.follower.run())
    await asyncio.sleep(0.02)
    scene.log.commit("a")
    scene.follower.wake()
    async with asyncio.timeout(1):
        await scene.feed.grown()
    assert scene.last["seq"] == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_after_a_failure_it_is_run_again_and_goes_on(scene: Scene) -> None:
    await scene.look()
    scene.log.down = True
    with pytest.raises(StorageUnavailable):
        await scene.follower.run()
    scene.log.down = False
    scene.log.commit("a")
    running = asyncio.create_task(scene.follower.run())
    async with asyncio.timeout(1):
        await scene.feed.grown()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
