"""Following the stream: what it brings is used only when the chain proves it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from authserver.verifier import sessions
from authserver.verifier.records import key_of
from authserver.verifier.sse import MAX_EVENT
from authserver.verifier.testing_book import new_key
from authserver.verifier.testing_log import WritableLog
from authserver.verifier.transport import Response, TimedOut, TransportError
from authserver.verifier.troubles import Troubles
from tests.verifier.feed_world import ISSUER, LATER, START, World, accepts, event, keys, ok


@pytest.fixture
def world() -> World:
    return World()


# -- as it should be ----------------------------------------------------------------------------


def test_a_record_denies_as_soon_as_its_checkpoint_is_here(world: World) -> None:
    follower = world.followed()
    seen = []

    def stream() -> Iterator[bytes]:
        yield world.cp()
        seen.append(accepts(follower))
        yield world.revoke("sid-1")
        seen.append(accepts(follower))  # without a checkpoint it could be anybody's
        yield world.cp()
        seen.append(accepts(follower))

    world.follow(follower, stream)
    assert seen == [True, True, False]
    assert (follower.seq, follower.revocations.entries) == (1, 1)


def test_a_connection_goes_on_where_the_last_one_ended(world: World) -> None:
    follower = world.follower(authorization="Basic eA==")
    world.connect(follower, world.revoke("sid-1") + world.cp())
    world.connect(follower, world.cp())
    assert "Last-Event-ID" not in world.headers[0]
    assert world.headers[-1]["Last-Event-ID"] == f"{world.log.log}.1"
    assert world.headers[-1]["Authorization"] == "Basic eA=="


@pytest.mark.parametrize(
    "elsewhere", ["https://cdn.test/feed", "https://issuer.test:8443/feed", "http://issuer.test/x"]
)
def test_credentials_are_shown_to_the_issuer_alone(world: World, elsewhere: str) -> None:
    """The metadata may name a feed elsewhere, on a cache that anybody may read."""
    world.feed = elsewhere
    follower = world.follower(authorization="Basic eA==")
    world.connect(follower, world.cp())
    assert world.headers
    assert not any("Authorization" in headers for headers in world.headers)


def test_who_begins_takes_what_was_before_from_the_tail_and_the_tiles(world: World) -> None:
    for i in range(600):
        world.revoke(f"sid-{i}")
    follower = world.follower()
    world.connect(follower, event("reset", b"{}") + world.cp())
    assert (follower.seq, follower.revocations.entries) == (600, 600)
    log = world.log.log
    assert world.requests[1:] == [f"/{log}/tiles/0", f"/{log}/tiles/1", "/tail?after=511&wait=0"]
    assert follower.counters["gaps"] == 0


def test_a_revoked_key_is_told_once_and_vouches_for_nothing_any_more(world: World) -> None:
    follower = world.followed()
    world.connect(follower, world.revoke(world.key.kid, "kid") + world.cp())
    assert world.revoked_kids == [key_of("kid", ISSUER, world.key.kid)]
    world.passes(6)
    world.connect(follower, world.revoke("sid-1") + world.cp())
    assert follower.seq == 1
    assert not accepts(follower)
    world.key = new_key()
    world.known_keys[world.key.kid] = world.key
    world.connect(follower, world.cp())
    assert follower.age() == 0
    assert len(world.revoked_kids) == 1


# -- faults of the stream -----------------------------------------------------------------------


def numbered(world: World, count: int = 4) -> list[bytes]:
    return [world.revoke(f"sid-{i}") for i in range(1, count + 1)]


@pytest.mark.parametrize("order", [[0, 2, 3], [1, 2, 3], [0, 1, 2], [], [0, 0, 1, 2, 3], [3, 1, 0, 2], [2, 2, 2]])
def test_dropped_doubled_and_reordered_records_are_made_good(world: World, order: list[int]) -> None:
    follower = world.followed()
    events = numbered(world)
    world.connect(follower, *[events[i] for i in order], world.cp())
    assert (follower.seq, follower.age()) == (4, 0)
    assert all(follower.revocations.refusal(keys(f"sid-{i}")) == "sid" for i in range(1, 5))
    assert follower.counters["gaps"] == 1


def test_a_changed_record_is_replaced_by_the_true_one(world: World) -> None:
    follower = world.followed()
    first = numbered(world, 2)[0]
    forged = world.log.records[1].line.replace(b'"sid"', b'"jti"')
    world.connect(follower, first, event("rev", forged), world.cp())
    assert follower.revocations.refusal(keys("sid-2")) == "sid"
    assert follower.revocations.entries == 2
    assert follower.counters["broken_chains"] == 1


def test_what_is_missing_and_cannot_be_had_lets_the_copy_age(world: World) -> None:
    follower = world.followed()
    numbered(world, 2)
    world.answers["/tail"] = TransportError("cut")
    for _ in range(8):
        world.passes(1)
        world.connect(follower, world.cp())
    assert follower.seq == 0
    assert not accepts(follower)
    del world.answers["/tail"]
    world.connect(follower, world.cp())
    assert (follower.seq, follower.age()) == (2, 0)


@pytest.mark.parametrize("gone", [True, False])
def test_a_tile_that_is_not_there_or_not_whole_lets_the_copy_age(world: World, gone: bool) -> None:
    numbered(world, 300)
    path = f"/{world.log.log}/tiles/0"
    world.answers[path] = TransportError("404") if gone else ok((world.log.tile(0) or b"")[:-100])
    follower = world.follower()
    world.connect(follower, world.cp())
    assert not follower.ready
    del world.answers[path]
    world.connect(follower, world.cp())
    assert follower.seq == 300


@pytest.mark.parametrize(
    "piece",
    [
        event("rev", b'{"s":1}'),
        event("rev", b"\xff\xfe"),
        event("rev", b""),
        b"data: " + b"x" * MAX_EVENT,
        b"x" * (MAX_EVENT + 1),
    ],
)
def test_what_is_not_of_the_feed_ends_the_connection_and_changes_nothing(world: World, piece: bytes) -> None:
    follower = world.followed()
    world.passes(1)
    world.connect(follower, piece + b"\n", world.cp())
    assert follower.age() == 1
    assert follower.counters["malformed"] == 1


def test_events_that_nobody_knows_are_passed_over(world: World) -> None:
    follower = world.follower()
    world.connect(follower, b": hello\n\nretry: 10\n\n" + event("later", b"x") + b"data: x\n\n" + world.cp())
    assert follower.ready


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_the_stream_is_read_however_it_is_cut_into_pieces(world: World, ends: bytes) -> None:
    follower = world.followed()
    everything = (b"".join(numbered(world)) + world.cp()).replace(b"\n", ends)
    world.connect(follower, *[everything[i : i + 1] for i in range(len(everything))])
    assert follower.seq == 4


def test_records_without_end_and_without_checkpoint_are_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = world.followed()
    burst = world.revoke("sid-1") * 1000
    monkeypatch.setattr(sessions, "MAX_BUFFERED", 5000)

    def endless() -> Iterator[bytes]:
        for _ in range(6):
            yield burst
        raise AssertionError("nobody stopped reading")

    world.follow(follower, endless)
    assert follower.counters["malformed"] == 1
    assert follower.revocations.entries == 0


# -- what is not the issuer's word --------------------------------------------------------------


def foreign(world: World) -> bytes:
    key, world.key = world.key, new_key()
    told = world.cp()
    world.key = key
    return told


def of_another_type(world: World) -> bytes:
    return event("cp", world.sign(world.log.checkpoint_claims(world.issuer_time), "at+jwt").encode())


def expired(world: World) -> bytes:
    return event("cp", world.log.checkpoint(world.issuer_time - 125_000, world.sign).encode())


@pytest.mark.parametrize("forge", [foreign, of_another_type, expired])
def test_checkpoints_that_are_none_are_ignored_counted_and_make_nothing_younger(world: World, forge: object) -> None:
    follower = world.followed()
    forged = forge(world)  # type: ignore[operator]  # one of the three above
    world.passes(2)
    world.connect(follower, forged)
    assert follower.age() == 2
    assert follower.counters["refused_checkpoints"] == 1


def test_records_wait_for_a_true_checkpoint_after_a_false_one(world: World) -> None:
    follower = world.followed()
    world.connect(follower, world.revoke("sid-1"), foreign(world), world.cp())
    assert follower.seq == 1
    assert follower.counters["gaps"] == 0


def test_a_stream_of_false_checkpoints_is_given_up(world: World) -> None:
    follower = world.followed()
    false = foreign(world)

    def stream() -> Iterator[bytes]:
        for _ in range(4):
            world.passes(1)
            yield false
        raise AssertionError("nobody stopped reading")

    world.follow(follower, stream)
    assert follower.counters["nothing_new"] == 1


# -- older and other histories ------------------------------------------------------------------


def test_an_older_checkpoint_is_ignored_and_counted(world: World) -> None:
    """Another node may be a moment behind; somebody who repeats is no worse."""
    follower = world.follower()
    old = world.cp()
    world.connect(follower, world.revoke("sid-1") + world.cp())
    world.passes(6)
    world.connect(follower, old)
    assert follower.seq == 1
    assert follower.counters["older_checkpoints"] == 1
    assert not accepts(follower, keys("a good one"))


@pytest.mark.parametrize("ahead", [0, 1, 300])
def test_another_history_is_refused_with_an_alarm_and_what_is_known_stays(
    world: World, ahead: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the same number, or longer: the log was forked, by whoever has the key or by a restored database."""
    follower = world.followed()
    world.connect(follower, *numbered(world, 3), world.cp())
    fork = WritableLog(ISSUER, world.log.log)
    for i in range(3 + ahead):
        fork.append("sid", f"other-{i}", expires=LATER)
    world.log = fork
    caplog.clear()
    for _ in range(6):
        world.passes(1)
        world.connect(follower, world.cp())
    assert follower.counters["forks"] == 6
    assert (follower.seq, follower.age()) == (3, 6)
    assert follower.revocations.refusal(keys("sid-3")) == "sid"
    alarms = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert [record.name for record in alarms] == ["authserver.verifier"]


