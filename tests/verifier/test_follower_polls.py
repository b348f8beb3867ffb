"""Following where there is no stream: long polls, a shared cache, and the change from one way to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from authserver.verifier.follower import FeedFollower
from authserver.verifier.sessions import LOOK_SECONDS
from authserver.verifier.testing_log import WritableLog
from authserver.verifier.transport import Response, TimedOut, TransportError
from tests.verifier.feed_world import LATER, FakeDownload, FakeTransport, World, accepts, keys, ok


@pytest.fixture
def world() -> World:
    return World()


# -- long poll ----------------------------------------------------------------------------------


def test_a_poll_asks_at_once_and_then_waits_no_longer_than_half_the_allowed_age(world: World) -> None:
    follower = world.follower(mode="poll")
    world.until_closed = 3
    world.follow(follower)
    assert world.requests == ["/tail?after=0&wait=0"] + 2 * ["/tail?after=0&wait=2"]
    assert world.headers[0]["Cache-Control"] == "no-cache"


def test_a_poll_brings_records_and_keeps_the_copy_as_young_as_the_answer(world: World) -> None:
    """The first answer came at once, so that later ones can be dated by it however long they waited."""
    follower = world.follower(mode="poll")
    ages = []

    def paused() -> None:
        ages.append(follower.age())
        if len(ages) == 3:
            world.revoke("sid-1")

    world.during_pause = paused
    world.until_closed = 5
    world.follow(follower)
    assert world.requests[2:] == ["/tail?after=0&wait=2"] * 2 + ["/tail?after=1&wait=2"]
    assert max(ages) < 0.1
    assert follower.revocations.refusal(keys()) == "sid"


@pytest.mark.parametrize("max_staleness", [0.0, 1.0])
def test_who_allows_no_age_asks_often_but_not_without_end(world: World, max_staleness: float) -> None:
    world.max_staleness = max_staleness
    follower = world.follower(mode="poll")
    world.until_closed = 5
    world.follow(follower)
    assert world.requests == ["/tail?after=0&wait=0"] * 5
    assert min(world.pauses) >= 0.05


def test_a_slow_answer_is_as_old_as_its_request(world: World) -> None:
    follower = world.follower(mode="poll")

    def slow() -> Response:
        world.passes(2)
        return world.usual_answer(world.requests[-1])

    world.answers["/tail"] = slow
    world.until_closed = 1
    world.follow(follower)
    assert follower.age() == pytest.approx(2.05)


def test_a_poll_that_misses_records_has_them_from_the_tiles(world: World) -> None:
    """The server keeps only the newest in memory."""
    for i in range(1000):
        world.revoke(f"sid-{i}")
    world.answers["/tail"] = lambda: ok(world.log.tail(world.issuer_time, world.sign, after=700))
    follower = world.follower(mode="poll")
    world.until_closed = 1
    world.follow(follower)
    assert (follower.seq, follower.counters["tiles"]) == (1000, 3)


@pytest.mark.parametrize("harm", ["cut", "frozen", "503", "garbage", "cut line"])
def test_under_each_fault_of_polls_nothing_is_accepted_for_longer_than_allowed(world: World, harm: str) -> None:
    follower = world.follower(mode="poll")
    world.until_closed = 1
    world.follow(follower)
    assert accepts(follower)
    world.passes(1)
    last = ok(world.log.tail(world.issuer_time - 1000, world.sign, after=0))
    world.revoke("sid-1")
    broken = {
        "cut": TransportError("cut"),
        "frozen": last,
        "503": Response(503, {"retry-after": "1"}, b""),
        "garbage": ok(b"<html>"),
        "cut line": ok(last.body + b'{"s":1'),
    }
    world.answers["/tail"] = broken[harm]
    for _ in range(6):
        world.passes(1)
        world.until_closed = 1
        world.follow(follower)
    assert not accepts(follower)
    world.answers.clear()
    world.until_closed = 1
    world.follow(follower)
    assert follower.revocations.refusal(keys()) == "sid"
    assert accepts(follower, keys("a good one"))


def test_a_server_that_asks_for_time_gets_it(world: World) -> None:
    world.answers["/tail"] = Response(503, {"retry-after": "4"}, b"")
    assert world.follow(world.follower(mode="poll")) == 4
    world.answers["/tail"] = Response(503, {"retry-after": "900"}, b"")
    assert world.follow(world.follower(mode="poll")) <= 5


def test_a_connection_to_a_node_that_lags_is_given_up(world: World) -> None:
    follower = world.follower(mode="poll")
    behind = WritableLog(world.log.issuer, world.log.log)
    world.revoke("sid-1")
    world.until_closed = 1
    world.follow(follower)
    world.answers["/tail"] = lambda: ok(behind.tail(world.issuer_time, world.sign, after=0))
    world.until_closed = 1000
    world.follow(follower)
    assert follower.counters["nothing_new"] == 1


# -- shared cache -------------------------------------------------------------------------------


def test_a_shared_cache_is_looked_at_once_a_second(world: World) -> None:
    follower = world.follower(mode="cached")
    world.revoke("sid-1")
    world.until_closed = 3
    world.follow(follower)
    assert world.requests == ["/tail"] * 3
    assert all(0.9 * LOOK_SECONDS <= pause <= LOOK_SECONDS for pause in world.pauses)
    assert "Cache-Control" not in world.headers[0]
    assert follower.revocations.refusal(keys()) == "sid"


def test_what_did_not_change_is_not_sent_again(world: World) -> None:
    body = world.log.tail(world.issuer_time, world.sign)

    def server() -> Response:
        known = world.headers[-1].get("If-None-Match")
        return Response(304, {}, b"") if known == '"1"' else ok(body, etag='"1"')

    world.answers["/tail"] = server
    follower = world.follower(mode="cached")
    world.until_closed = 8
    world.follow(follower)
    assert world.headers[1]["If-None-Match"] == '"1"'
    assert not accepts(follower)  # unchanged is no newer


def test_a_frozen_cache_is_noticed_although_it_answers(world: World) -> None:
    follower = world.follower(mode="cached")
    world.answers["/tail"] = ok(world.log.tail(world.issuer_time, world.sign))
    world.until_closed = 5
    world.follow(follower)
    assert accepts(follower)
    world.until_closed = 4
    world.follow(follower)
    assert not accepts(follower)


def test_who_fell_behind_a_cache_reads_the_tiles_from_it(world: World) -> None:
    follower = world.follower(mode="cached")
    for i in range(600):
        world.revoke(f"sid-{i}")
    world.until_closed = 1
    world.follow(follower)
    assert (follower.seq, follower.counters["tiles"]) == (600, 2)
    assert not any("after" in path for path in world.requests)


def test_a_tile_that_a_cache_has_wrongly_is_asked_for_past_it(world: World) -> None:
    for i in range(600):
        world.revoke(f"sid-{i}")
    path = f"/{world.log.log}/tiles/1"
    true = world.usual_answer(path)
    wrong = replace(true, body=true.body.replace(b'"sid"', b'"jti"'))
    world.answers[path] = lambda: true if world.headers[-1].get("Cache-Control") == "no-cache" else wrong
    follower = world.follower(mode="cached")
    world.until_closed = 1
    world.follow(follower)
    assert follower.seq == 600
    assert follower.counters["broken_chains"] == 1


# -- from one to the other ----------------------------------------------------------------------


def silent(world: World, seconds: float = 3.0) -> Iterator[bytes]:
    world.passes(seconds)
    raise TimedOut("silent")
    yield b""


def polled(world: World, follower: FeedFollower) -> float:
    """How long polls stand in."""
    started = world.monotonic()
    world.until_closed = 1_000_000
    world.follow(follower)
    return round(world.monotonic() - started)


def test_polls_stand_in_for_a_stream_that_is_kept_back_which_is_then_tried_again(world: World) -> None:
    follower = world.follower()
    assert world.follow(follower, lambda: silent(world)) == 0
    assert 60 <= polled(world, follower) <= 62
    world.connect(follower, world.cp())
    assert world.requests[-1] == "/stream"


def test_a_stream_that_is_still_kept_back_is_tried_less_often(world: World) -> None:
    follower = world.follower()
    lengths = []
    for _ in range(3):
        world.follow(follower, lambda: silent(world))
        lengths.append(polled(world, follower))
    assert lengths == [pytest.approx(length, abs=2) for length in (60, 120, 240)]


def test_while_a_stream_is_tried_again_the_copy_stays_young_enough(world: World) -> None:
    follower = world.follower()
    world.follow(follower, lambda: silent(world))
    polled(world, follower)
    world.follow(follower, lambda: silent(world))
    assert accepts(follower)
    world.until_closed = 1
    world.follow(follower)
    assert follower.age() < 1


def test_a_stream_that_comes_in_lumps_is_left_for_polls(world: World) -> None:
    def lumps() -> Iterator[bytes]:
        yield world.cp()
        yield from silent(world)

    follower = world.follower()
    for _ in range(3):
        world.follow(follower, lumps)
    world.until_closed = 1
    world.follow(follower)
    assert [path[:5] for path in world.requests] == ["/stre"] * 3 + ["/tail"]


def test_something_else_than_a_stream_is_taken_for_none(world: World) -> None:
    """A proxy's error page with status 200."""
    follower = world.follower()
    html = FakeDownload(200, {"content-type": "text/html"}, iter([b"<html>"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeTransport, "open", lambda *_, **__: html)
        assert world.follow(follower) == 0
    world.until_closed = 1
    world.follow(follower)
    assert follower.ready


def test_a_server_that_is_down_is_not_taken_for_a_stream_that_is_kept_back(world: World) -> None:
    follower = world.follower()
    for _ in range(3):
        world.follow(follower)
    assert world.requests == ["/stream"] * 3


def test_polls_that_fail_give_way_to_the_stream(world: World) -> None:
    follower = world.follower()
    world.follow(follower, lambda: silent(world))
    world.answers["/tail"] = TransportError("cut")
    world.follow(follower)
    world.connect(follower, world.cp())
    assert world.requests[-1] == "/stream"
    assert follower.ready


def test_a_listed_thing_stays_so_whichever_way_is_taken(world: World) -> None:
    follower = world.follower()
    world.connect(follower, world.revoke("sid-1", expires=LATER), world.cp())
    world.follow(follower, lambda: silent(world))
    world.until_closed = 2
    world.follow(follower)
    assert follower.revocations.refusal(keys()) == "sid"
