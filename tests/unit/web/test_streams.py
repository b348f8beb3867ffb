"""The stream over a feed that the test moves by hand: what a server that runs by itself cannot show on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from authserver.oauth.client_auth import ClientAuthenticator
from authserver.revocation.feed import Feed
from authserver.web import streams
from authserver.web.feed_guard import FeedGuard
from authserver.web.middleware import Edge
from authserver.web.revocations import StreamEndpoint, TailEndpoint
from authserver.web.routing import Router, rule
from authserver.web.streams import Reader, Streams
from tests.sse import Event, reading
from tests.unit.revocation.test_feed import LOG, NEXT, Hands, grow, line


class Site:
    def __init__(self, ring_bytes: int = 1 << 20) -> None:
        self.clock = Hands()
        self.feed = Feed(clock=self.clock, ring_bytes=ring_bytes)
        self.streams = Streams(self.feed)
        nobody: Any = None
        guard = FeedGuard("public", ClientAuthenticator(nobody, nobody, nobody))
        rules = (
            rule("/stream", get=StreamEndpoint(self.streams, guard).get),
            rule("/tail", get=TailEndpoint(self.feed, guard).get),
        )
        self.app = Edge(Router(rules), max_body=1000)


@pytest.fixture
def site() -> Site:
    return Site()


def rev(seq: int, log: str = LOG) -> Event:
    return Event("rev", f"{log}.{seq}", line(seq).decode())


def cp(seq: int) -> Event:
    return Event("cp", "", f"cp-{seq}")


async def test_a_new_reader_is_told_where_it_begins(site: Site) -> None:
    grow(site.feed, 3)
    async with reading(site.app, "/stream") as stream:
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert stream.headers["cache-control"] == "no-store"
        assert await stream.next() == Event("reset", f"{LOG}.3", f'{{"log":"{LOG}","seq":3}}')
        assert await stream.next() == cp(3)
        grow(site.feed, 2)
        assert await stream.until("cp") == [rev(4), rev(5), cp(5)]
        grow(site.feed, 0)
        assert await stream.next() == cp(5)


@pytest.mark.parametrize("by", ["Last-Event-ID", "after"])
async def test_a_reader_goes_on_where_it_was(site: Site, by: str) -> None:
    grow(site.feed, 5)
    place = f"{LOG}.3"
    path, headers = ("/stream", {by: place}) if by != "after" else (f"/stream?after={place}", {})
    async with reading(site.app, path, headers=headers) as stream:
        assert await stream.until("cp") == [rev(4), rev(5), cp(5)]


@pytest.mark.parametrize("place", [f"{NEXT}.3", "nonsense", f"{LOG}.-1", f"{LOG}.3 ", f"{LOG}.0x3"])
async def test_a_place_that_is_none_of_ours_begins_anew(site: Site, place: str) -> None:
    grow(site.feed, 5)
    async with reading(site.app, "/stream", headers={"Last-Event-ID": place}) as stream:
        assert [event.name for event in await stream.until("cp")] == ["reset", "cp"]


async def test_a_place_that_memory_has_left_behind_begins_anew() -> None:
    site = Site(ring_bytes=2000)
    for _ in range(20):
        grow(site.feed, 100)
    assert site.feed.first > 300
    async with reading(site.app, "/stream", headers={"Last-Event-ID": f"{LOG}.{site.feed.first - 2}"}) as stream:
        assert (await stream.next()).json == {"log": LOG, "seq": 2000}
    async with reading(site.app, "/stream", headers={"Last-Event-ID": f"{LOG}.{site.feed.first - 1}"}) as stream:
        assert await stream.next() == rev(site.feed.first)


async def test_a_reader_that_knows_more_waits_until_this_process_has_caught_up(site: Site) -> None:
    grow(site.feed, 3)
    asyncio.get_running_loop().call_later(0.05, grow, site.feed, 3)
    async with reading(site.app, "/stream", headers={"Last-Event-ID": f"{LOG}.5"}) as stream:
        assert await stream.until("cp") == [rev(6), cp(6)]


async def test_a_reader_that_knows_what_nobody_else_knows_begins_anew(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authserver.web.revocations.AHEAD_SECONDS", 0.05)
    grow(site.feed, 3)
    async with reading(site.app, "/stream", headers={"Last-Event-ID": f"{LOG}.5"}) as stream:
        assert (await stream.next()).json == {"log": LOG, "seq": 3}


async def test_a_new_log_resets_open_streams(site: Site) -> None:
    grow(site.feed, 3)
    async with reading(site.app, "/stream") as stream:
        await stream.until("cp")
        site.feed.begin(NEXT, 1, [line(1)])
        site.feed.advance([], log=NEXT, seq=1, at=9, checkpoint="cp-1", taken=100.0)
        assert [event.name for event in await stream.until("cp")] == ["reset", "cp"]
        grow_next(site.feed)
        assert await stream.until("cp") == [rev(2, NEXT), cp(2)]


def grow_next(feed: Feed) -> None:
    feed.advance([line(2)], log=NEXT, seq=2, at=10, checkpoint="cp-2", taken=100.0)


async def test_many_records_at_once_come_in_order_with_the_checkpoint_last(site: Site) -> None:
    grow(site.feed, 1)
    async with reading(site.app, "/stream") as stream:
        await stream.until("cp")
        grow(site.feed, 3 * streams.PIECE_RECORDS + 7)
        events = await stream.until("cp")
    assert events == [*(rev(seq) for seq in range(2, 3 * streams.PIECE_RECORDS + 9)), cp(3 * streams.PIECE_RECORDS + 8)]


async def test_a_server_that_is_not_fresh_serves_no_stream_and_no_long_poll(site: Site) -> None:
    for path in ("/stream", "/tail?after=0", "/tail"):
        async with reading(site.app, path) as stream:
            assert (stream.status, stream.headers["retry-after"]) == (503, "1")
    grow(site.feed, 1)
    site.clock.time += 1.6
    for path, status in (("/stream", 503), ("/tail?after=0", 503), ("/tail", 200)):
        async with reading(site.app, path) as stream:
            assert stream.status == status


async def test_a_stream_ends_when_its_server_has_been_silent_for_three_seconds(site: Site) -> None:
    grow(site.feed, 1)
    async with reading(site.app, "/stream") as stream:
        await stream.until("cp")
        site.clock.time += 2.9
        await asyncio.sleep(1.2 * streams.LOOK_SECONDS)
        assert not stream.ended.is_set()
        site.clock.time += 0.2
        await asyncio.wait_for(stream.ended.wait(), 2)
    assert len(site.streams) == 0


async def test_a_server_that_logs_a_burst_is_not_silent(site: Site) -> None:
    """Others could vouch for no more than it does, and what it has is what its readers lack."""
    grow(site.feed, 1, taken=site.clock.time)
    began = site.clock.time
    async with reading(site.app, "/stream") as stream:
        await stream.until("cp")
        for _ in range(3):
            site.clock.time += 2.0
            grow(site.feed, 100, taken=began)
            await asyncio.sleep(1.2 * streams.LOOK_SECONDS)
            assert (await stream.until("cp"))[-1].name == "cp"
        assert not stream.ended.is_set()


async def test_a_reader_that_goes_away_is_forgotten(site: Site) -> None:
    grow(site.feed, 1)
    async with reading(site.app, "/stream") as stream:
        await stream.until("cp")
        assert len(site.streams) == 1
    assert len(site.streams) == 0


async def test_head_is_answered_without_a_stream(site: Site) -> None:
    grow(site.feed, 1)
    async with reading(site.app, "/stream", method="HEAD") as stream:
        await asyncio.wait_for(stream.ended.wait(), 1)
        assert (stream.status, stream.body) == (200, b"")
        assert len(site.streams) == 0


# -- over a connection of ours ------------------------------------------------------------------


class Line:
    """A connection that takes so many writes and then is full."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.written: list[bytes] = []
        self.aborted = False
        self.is_over = self.is_gone = False

    def watch(self, on_end: Callable[[], object], on_room: Callable[[], None]) -> None: ...

    def unwatch(self) -> None: ...

    @property
    def is_full(self) -> bool:
        return len(self.written) >= self.room

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None:
        self.aborted = True


