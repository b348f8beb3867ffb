"""Redis may fail in any way: every answer comes in time, nothing raises, and it recovers by itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from time import monotonic
from typing import TypeVar

from authserver.storage.local import LocalCache
from authserver.storage.redis import PREFIX, Link, RedisBus, RedisCache
from tests.bus.test_bus import soon, subscribed
from tests.servers import ValkeyServer, free_port

T = TypeVar("T")

BOUND = 2.0
"""Seconds: many times the timeout, for busy machines, and a small part of what a connection that hangs would take."""


async def in_time(answer: Awaitable[T]) -> T:
    started = monotonic()
    result = await answer
    assert monotonic() - started < BOUND
    return result


async def until_back(cache: RedisCache) -> None:
    async with asyncio.timeout(15):
        while await cache.get("probe") is None:
            await cache.set("probe", b"1", ttl=60_000)
            await asyncio.sleep(0.05)


async def all_verbs_answer(cache: RedisCache, bus: RedisBus) -> None:
    assert await in_time(cache.get("k")) is None
    await in_time(cache.set("k", b"v", ttl=1000))
    await in_time(cache.delete("k"))
    await in_time(bus.publish("c", b"x"))
    first = await in_time(cache.count("counted", window=60_000))
    assert await in_time(cache.count("counted", window=60_000)) == first + 1


async def test_a_redis_that_was_never_there_costs_little_and_the_process_counts_for_itself() -> None:
    link = Link(f"redis://127.0.0.1:{free_port()}/0")
    await all_verbs_answer(RedisCache(link, LocalCache()), RedisBus(link))
    rounds = []
    for _ in range(10):
        started = monotonic()
        for _ in range(100):
            await RedisCache(link, LocalCache()).get("k")
        rounds.append(monotonic() - started)
    assert min(rounds) < 0.05, "the quickest round: others may have met a busy machine"
    await link.close()


async def test_a_name_that_does_not_resolve_is_no_different() -> None:
    link = Link("redis://no-such-host.invalid:6379/0")
    await all_verbs_answer(RedisCache(link, LocalCache()), RedisBus(link))
    await link.close()


async def test_it_is_used_again_once_it_is_back(link: Link, own_valkey: ValkeyServer) -> None:
    cache = RedisCache(link, LocalCache())
    await until_back(cache)
    own_valkey.kill()
    await all_verbs_answer(cache, RedisBus(link))
    own_valkey.start()
    await until_back(cache)
    assert link.breaker.closed


async def test_one_that_accepts_and_never_answers_is_given_up_in_time(link: Link, own_valkey: ValkeyServer) -> None:
    cache = RedisCache(link, LocalCache())
    await until_back(cache)
    own_valkey.pause()
    try:
        await all_verbs_answer(cache, RedisBus(link))
    finally:
        own_valkey.resume()
    await until_back(cache)


async def test_one_that_answers_with_nonsense_is_given_up() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = await asyncio.start_server(babble, sock=listening)
        link = Link(f"redis://127.0.0.1:{listening.getsockname()[1]}/0")
        await all_verbs_answer(RedisCache(link, LocalCache()), RedisBus(link))
        await link.close()
        server.close()


async def test_flushing_it_loses_only_what_was_cached(link: Link) -> None:
    cache = RedisCache(link, LocalCache())
    await until_back(cache)
    await cache.count("c", window=60_000)
    await link.redis.flushall()
    assert await cache.get("probe") is None
    assert await cache.count("c", window=60_000) == 1


async def test_a_full_one_refuses_writes_and_we_go_on(link: Link) -> None:
    cache = RedisCache(link, LocalCache())
    await until_back(cache)
    await link.redis.config_set("maxmemory", "1")
    await link.redis.config_set("maxmemory-policy", "noeviction")
    await all_verbs_answer(cache, RedisBus(link))
    assert link.breaker.closed, "it answers: there is no reason to stop asking"


async def test_something_else_under_our_keys_is_as_good_as_nothing(link: Link) -> None:
    cache = RedisCache(link, LocalCache())
    await until_back(cache)
    await link.redis.lpush(PREFIX + "k", "not ours")
    await link.redis.lpush(PREFIX + "c", "not ours")
    assert await cache.get("k") is None
    assert await cache.count("c", window=60_000) == 1
    assert await cache.count("c", window=60_000) == 2


async def test_a_subscription_survives_a_restart_and_says_look_again(link: Link, own_valkey: ValkeyServer) -> None:
    bus = RedisBus(link)
    async with subscribed(bus, "c") as received:
        own_valkey.restart()
        assert await soon(received) == b""
        async with asyncio.timeout(10):
            while not link.breaker.closed or received.empty():
                await bus.publish("c", b"after")
                await asyncio.sleep(0.05)
        assert await soon(received) == b"after"
        assert bus.connected


async def test_a_subscription_notices_a_silent_server_and_recovers(link: Link, own_valkey: ValkeyServer) -> None:
    bus = RedisBus(link, silence=0.2)
    async with subscribed(bus, "c") as received:
        own_valkey.pause()
        async with asyncio.timeout(5):
            while bus.connected:  # noqa: ASYNC110 - there is nothing to wait on
                await asyncio.sleep(0.02)
        own_valkey.resume()
        assert await soon(received) == b""


async def test_a_bus_that_cannot_connect_is_not_connected() -> None:
    link = Link(f"redis://127.0.0.1:{free_port()}/0")
    bus = RedisBus(link)
    task = asyncio.ensure_future(anext(bus.subscribe("c")))
    await asyncio.sleep(0.2)
    assert not bus.connected
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await link.close()
