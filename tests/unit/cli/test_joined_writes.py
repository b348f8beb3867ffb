"""What an answer costs in system calls: one, and nothing of it is lost or held back."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from authserver.cli.joined_writes import JoinedWrites


class Recorder:
    """A transport that notes what reaches the kernel."""

    def __init__(self) -> None:
        self.calls: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def close(self) -> None:
        self.calls.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.calls


@pytest.fixture
def wire() -> Recorder:
    return Recorder()


@pytest.fixture
async def joined(wire: Recorder) -> JoinedWrites:
    return JoinedWrites(cast(asyncio.Transport, wire), asyncio.get_running_loop(), lambda: None)


async def test_head_and_body_written_in_one_turn_are_sent_as_one(joined: JoinedWrites, wire: Recorder):
    joined.write(b"head ")
    joined.write(b"body")
    assert wire.calls == []
    await asyncio.sleep(0)
    assert wire.calls == [b"head body"]


async def test_what_is_written_in_a_later_turn_is_sent_then_and_in_order(joined: JoinedWrites, wire: Recorder):
    for event in (b"first", b"second"):
        joined.write(event)
        await asyncio.sleep(0)
    assert wire.calls == [b"first", b"second"]


async def test_closing_sends_what_is_held_before_it_closes(joined: JoinedWrites, wire: Recorder):
    joined.write(b"last words")
    joined.close()
    await asyncio.sleep(0)
    assert wire.calls == [b"last words", "closed"]


async def test_everything_else_is_the_transports_own(joined: JoinedWrites, wire: Recorder):
    assert not joined.is_closing()
    wire.close()
    assert joined.is_closing()