def test_an_older_checkpoint_of_another_history_is_an_alarm_too(world: World) -> None:
    follower = world.followed()
    world.connect(follower, *numbered(world, 3), world.cp())
    world.log = WritableLog(ISSUER, world.log.log)
    world.revoke("other")
    world.connect(follower, world.cp())
    assert follower.counters["forks"] == 1


def test_hashes_are_remembered_for_a_thousand_records_back(world: World) -> None:
    follower = world.followed()
    world.connect(follower, *numbered(world, 1200), world.cp())
    records = world.log.records
    world.log = WritableLog(ISSUER, world.log.log)
    for record in records[:300]:
        world.revoke(f"other-{record.seq}")
    world.connect(follower, world.cp())
    assert follower.counters["forks"] == 1


# -- a new log ----------------------------------------------------------------------------------


def renewed(world: World) -> WritableLog:
    """What `authserver log renew` begins: first of all, nothing older counts."""
    world.log = WritableLog(ISSUER)
    world.log.append("iss", "", version=2, expires=LATER)
    return world.log


def test_a_new_log_replaces_all_but_the_revoked_keys(world: World) -> None:
    follower = world.followed()
    world.connect(follower, world.revoke("sid-1"), world.revoke("kid-9", "kid"), world.cp())
    world.passes(1)
    renewed(world)
    world.connect(follower, world.cp())
    assert (follower.log, follower.seq, follower.revocations.entries) == (world.log.log, 1, 2)
    assert follower.revocations.refusal(keys()) == "iss"
    assert follower.revocations.refusal(keys()._replace(i=2)) is None
    assert follower.revocations.refusal(keys(kid="kid-9")._replace(i=2)) == "kid"


