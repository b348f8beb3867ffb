"""What every Cache promises."""

from __future__ import annotations

import asyncio

from authserver.storage.interface import Cache


async def test_a_value_is_there_until_its_time_is_over(cache: Cache) -> None:
    await cache.set("a", b"1", ttl=150)
    assert await cache.get("a") == b"1"
    await asyncio.sleep(0.2)
    assert await cache.get("a") is None


async def test_setting_again_replaces_value_and_time(cache: Cache) -> None:
    await cache.set("a", b"1", ttl=100)
    await cache.set("a", b"2", ttl=10_000)
    await asyncio.sleep(0.15)
    assert await cache.get("a") == b"2"


async def test_a_deleted_value_is_gone(cache: Cache) -> None:
    await cache.set("a", b"1", ttl=10_000)
    await cache.delete("a")
    await cache.delete("never there")
    assert await cache.get("a") is None


async def test_an_unknown_key_is_none(cache: Cache) -> None:
    assert await cache.get("unknown") is None


async def test_bytes_come_back_as_they_were(cache: Cache) -> None:
    value = bytes(range(256))
    await cache.set("a", value, ttl=10_000)
    assert await cache.get("a") == value


async def test_of_many_racing_callers_each_gets_its_own_count(cache: Cache) -> None:
    counts = await asyncio.gather(*(cache.count("c", window=10_000) for _ in range(30)))
    assert sorted(counts) == list(range(1, 31))


async def test_the_window_of_a_count_begins_with_the_first_and_does_not_move(cache: Cache) -> None:
    assert await cache.count("c", window=250) == 1
    await asyncio.sleep(0.15)
    assert await cache.count("c", window=250) == 2
    await asyncio.sleep(0.15)
    assert await cache.count("c", window=250) == 1
