"""The age of the copy is never less than the truth, whatever clocks and connections do."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import pytest

from authserver.verifier.checkpoint import Checkpoint
from authserver.verifier.freshness import Anchor, Freshness, PurgeClock
from authserver.verifier.transport import TimedOut
from tests.verifier.feed_world import MAX_STALENESS, START, Clock, World, accepts, keys


@pytest.fixture
def world() -> World:
    return World()


# -- the age ------------------------------------------------------------------------------------


def test_before_the_first_checkpoint_the_copy_is_infinitely_old(world: World) -> None:
    follower = world.follower()
    assert follower.age() == inf
    assert follower.issuer_now() is None
    assert not follower.ready


def test_a_copy_ages_by_the_monotonic_clock(world: World) -> None:
    follower = world.followed()
    assert follower.age() == 0
    world.wall.seconds -= 3600
    assert follower.age() == 0
    world.monotonic.seconds += 3
    assert follower.age() == 3
    assert follower.issuer_now() == START + 3


def test_a_wall_clock_that_jumps_ahead_makes_the_copy_older_until_the_next_checkpoint(world: World) -> None:
    """All that a machine sees of having been paused from outside, its monotonic clock with it."""
    follower = world.followed()
    world.wall.seconds += 30
    assert follower.age() == 30
    world.passes(0.5)
    world.connect(follower, world.cp())
    assert follower.age() == 0


def test_the_first_checkpoint_is_as_old_as_the_request_for_it(world: World) -> None:
    """The answer may have been made at any time since."""
    follower = world.follower()

    def slow() -> Iterator[bytes]:
        world.passes(2)
        yield world.cp()

    world.follow(follower, slow)
    assert follower.age() == 2


def test_a_stream_that_is_delayed_more_and_more_is_seen_to_be_old(world: World) -> None:
    """A proxy or a suspended server hands on later and later what was true once."""
    follower = world.follower()
    ages = []

    def delayed() -> Iterator[bytes]:
        yield world.cp()
        for _ in range(6):
            held_back = [world.cp()]
            world.passes(1.5)
            world.issuer_time -= 1000  # of one and a half seconds only half a second gets through
            ages.append(follower.age())
            yield held_back[0]

    world.follow(follower, delayed)
    assert ages == sorted(ages)
    assert follower.counters["nothing_new"] == 1  # the connection is given up: another may be better
    assert follower.age() > 3


def test_a_machine_that_was_suspended_has_an_old_copy_until_it_hears_again(world: World) -> None:
    """The monotonic clock runs on; bytes from before that were still in the socket make nothing younger."""
    follower = world.followed()

    def resumed() -> Iterator[bytes]:
        yield world.cp()
        in_the_socket = world.cp()
        world.passes(600)
        assert not accepts(follower)
        yield in_the_socket
        raise AssertionError("this connection should have been given up")

    world.follow(follower, resumed)
    assert follower.age() == 600
    world.connect(follower, world.cp())
    assert follower.age() == 0


def test_the_monotonic_clock_counts_sleep() -> None:
    import time

    from authserver.verifier import clock

    if hasattr(time, "CLOCK_BOOTTIME"):
        assert abs(clock.monotonic() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


@pytest.mark.parametrize("step", [-3600, -30, 30])
def test_a_step_of_the_issuers_clock_does_not_make_the_copy_younger(world: World, step: int) -> None:
    follower = world.follower()

    def stepping() -> Iterator[bytes]:
        yield world.cp()
        world.passes(2)
        world.issuer_time += step * 1000
        yield world.cp()

    world.follow(follower, stepping)
    assert follower.age() == (0 if step > 0 else 2)
    world.passes(10)
    assert not accepts(follower)


def test_a_step_of_the_issuers_clock_is_got_over_by_a_new_connection(world: World) -> None:
    follower = world.followed()
    world.issuer_time -= 30_000
    world.passes(1)
    world.connect(follower, world.cp())
    assert follower.age() == 0


@pytest.mark.parametrize("step", [-86400, 86400])
def test_a_clock_of_ours_that_is_a_day_off_refuses_instead_of_accepting(world: World, step: int) -> None:
    follower = world.followed()
    world.wall.seconds += step
    world.passes(MAX_STALENESS)
    world.connect(follower, world.cp())
    world.passes(0.5)
    assert follower.counters["refused_checkpoints"] == 1
    assert not accepts(follower)


def test_the_same_checkpoint_again_makes_nothing_younger(world: World) -> None:
    """A cache that is stuck answers each new connection with what it has."""
    follower = world.follower()
    frozen = world.cp()
    for _ in range(8):
        world.connect(follower, frozen)
        world.passes(1)
    assert follower.age() == 8
    assert not accepts(follower)


def test_no_repetition_is_forgotten_while_it_could_still_be_believed(world: World) -> None:
    follower = world.follower()
    first = world.cp()
    world.connect(follower, first)
    for _ in range(115):
        world.passes(1)
        world.connect(follower, world.cp())
    world.passes(3)
    world.connect(follower, first)
    assert follower.age() == 3


# -- behind a shared cache ----------------------------------------------------------------------


def checkpoint(at: int) -> Checkpoint:
    return Checkpoint("0" * 16, 0, b"", at, 1, None, "")


@pytest.mark.parametrize(("behind", "age"), [(0, 0), (1.5, 0), (2, 0), (3, 1), (10, 8), (-30, 0)])
def test_behind_a_cache_the_issuers_clock_counts_with_an_allowance(behind: float, age: float) -> None:
    monotonic, wall = Clock(50.0), Clock(START)
    freshness = Freshness(monotonic, wall)
    freshness.advance(freshness.cached(checkpoint(int((START - behind) * 1000))))
    assert freshness.age() == age


def test_a_frozen_cache_is_seen_even_when_the_clocks_are_wrong() -> None:
    """Ours is half a minute behind the issuer's: by it the frozen checkpoint is from the future for as long."""
    monotonic, wall = Clock(50.0), Clock(START - 30)
    freshness = Freshness(monotonic, wall)
    for _ in range(10):
        freshness.advance(freshness.cached(checkpoint(START * 1000)))
        monotonic.seconds += 1
        wall.seconds += 1
    assert freshness.age() == 10


