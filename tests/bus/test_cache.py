"""What every Cache promises."""

from __future__ import annotations

import asyncio

from authserver.storage.interface import Cache
from authserver.storage.local import LocalCache


async def until_gone(cache: Cache, key: str) -> None:
    async with asyncio.timeout(10):
        while await cache.get(key) is not None:  # noqa: ASYNC110 - there is nothing to wait on
            await asyncio.sleep(0.01)


async def test_a_value_is_there_until_its_time_is_over(cache: Cache) -> None:
    await cache.set("long", b"1", ttl=60_000)
    await cache.set("short", b"1", ttl=50)
    await until_gone(cache, "short")
    assert await cache.get("long") == b"1"


async def test_setting_again_replaces_value_and_time(cache: Cache) -> None:
    await cache.set("a", b"1", ttl=50)
    await cache.set("a", b"2", ttl=60_000)
    await cache.set("a time later than the first", b"", ttl=50)
    await until_gone(cache, "a time later than the first")
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


async def test_a_count_can_be_read_without_adding_to_it(cache: Cache) -> None:
    for _ in range(12):
        await cache.count("c", window=10_000)
    assert [await cache.get("c"), await cache.get("c")] == [b"12", b"12"]


async def test_the_window_of_a_count_begins_with_the_first_and_does_not_move(cache: Cache) -> None:
    assert await cache.count("c", window=50) == 1
    await cache.set("begun later", b"1", ttl=50)
    counts = []
    while await cache.get("begun later") is not None:
        counts.append(await cache.count("c", window=50))
        await asyncio.sleep(0.01)
    counts.append(await cache.count("c", window=50))
    assert 1 in counts, "counting made the window longer"


async def test_a_window_counts_on(cache: Cache) -> None:
    assert [await cache.count("c", window=60_000) for _ in range(3)] == [1, 2, 3]


async def test_a_flood_of_one_kind_of_key_pushes_out_no_other_kind() -> None:
    local = LocalCache(size=10)
    await local.set("login:known:owner", b"1", ttl=60_000)
    for number in range(50):
        await local.count(f"login:failed:2001:db8:0:{number}::/64", window=60_000)
        await local.set(f"login:closed:2001:db8:0:{number}::/64", b"1", ttl=60_000)
    assert await local.get("login:known:owner") == b"1"
    assert await local.get("login:failed:2001:db8:0:0::/64") is None
    assert await local.get("login:failed:2001:db8:0:49::/64") == b"1"