def test_a_new_log_counts_only_when_it_is_complete(world: World) -> None:
    follower = world.followed()
    world.connect(follower, world.revoke("sid-1"), world.cp())
    renewed(world)
    world.answers["/tail"] = TransportError("cut")
    world.passes(2)
    world.connect(follower, world.cp())
    assert follower.age() == 2
    assert follower.revocations.refusal(keys()) == "sid"


def test_a_log_that_was_left_never_comes_back(world: World) -> None:
    follower = world.followed()
    world.connect(follower, *numbered(world), world.cp())
    old = world.log
    world.passes(1)
    new = renewed(world)
    world.connect(follower, world.cp())
    world.passes(6)
    world.log = old
    world.connect(follower, world.revoke("sid-9"), world.cp())
    assert follower.log == new.log
    assert follower.age() == 6
    assert follower.counters["older_checkpoints"] == 1


def test_the_end_of_a_log_from_before_ours_is_no_new_log(world: World) -> None:
    """A service that has started after the renewal has never seen the old one."""
    before = world.cp()
    world.passes(1)
    new = renewed(world)
    follower = world.followed()
    world.connect(follower, before)
    assert follower.log == new.log


# -- connections --------------------------------------------------------------------------------


def test_waits_between_connections_are_short_first_and_then_bounded(world: World) -> None:
    follower = world.follower()
    delays = [world.follow(follower) for _ in range(12)]
    assert delays[0] <= 0.3
    assert all(delay <= 5 for delay in delays)
    assert all(delay >= 2.5 for delay in delays[5:])
    assert len(set(delays[5:])) > 1
    assert world.connect(follower, world.cp()) <= 0.3


