"""What every Bus promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from authserver.storage.interface import Bus


@asynccontextmanager
async def subscribed(bus: Bus, channel: str) -> AsyncIterator[asyncio.Queue[bytes]]:
    """Messages of a subscription that is in place: its first, empty message has come."""
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive() -> None:
        async for message in bus.subscribe(channel):
            received.put_nowait(message)

    task = asyncio.create_task(receive())
    try:
        assert await soon(received) == b""
        yield received
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def soon(received: asyncio.Queue[bytes], seconds: float = 10) -> bytes:
    async with asyncio.timeout(seconds):
        return await received.get()


async def test_a_message_reaches_every_subscriber_of_its_channel_and_nobody_else(bus: Bus) -> None:
    async with subscribed(bus, "a") as one, subscribed(bus, "a") as two, subscribed(bus, "b") as other:
        await bus.publish("a", b"hello")
        assert await soon(one) == b"hello"
        assert await soon(two) == b"hello"
        await bus.publish("b", b"end")
        assert await soon(other) == b"end"


async def test_an_empty_message_arrives_empty(bus: Bus) -> None:
    async with subscribed(bus, "a") as received:
        await bus.publish("a")
        assert await soon(received) == b""


async def test_messages_arrive_in_the_order_of_one_publisher(bus: Bus) -> None:
    async with subscribed(bus, "a") as received:
        for n in range(20):
            await bus.publish("a", str(n).encode())
        assert [await soon(received) for _ in range(20)] == [str(n).encode() for n in range(20)]


async def test_publishing_to_nobody_is_fine(bus: Bus) -> None:
    await bus.publish("nobody", b"x")


async def test_a_bus_in_use_is_connected(bus: Bus) -> None:
    async with subscribed(bus, "a"):
        assert bus.connected


async def test_a_subscriber_that_does_not_read_costs_no_memory_and_stops_nobody(bus: Bus) -> None:
    async with subscribed(bus, "a"):
        for _ in range(500):
            await bus.publish("a", b"x" * 100)
