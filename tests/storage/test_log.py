"""From the outbox to the log: dense, chained, complete, whoever does it, however often they die."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from authserver.model.revocation import EntryKind
from authserver.model.time import HOUR, MINUTE, SECOND
from authserver.revocation.records import KEY_LASTS, SLACK
from authserver.storage.interface import StorageUnavailable
from authserver.storage.sql import Database, open_database
from tests.storage.builders import NOW
from tests.storage.logs import COMPOSE, ISSUER, TOKEN_TTL, LogWorld, insert_entry, key, keys


@pytest.fixture
async def world(database: Database) -> LogWorld:
    return await LogWorld(database).begin()


@pytest.fixture
async def other(database_url: str, world: LogWorld) -> AsyncIterator[LogWorld]:
    """Another process on the same database."""
    database = open_database(database_url, pool_size=4)
    await database.start()
    yield LogWorld(database, world.clock)
    await database.close()


@pytest.fixture
async def postgres_world(postgres_url: str) -> AsyncIterator[LogWorld]:
    database = open_database(postgres_url, pool_size=4)
    await database.start()
    yield await LogWorld(database).begin()
    await database.close()


async def test_a_new_log_is_empty_and_its_head_is_the_hash_of_its_id(world: LogWorld) -> None:
    head = await world.log.head()
    assert (head.seq, head.floor, head.pending, head.snapshot, head.witness) == (0, 1, False, None, None)
    assert await world.check() == 0
    done = await world.extended()
    assert (done.records, done.seq, done.hash, done.drained) == ((), 0, head.hash, True)


async def test_entries_become_records_in_their_order_and_leave_the_outbox(world: LogWorld) -> None:
    await world.add("a", "b")
    assert (await world.log.head()).pending
    await world.add("u", kind="sub", version=7)
    done = await world.extended()
    assert [(each.seq, each.kind, each.key, each.version) for each in await world.records()] == [
        (1, "sid", key("a"), 0),
        (2, "sid", key("b"), 0),
        (3, "sub", key("u", "sub"), 7),
    ]
    assert await world.check() == 3
    assert (done.seq, done.drained, (await world.log.head()).pending) == (3, True, False)


async def test_a_batch_is_no_larger_than_asked_for_and_says_whether_more_is_there(world: LogWorld) -> None:
    await world.add(*"abcde")
    assert [(await world.extended(limit=2)).drained for _ in range(3)] == [False, False, True]
    assert await world.keys() == keys(*"abcde")


async def test_an_entry_is_found_by_its_outbox_id_once_it_is_logged(world: LogWorld) -> None:
    await world.add("a", "b")
    ids = [row.id for row in await world.sql("SELECT id FROM revocation_outbox ORDER BY id")]
    assert [await world.log.sequence_of(each) for each in ids] == [None, None]
    await world.drain()
    assert [await world.log.sequence_of(each) for each in ids] == [1, 2]


async def test_however_many_extend_at_once_the_log_is_dense_and_complete(world: LogWorld, other: LogWorld) -> None:
    names = [f"s{number}" for number in range(120)]

    async def write(some: list[str]) -> None:
        for name in some:
            await world.add(name)

    async def extend(at: LogWorld) -> None:
        for _ in range(25):
            await at.extend(limit=3)

    await asyncio.gather(*(write(names[n::4]) for n in range(4)), *(extend(at) for at in (world, other) * 4))
    await world.drain()
    assert await world.check() == 120
    assert Counter(await world.keys()) == Counter(keys(*names))


async def test_extenders_that_are_cancelled_anywhere_lose_and_double_nothing(world: LogWorld) -> None:
    names = [f"s{number}" for number in range(60)]
    await world.add(*names)
    rng = random.Random(7)
    for _ in range(40):
        task = asyncio.create_task(world.extend(limit=2))
        await asyncio.sleep(rng.uniform(0, 0.008))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await world.drain()
    assert await world.check() == 60
    assert await world.keys() == keys(*names)


async def test_a_server_process_that_is_killed_mid_batch_leaves_no_trace(postgres_world: LogWorld) -> None:
    world = postgres_world
    await world.add(*"abc")

    def killed(end: object, entries: object) -> list[object]:
        raise StorageUnavailable("killed")  # after the entries were taken, before anything is committed

    with pytest.raises(StorageUnavailable):
        await world.log.extend(killed, now=world.clock, limit=9)  # type: ignore[arg-type]  # it never returns
    assert (await world.log.head()).pending
    backend = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state LIKE 'idle%'"
    )
    slow = asyncio.create_task(world.log.extend(COMPOSE, now=world.clock, limit=9))
    await world.sql(backend)
    await asyncio.gather(slow, return_exceptions=True)
    await world.drain()
    assert await world.check() == 3


async def test_while_somebody_extends_others_are_told_so_at_once(postgres_world: LogWorld) -> None:
    world = postgres_world
    await world.add("a")
    async with world.database.transaction() as connection:
        await connection.exec_driver_sql("SELECT 1 FROM rev_head WHERE id = 1 FOR UPDATE")
        async with asyncio.timeout(1):
            assert await world.extend() is None
            assert (await world.log.head()).pending
    assert await world.extended() is not None


async def test_an_aborted_transaction_leaves_nothing(world: LogWorld) -> None:
    async with world.database.transaction() as connection:
        await insert_entry(connection, kind="sid", value="never")
        await connection.rollback()
    await world.add("after")
    await world.drain()
    assert await world.keys() == keys("after")


async def test_what_is_committed_late_is_not_skipped_and_lasts_from_when_it_is_logged(postgres_world: LogWorld) -> None:
    world = postgres_world
    async with world.database.transaction() as late:
        await insert_entry(late, kind="sid", value="late")
        await world.add("early")
        assert (await world.extended()).drained
        assert await world.keys() == keys("early")
        assert not (await world.log.head()).pending
        world.clock.at += HOUR
    assert (await world.log.head()).pending
    await world.drain()
    assert await world.keys() == keys("early", "late")
    assert [each.expires for each in await world.records()] == [
        -(-(NOW + TOKEN_TTL + SLACK) // SECOND),
        -(-(NOW + HOUR + TOKEN_TTL + SLACK) // SECOND),
    ]


async def test_two_versions_of_one_thing_keep_their_order_beside_one_that_is_committed_late(
    postgres_world: LogWorld,
) -> None:
    """A scan that went on from the last id would log the second first, and a snapshot would keep the lesser one."""
    world = postgres_world
    await world.add("u", kind="sub", version=1)  # the smaller id, taken in a batch of its own only after the others
    await world.add("x", "y")
    await world.add("u", kind="sub", version=2)
    for _ in range(4):
        await world.extended(limit=1)
    assert [each.version for each in await world.records() if each.kind == "sub"] == [1, 2]


@pytest.mark.parametrize(
    ("kind", "token_ends_in", "lasts"),
    [
        ("jti", HOUR, HOUR + SLACK),
        ("jti", -HOUR, SLACK),
        ("jti", None, TOKEN_TTL + SLACK),
        ("kid", None, KEY_LASTS + SLACK),
        ("sub", None, TOKEN_TTL + SLACK),
        ("cli", None, TOKEN_TTL + SLACK),
        ("sid", None, TOKEN_TTL + SLACK),
        ("iss", None, TOKEN_TTL + SLACK),
    ],
)
async def test_a_record_lasts_as_long_as_what_it_refuses(
    sqlite_database: Database, kind: EntryKind, token_ends_in: int | None, lasts: int
) -> None:
    world = await LogWorld(sqlite_database).begin()
    await world.add("v", kind=kind, expires_at=None if token_ends_in is None else NOW + token_ends_in)
    await world.drain()
    (record,) = await world.records()
    assert 0 <= record.expires * SECOND - (NOW + lasts) < SECOND


async def test_records_last_for_the_longest_lifetime_there_ever_was(world: LogWorld) -> None:
    await world.log.raise_token_ttl(HOUR)
    await world.log.raise_token_ttl(MINUTE)
    assert (await world.log.head()).token_ttl == HOUR
    await world.add("a")
    await world.drain()
    assert (await world.records())[0].expires * SECOND >= NOW + HOUR + SLACK


async def test_a_clock_that_was_ahead_does_not_make_a_later_record_end_sooner(world: LogWorld) -> None:
    """Tokens that were issued while it was ahead live until then, and of two records the later one is kept."""
    world.clock.at = NOW + HOUR
    await world.add("u", kind="sub", version=1)
    await world.drain()
    world.clock.at = NOW
    await world.add("u", kind="sub", version=2)
    await world.drain()
    first, second = await world.records()
    assert second.expires >= first.expires


async def test_full_tiles_are_had_and_no_others(world: LogWorld) -> None:
    await world.add(*(f"s{number}" for number in range(520)))
    await world.drain()
    log, records = await world.log_id(), await world.records()
    assert await world.log.tile(log, 0) == records[:255]
    assert await world.log.tile(log, 1) == records[255:511]
    assert [await world.log.tile(log, number) for number in (2, 3)] == [None, None]
    assert await world.log.tile("another", 0) is None


async def test_records_of_another_log_are_not_had(world: LogWorld) -> None:
    await world.add("a")
    await world.drain()
    assert await world.log.records("another", after=0, limit=9) == []
    assert await world.log.hash_at("another", 1) is None
    assert await world.log.hash_at(await world.log_id(), 1) == (await world.log.head()).hash


async def test_a_burst_after_quiet_times_is_drained_as_fast_as_any(postgres_world: LogWorld) -> None:
    """PostgreSQL keeps the plan that it made while the outbox was all but empty, and after a `VACUUM` of the emptied
    outbox believes that it stays so: no plan may read more than the portion that is taken."""
    world = postgres_world
    for quiet in range(20):
        await world.add(f"quiet-{quiet}")
        await world.extended()
    await world.sql("ANALYZE revocation_outbox")
    for quiet in range(20):
        await world.add(f"still-{quiet}")
        await world.extended()
    await world.sql(
        "INSERT INTO revocation_outbox (kind, value, version, created_at) "
        "SELECT 'sid', 'burst-' || n, 0, 1 FROM generate_series(1, 100000) n"
    )
    took = []
    for _ in range(9):
        started = time.monotonic()
        await world.extended(limit=1024)
        took.append(time.monotonic() - started)
    assert statistics.median(took) < 0.5, took


async def test_a_burst_is_drained_in_portions_and_leaves_the_outbox_quick_to_ask(postgres_world: LogWorld) -> None:
    world = postgres_world
    await world.sql(
        "INSERT INTO revocation_outbox (kind, value, version, created_at) "
        f"SELECT 'sid', '{ISSUER}' || n, 0, 1 FROM generate_series(1, 12000) n"
    )
    await world.drain(limit=1024)
    await world.log.tidy()
    (size,) = await world.sql("SELECT pg_relation_size('revocation_outbox') AS bytes")
    assert size.bytes == 0
    assert (await world.log.head()).seq == 12000
