"""OnceStore: values that count once."""

from __future__ import annotations

import asyncio

from authserver.storage.sql import SqlOnce, open_database
from tests.storage.builders import NOW
from tests.storage.conftest import World

UNTIL = NOW + 1000


async def use(world: World, purpose: str, value: str, now: int = NOW, until: int = UNTIL) -> bool:
    return await world.stores.once.use(purpose, value, expires_at=until, now=now)


async def test_a_value_counts_once_until_it_expires_and_then_once_again(world: World) -> None:
    times = [NOW, NOW + 1, UNTIL - 1, UNTIL, UNTIL]
    assert [await use(world, "p", "v", now=now, until=now + 1000) for now in times] == [True, False, False, True, False]


async def test_a_refused_use_does_not_prolong_the_first(world: World) -> None:
    await use(world, "p", "v")
    await use(world, "p", "v", until=UNTIL + 9999)
    assert await use(world, "p", "v", now=UNTIL)


async def test_purposes_are_apart_wherever_they_end(world: World) -> None:
    pairs = [("assertion a", "b"), ("assertion", " ab"), ("assertion ", "ab"), ("assertion ab", ""), ("1 a", "b")]
    assert [await use(world, *pair) for pair in pairs] == [True] * 5
    assert [await use(world, *pair) for pair in pairs] == [False] * 5


async def test_a_value_may_be_any_text_that_json_can_hold(world: World) -> None:
    texts = ["\ud800", "\udfff", "\x00", "ü", "", "x" * 10_000]
    assert [await use(world, "p", text) for text in texts] == [True] * 6
    assert [await use(world, "p", text) for text in texts] == [False] * 6


async def test_only_a_hash_is_kept(world: World) -> None:
    await use(world, "assertion client", "secret value")
    (row,) = await world.sql("SELECT * FROM used_once")
    assert len(row.key) == 32
    assert b"secret" not in bytes(row.key)


async def test_of_racing_uses_on_several_servers_exactly_one_counts(world: World, database_url: str) -> None:
    other = open_database(database_url, pool_size=4)
    await other.start()
    try:
        stores = [world.stores.once, SqlOnce(other)]
        for value in ("new", "new and then expired"):
            uses = [stores[n % 2].use("p", value, expires_at=UNTIL, now=NOW) for n in range(30)]
            assert (await asyncio.gather(*uses)).count(True) == 1
        again = [stores[n % 2].use("p", "new", expires_at=UNTIL + 9, now=UNTIL) for n in range(30)]
        assert (await asyncio.gather(*again)).count(True) == 1
    finally:
        await other.close()
