"""A snapshot is used whole and as signed, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

import pytest

from authserver.verifier.checkpoint import Checkpoint, SnapshotReference
from authserver.verifier.logcopy import LogCopy
from authserver.verifier.records import FeedFault
from authserver.verifier.snapshot import SnapshotRefused, read_snapshot
from authserver.verifier.testing_log import WritableLog
from tests.verifier.feed_world import ISSUER, LATER, START, World, accepts, keys, ok


def a_log(records: int = 300) -> WritableLog:
    log = WritableLog(ISSUER)
    for i in range(1, records + 1):
        log.append("sid", f"sid-{i}", expires=LATER)
    return log


def load(
    body: bytes, log: WritableLog, *, digest: bytes | None = None, limit: int = 1 << 20, step: int = 7000
) -> LogCopy:
    snap = SnapshotReference(log.seq, log.hashes[-1], digest or sha256(body).digest())
    checkpoint = Checkpoint(log.log, log.seq, log.hashes[-1], START * 1000, 1, snap, "")
    pieces = (body[i : i + step] for i in range(0, len(body), step))
    return read_snapshot(pieces, checkpoint, snap, ISSUER, limit)


def refused(body: bytes, log: WritableLog, **options: object) -> bool:
    try:
        load(body, log, **options)  # type: ignore[arg-type]  # whatever a test wants to try
    except FeedFault:
        return True
    return False


@pytest.mark.parametrize("step", [1, 100, 1 << 20])
def test_a_snapshot_is_read_however_it_is_cut_into_pieces(step: int) -> None:
    log = a_log(20)
    copy = load(log.take_snapshot(START).body, log, step=step)
    assert (copy.log, copy.seq, copy.revocations.entries) == (log.log, 20, 20)
    assert copy.revocations.refusal(keys("sid-7")) == "sid"


def test_a_snapshot_of_nothing_is_read() -> None:
    log = WritableLog(ISSUER)
    assert load(log.take_snapshot(START).body, log).revocations.entries == 0


def test_one_changed_byte_anywhere_is_noticed() -> None:
    log = a_log(3)
    body = log.take_snapshot(START).body
    for i in range(len(body)):
        changed = body[:i] + bytes([body[i] ^ 1]) + body[i + 1 :]
        assert refused(changed, log, digest=sha256(body).digest())


@pytest.mark.parametrize("cut", [0, 1, 50, 5000])
def test_a_truncated_one_is_noticed_even_if_it_was_signed_so(cut: int) -> None:
    log = a_log()
    body = log.take_snapshot(START).body
    assert refused(body[: -cut or len(body)], log) == (cut > 0)


def test_what_follows_the_last_line_is_noticed_even_if_it_was_signed_so() -> None:
    log = a_log(3)
    assert refused(log.take_snapshot(START).body + b"x", log)


def test_one_without_a_body_is_refused() -> None:
    assert refused(b"", a_log(1))


@pytest.mark.parametrize("field", ["log", "seq", "h", "entries"])
def test_the_first_line_must_agree_with_the_checkpoint_and_the_rest(field: str) -> None:
    log = a_log(5)
    head, _, rest = log.take_snapshot(START).body.partition(b"\n")
    told = json.loads(head)
    for wrong in ({**told, field: "x"}, {**told, field: 4}, {k: v for k, v in told.items() if k != field}, [], "x"):
        assert refused(json.dumps(wrong).encode() + b"\n" + rest, log)
    assert not refused(json.dumps(told).encode() + b"\n" + rest, log)


def test_records_must_be_in_order_and_not_after_its_end() -> None:
    log = a_log(3)
    head, *lines = log.take_snapshot(START).body.split(b"\n")[:-1]
    assert refused(b"\n".join([head, lines[1], lines[0], lines[2], b""]), log)
    assert refused(b"\n".join([head, lines[0], lines[0], lines[2], b""]), log)
    late = a_log(4).records[-1].line
    assert refused(b"\n".join([head, lines[0], lines[1], late, b""]), log)


def test_reading_stops_at_the_limit_and_not_at_the_end() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        log = a_log(1)
        yield log.take_snapshot(START).body
        while True:
            taken += 1
            yield b"x" * 1000 + b"\n"

    snap = SnapshotReference(1, b"", b"")
    with pytest.raises(FeedFault):
        read_snapshot(endless(), Checkpoint("0" * 16, 1, b"", 0, 1, snap, ""), snap, ISSUER, 10_000)
    log = a_log(300)
    with pytest.raises(SnapshotRefused, match="more than"):
        load(log.take_snapshot(START).body, log, limit=10_000)
    assert taken <= 10


# -- in the follower ----------------------------------------------------------------------------


@pytest.fixture
def world() -> World:
    """Its log has 5000 records, a snapshot and a little after it."""
    world = World()
    for i in range(5000):
        world.log.append("sid", f"sid-{i}", expires=LATER)
    world.log.take_snapshot(START)
    for i in range(5000, 5300):
        world.log.append("sid", f"sid-{i}", expires=LATER)
    return world


def test_who_begins_far_behind_takes_the_snapshot_and_the_tiles_after_it(world: World) -> None:
    follower = world.followed()
    assert (follower.seq, follower.revocations.entries) == (5300, 5300)
    log = world.log.log
    assert world.requests[1:] == [f"/{log}/snapshots/5000", f"/{log}/tiles/19", "/tail?after=5119&wait=0"]
    assert follower.counters["snapshots"] == 1
    assert follower.counters["gaps"] == 0


def test_who_is_below_the_floor_takes_the_snapshot_however_near(world: World) -> None:
    follower = world.followed()
    world.requests.clear()
    for i in range(600):
        world.log.append("sub", f"u-{i}", version=2, expires=LATER)
    world.log.take_snapshot(START)
    world.log.floor = 5632
    world.connect(follower, world.cp())
    assert world.requests[1] == f"/{world.log.log}/snapshots/5900"
    assert (follower.seq, follower.revocations.entries) == (5900, 5900)


def test_who_is_below_the_floor_without_a_snapshot_keeps_what_it_has_and_ages(world: World) -> None:
    follower = world.followed()
    for i in range(600):
        world.log.append("sub", f"u-{i}", version=2, expires=LATER)
    world.log.floor = 5632
    world.passes(6)
    world.connect(follower, world.cp())
    assert follower.seq == 5300
    assert follower.counters["out_of_reach"] == 1
    assert not accepts(follower)
    assert follower.revocations.refusal(keys("sid-7")) == "sid"


def corrupt(body: bytes) -> bytes:
    return body.replace(b"sid", b"jti", 1)


@pytest.mark.parametrize("harm", ["corrupt", "truncated", "oversized", "gone"])
def test_a_bad_snapshot_replaces_nothing_and_the_copy_ages(world: World, harm: str) -> None:
    snapshot = world.log.snapshots[-1]
    bodies = {
        "corrupt": ok(corrupt(snapshot.body)),
        "truncated": ok(snapshot.body[:-100]),
        "oversized": ok(snapshot.body + b"x" * 1000),
        "gone": replace(ok(b""), status=404),
    }
    world.answers[f"/{world.log.log}/snapshots/5000"] = bodies[harm]
    follower = world.follower()
    world.connect(follower, world.cp())
    assert not follower.ready
    assert not accepts(follower, keys("a good one"))
    assert follower.revocations.entries == 0


def test_a_bad_snapshot_in_a_cache_is_asked_for_once_more_past_it(world: World) -> None:
    bad = [ok(corrupt(world.log.snapshots[-1].body))]
    path = f"/{world.log.log}/snapshots/5000"
    world.answers[path] = lambda: bad.pop() if bad else world.usual_answer(path)
    follower = world.follower(mode="cached")
    world.until_closed = 1
    world.follow(follower)
    assert follower.seq == 5300
    assert world.headers[-1]["Cache-Control"] == "no-cache"