def joined(site: Site, connection: Line) -> Reader:
    state = site.feed.state
    assert state is not None
    reader = Reader(LOG, state.seq, asyncio.Event(), connection)
    reader.shown = state
    site.streams.join(reader)
    return reader


async def test_all_readers_get_the_very_same_bytes(site: Site) -> None:
    grow(site.feed, 1)
    lines = [Line() for _ in range(3)]
    for connection in lines:
        joined(site, connection)
    grow(site.feed, 2)
    (first,) = lines[0].written
    assert all(connection.written[0] is first for connection in lines)
    assert first.startswith(b"%x\r\n" % (len(first) - len(first.split(b"\r\n", 1)[0]) - 4))


async def test_a_full_reader_is_passed_over_and_goes_on_where_it_was(site: Site) -> None:
    grow(site.feed, 1)
    slow, quick = Line(room=1), Line()
    reader = joined(site, slow)
    joined(site, quick)
    for _ in range(3):
        grow(site.feed, 1)
    assert (len(slow.written), len(quick.written)) == (1, 3)
    slow.room = 9
    site.streams.serve(reader, slow)
    assert slow.written[1].index(b"record 3 ") < slow.written[1].index(b"record 4 ")
    assert slow.written[1].count(b"event: cp") == 1
    assert not slow.aborted


async def test_a_reader_that_memory_has_left_behind_is_cut_off() -> None:
    site = Site(ring_bytes=4000)
    grow(site.feed, 1)
    slow, quick = Line(room=0), Line(room=10**6)
    reader = joined(site, slow)
    joined(site, quick)
    for _ in range(20):
        grow(site.feed, 100)
    slow.room = 1
    site.streams.serve(reader, slow)
    assert slow.aborted
    assert reader.over.is_set()
    assert slow.written == []
    assert not quick.aborted


async def test_a_thousand_readers_are_served_in_turns(site: Site) -> None:
    grow(site.feed, 1)
    lines = [Line() for _ in range(1000)]
    for connection in lines:
        joined(site, connection)
    grow(site.feed, 1)
    assert 0 < sum(len(connection.written) for connection in lines) < 1000
    grow(site.feed, 1)  # before everybody had the first
    for _ in range(30):
        await asyncio.sleep(0)
    for connection in lines:
        text = b"".join(connection.written)
        assert text.count(b"record 2 ") == text.count(b"record 3 ") == 1
        assert text.index(b"record 2 ") < text.index(b"record 3 ")