def test_of_two_answers_the_younger_counts() -> None:
    monotonic = Clock(50.0)
    freshness = Freshness(monotonic, Clock(START))
    freshness.advance(freshness.direct(checkpoint(START * 1000), Anchor(49.0)))
    freshness.advance(freshness.direct(checkpoint(START * 1000 - 5000), Anchor(40.0)))
    assert freshness.age() == 1


# -- forgetting ---------------------------------------------------------------------------------


def test_a_clock_that_was_an_hour_ahead_does_not_bring_tokens_back(world: World) -> None:
    """The issuer's, seen by its own `at`; records end in less than that hour."""
    follower = world.follower()
    world.connect(follower, world.revoke("sid-1", expires=START + 900) + world.cp())
    world.issuer_time += 59_000  # as far as a checkpoint is believed
    world.passes(1)
    world.connect(follower, world.cp())
    world.issuer_time -= 59_000
    world.passes(880)
    world.connect(follower, world.cp())
    assert follower.revocations.refusal(keys()) == "sid"
    world.passes(40)
    world.connect(follower, world.cp())
    assert follower.revocations.entries == 0


@pytest.mark.parametrize("wrong", ["issuer", "ours"])
def test_time_for_forgetting_is_never_ahead_of_either_clock(wrong: str) -> None:
    monotonic, wall = Clock(50.0), Clock(START)
    purge_clock = PurgeClock(monotonic, wall)
    at = START * 1000
    assert purge_clock.now_at(at) == START
    if wrong == "issuer":
        assert purge_clock.now_at(at + 3_600_000) == START
    else:
        wall.seconds += 3600
        assert purge_clock.now_at(at) == START


def test_time_for_forgetting_is_not_ahead_of_the_monotonic_clock_when_both_others_are() -> None:
    """One machine, or one time server, for both: an hour ahead together, and back."""
    monotonic, wall = Clock(50.0), Clock(START)
    purge_clock = PurgeClock(monotonic, wall)
    purge_clock.now_at(START * 1000)
    wall.seconds += 3600
    assert purge_clock.now_at((START + 3600) * 1000) == START


def test_time_for_forgetting_begins_with_the_clock_that_is_behind() -> None:
    """A service that starts while the issuer's clock is ahead must not forget what a right clock would still need."""
    assert PurgeClock(Clock(50.0), Clock(START)).now_at((START + 3600) * 1000) == START
    assert PurgeClock(Clock(50.0), Clock(START + 3600)).now_at(START * 1000) == START


def test_time_for_forgetting_runs_as_the_monotonic_clock_does() -> None:
    monotonic, wall = Clock(50.0), Clock(START)
    purge_clock = PurgeClock(monotonic, wall)
    purge_clock.now_at(START * 1000)
    monotonic.seconds, wall.seconds = 60.0, START + 10
    assert purge_clock.now_at((START + 10) * 1000) == START + 10
    assert purge_clock.now_at((START + 500) * 1000) == START + 10


def test_silence_leaves_the_copy_to_age(world: World) -> None:
    follower = world.followed()

    def silent() -> Iterator[bytes]:
        world.passes(3)
        raise TimedOut("silent")
        yield b""

    world.follow(follower, silent)
    assert follower.age() == 3