def test_a_connection_that_brings_lies_is_not_followed_by_a_short_wait(world: World) -> None:
    follower = world.followed()
    world.connect(follower, *numbered(world), world.cp())
    world.log = WritableLog(ISSUER, world.log.log)
    for i in range(5):
        world.revoke(f"other-{i}")
    world.passes(1)
    assert max(world.connect(follower, world.cp(), world.cp()) for _ in range(6)) > 2


def test_a_trickle_is_no_sign_of_life(world: World) -> None:
    follower = world.followed()

    def trickle() -> Iterator[bytes]:
        yield world.cp()
        for _ in range(5):
            world.passes(1)
            yield b":\n\n"
        raise AssertionError("nobody stopped reading")

    world.follow(follower, trickle)
    assert follower.age() == 4


def test_a_stream_that_began_too_late_for_its_reader_is_left_for_another(world: World) -> None:
    """Its first checkpoint may be as old as the request for it, and by so much is every later one taken for older."""
    world.max_staleness = 2.0
    follower = world.followed()

    def late() -> Iterator[bytes]:
        world.passes(2.5)
        for _ in range(5):
            yield world.cp()
            world.passes(1)
        raise AssertionError("nobody stopped reading")

    delay = world.follow(follower, late)
    assert follower.counters["nothing_new"] == 1
    assert delay < 1
    world.passes(delay)
    world.connect(follower, world.cp())
    assert follower.age() == 0


def test_a_server_that_is_down_at_the_start_is_found_when_it_is_up(world: World) -> None:
    follower = world.follower()
    for _ in range(3):
        world.follow(follower)
    assert not follower.ready
    assert not accepts(follower)
    world.connect(follower, world.cp())
    assert follower.ready


def test_a_feed_that_is_cut_lets_the_copy_age_and_is_made_up_for_later(world: World) -> None:
    follower = world.followed()
    for _ in range(7):
        world.passes(1)
        world.follow(follower)
    assert not accepts(follower)
    assert follower.revocations.refusal(keys()) is None
    world.connect(follower, *numbered(world), world.cp())
    assert follower.revocations.refusal(keys()) == "sid"
    assert accepts(follower, keys("a good one"))


def test_entries_are_forgotten_when_they_are_over(world: World) -> None:
    follower = world.followed()
    world.connect(follower, world.revoke("sid-1", expires=START + 60), world.revoke("sid-2"), world.cp())
    for _ in range(10):
        world.passes(10)
        world.connect(follower, world.cp())
    assert follower.revocations.entries == 1
    assert follower.revocations.refusal(keys("sid-2")) == "sid"


def test_a_mistake_of_ours_does_not_end_the_following(world: World) -> None:
    follower = world.follower()

    def broken() -> Iterator[bytes]:
        raise ZeroDivisionError
        yield b""

    world.streams = [broken]
    assert follower.follow_once() <= 0.3
    assert follower.counters["mistakes"] == 1
    world.streams = [lambda: iter([world.cp()])]
    follower.follow_once()
    assert follower.ready


def test_the_same_trouble_is_not_logged_each_time(world: World, caplog: pytest.LogCaptureFixture) -> None:
    follower = world.follower()
    for _ in range(10):
        world.follow(follower)
    assert len(caplog.records) == 1
    world.passes(61)
    world.follow(follower)
    assert len(caplog.records) == 2


def test_a_silent_stream_is_given_up_for_polls(world: World) -> None:
    follower = world.follower()

    def silent() -> Iterator[bytes]:
        raise TimedOut("silent")
        yield b""

    assert world.follow(follower, silent) == 0
    world.until_closed = 1
    world.follow(follower)
    assert world.requests == ["/stream", "/tail?after=0&wait=0"]
    assert follower.ready


@pytest.mark.parametrize(
    ("authorization", "cause"),
    [
        (None, "this is for clients only, give client_id and client_secret"),
        ("Basic eA==", "the issuer refused these credentials"),
    ],
)
def test_a_private_feed_says_what_is_missing(
    authorization: str | None, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.answers["/tail"] = Response(401, {}, b"")
    troubles = Troubles(world.monotonic)
    follower = world.follower(mode="poll", authorization=authorization, troubles=troubles)
    follower.follow_once()
    says = f"the revocation feed cannot be followed: the tail was answered with status 401: {cause}"
    assert caplog.messages == [says]
    assert troubles.newest() == (says, 0)
    del world.answers["/tail"]
    world.until_closed = 1
    follower.follow_once()
    assert troubles.newest() is None
