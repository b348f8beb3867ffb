from __future__ import annotations

import asyncio

import pytest

from authserver.revocation.feed import Feed

LOG, NEXT = "5c0b7e0f2f6a4d11", "00000000000000aa"


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Hands:
    return Hands()


def line(seq: int) -> bytes:
    return b"record %d of twenty bytes" % seq


def grow(feed: Feed, number: int, *, taken: float = 100.0) -> None:
    """As many records more, and a checkpoint over them."""
    before = feed.state.seq if feed.state else 0
    seq = before + number
    feed.advance(
        [line(n) for n in range(before + 1, seq + 1)], log=LOG, seq=seq, at=seq, checkpoint=f"cp-{seq}", taken=taken
    )


async def test_nothing_is_shown_before_the_first_checkpoint(clock: Hands) -> None:
    feed = Feed(clock=clock)
    feed.begin(LOG, 3, [line(2), line(3)])
    assert (feed.state, feed.fresh, feed.age) == (None, False, float("inf"))


async def test_records_are_had_by_their_number_as_far_as_they_are_in_memory(clock: Hands) -> None:
    feed = Feed(clock=clock)
    feed.begin(LOG, 3, [line(2), line(3)])
    feed.advance([line(4)], log=LOG, seq=4, at=1, checkpoint="cp", taken=100.0)
    assert feed.first == 2
    assert feed.lines(1, 2) == [line(2)]
    assert feed.lines(3, 9) == [line(3), line(4)]
    assert feed.lines(5, 9) == []
    assert feed.lines(0, 1) == []


async def test_memory_holds_so_many_bytes_and_never_less_than_the_newest_tile(clock: Hands) -> None:
    feed = Feed(clock=clock, ring_bytes=100 * len(line(1000)))
    grow(feed, 0)
    for _ in range(30):
        grow(feed, 43)
        newest = feed.lines(1, 10_000)
        assert newest[-1] == line(feed.state.seq if feed.state else 0)
        assert feed.first <= max(1, (feed.state.seq if feed.state else 0) // 256 * 256)
        assert len(newest) <= 256 + 113
    assert feed.first > 1


async def test_it_is_fresh_for_a_second_and_a_half_from_the_moment_it_vouches_for(clock: Hands) -> None:
    feed = Feed(clock=clock)
    grow(feed, 1, taken=99.0)
    clock.time = 100.5
    assert feed.fresh
    clock.time = 100.6
    assert not feed.fresh
    assert feed.age == pytest.approx(1.6)


async def test_it_is_silent_since_it_was_last_written_to_whatever_that_vouches_for(clock: Hands) -> None:
    feed = Feed(clock=clock)
    assert feed.silence == float("inf")
    grow(feed, 1, taken=95.0)
    clock.time = 100.5
    grow(feed, 1, taken=95.0)
    clock.time = 101.0
    assert (feed.silence, feed.age) == (pytest.approx(0.5), pytest.approx(6.0))


async def test_a_checkpoint_without_records_wakes_nobody_who_waits_for_records(clock: Hands) -> None:
    feed = Feed(clock=clock)
    grow(feed, 1)
    waiting = asyncio.create_task(feed.grown())
    grow(feed, 0)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    grow(feed, 1)
    await asyncio.wait_for(waiting, 1)


async def test_growth_between_the_call_and_the_wait_is_not_missed(clock: Hands) -> None:
    feed = Feed(clock=clock)
    grow(feed, 1)
    grown = feed.grown()
    grow(feed, 1)
    await asyncio.wait_for(grown, 1)


async def test_another_log_wakes_those_who_wait(clock: Hands) -> None:
    feed = Feed(clock=clock)
    grow(feed, 5)
    waiting = asyncio.create_task(feed.grown())
    await asyncio.sleep(0)
    feed.begin(NEXT, 5, [line(n) for n in range(1, 6)])
    feed.advance([], log=NEXT, seq=5, at=1, checkpoint="cp", taken=100.0)
    await asyncio.wait_for(waiting, 1)


async def test_listeners_hear_of_every_checkpoint_until_they_stop(clock: Hands) -> None:
    feed, heard = Feed(clock=clock), []

    def listener() -> None:
        heard.append(feed.state)

    feed.listen(listener)
    grow(feed, 0)
    grow(feed, 2)
    feed.stop_listening(listener)
    grow(feed, 1)
    assert [state.seq for state in heard if state] == [0, 2]
