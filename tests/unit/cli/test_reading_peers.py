"""When a connection is cut because its peer does not read. tests/faults shows the same of a real server."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from authserver.cli.joined_writes import JoinedWrites
from authserver.cli.reading_peers import LEAST_READ, ReadingPeer

SECONDS = 0.05


class Buffer:
    """A transport that never gets rid of anything by itself."""

    def __init__(self, unread: int) -> None:
        self.unread = unread
        self.aborted = False
        self.closed = False

    def get_write_buffer_size(self) -> int:
        return self.unread

    def write(self, data: bytes) -> None:
        self.unread += len(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


def peer_of(buffer: Buffer) -> ReadingPeer:
    return ReadingPeer(cast(Any, buffer), asyncio.get_running_loop(), SECONDS)


async def test_who_reads_nothing_in_time_is_cut_off() -> None:
    buffer = Buffer(100_000)
    peer_of(buffer).watch()
    await asyncio.sleep(SECONDS / 2)
    assert not buffer.aborted
    await asyncio.sleep(SECONDS)
    assert buffer.aborted


@pytest.mark.parametrize(("read", "cut"), [(LEAST_READ, False), (LEAST_READ - 1, True)])
async def test_a_drop_now_and_then_is_not_enough(read: int, cut: bool) -> None:
    buffer = Buffer(1_000_000)
    peer_of(buffer).watch()
    for _ in range(3):
        buffer.unread -= read
        await asyncio.sleep(SECONDS)
    assert buffer.aborted == cut


async def test_who_has_read_everything_is_left_alone() -> None:
    buffer = Buffer(100)
    peer = peer_of(buffer)
    peer.watch()
    buffer.unread = 0
    await asyncio.sleep(2 * SECONDS)
    buffer.unread = 100_000
    peer.watch()
    peer.rest()
    await asyncio.sleep(2 * SECONDS)
    assert not buffer.aborted


async def test_a_second_watch_gives_no_more_time() -> None:
    buffer = Buffer(100_000)
    peer = peer_of(buffer)
    for _ in range(4):
        peer.watch()
        await asyncio.sleep(SECONDS / 2)
    assert buffer.aborted


async def test_a_connection_that_is_closed_is_not_kept_for_what_nobody_reads() -> None:
    buffer = Buffer(0)
    transport = JoinedWrites(cast(Any, buffer), asyncio.get_running_loop(), peer_of(buffer).watch)
    transport.write(b"the last answer")
    transport.close()
    assert buffer.closed
    await asyncio.sleep(2 * SECONDS)
    assert buffer.aborted
