"""A database that lost commits: found out, said, cured by a new log; and nothing that was taken back comes back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from authserver.model.log import LogHead
from authserver.model.time import HOUR, MINUTE, SECOND
from authserver.revocation.records import carry, chain_start
from authserver.revocation.snapshots import SnapshotJob
from authserver.revocation.witness import SignedPlace, proves_a_loss
from authserver.storage.interface import NewLog, StorageUnavailable
from authserver.storage.sql import Database
from tests.storage.builders import NOW, an_event
from tests.storage.logs import COMPOSE, LogWorld, insert_entry, key, keys

NEW = "00112233445566ff"


@pytest.fixture
async def world(database: Database) -> LogWorld:
    return await LogWorld(database).begin()


def new_log(**changes: object) -> NewLog:
    values = {"log": NEW, "start": chain_start(NEW), "least_version": 0, "compose": COMPOSE, "carry": carry}
    return NewLog(**(values | changes))  # type: ignore[arg-type]  # a builder


async def renewed(world: LogWorld, **changes: object) -> LogHead:
    return await world.log.renew(new_log(**changes), now=world.clock, event=an_event())


async def kinds(world: LogWorld) -> list[tuple[int, str]]:
    return [(record.seq, record.kind) for record in await world.records()]


async def test_a_renewed_log_begins_with_the_record_that_refuses_everything(world: LogWorld) -> None:
    before = await world.log_id()
    await world.add(*"abc")
    await world.drain()
    await SnapshotJob(world.log, world.clock).run_once()
    head = await renewed(world, least_version=NOW // SECOND)
    assert (head.log, head.seq, head.floor, head.snapshot, head.left) == (NEW, 1, 1, None, {before})
    assert await kinds(world) == [(1, "iss")]
    assert await world.check() == 1
    (row,) = await world.sql("SELECT revocation_version AS version, log_id FROM issuer")
    assert (row.version, row.log_id) == (NOW // SECOND, NEW)
    assert (await world.records())[0].version == row.version
    assert await world.sql("SELECT 1 FROM rev_snapshot_parts") == []


async def test_its_version_is_above_any_that_was_lost_and_never_goes_back(world: LogWorld) -> None:
    await world.sql("UPDATE issuer SET revocation_version = 41 WHERE id = 1")
    await renewed(world, least_version=7)
    assert (await world.records())[0].version == 42


async def test_keys_that_were_revoked_stay_so_in_the_new_log_as_long_as_they_did(world: LogWorld) -> None:
    await world.add("old", kind="kid")
    await world.drain()
    world.clock.at += 26 * HOUR
    await world.add("k", kind="kid")
    await world.add("a")
    await world.drain()
    lasts = (await world.records())[1].expires
    world.clock.at += MINUTE
    await renewed(world)
    assert await kinds(world) == [(1, "iss"), (2, "kid")]
    kid = (await world.records())[1]
    assert (kid.key, kid.expires) == (key("k", "kid"), lasts)
    assert await world.check() == 2


async def test_what_was_waiting_and_what_is_committed_late_follows(world: LogWorld) -> None:
    await world.add("waiting")
    await renewed(world)
    assert (await world.log.head()).pending
    await world.drain()
    assert await kinds(world) == [(1, "iss"), (2, "sid")]
    assert await world.check() == 2


async def test_an_entry_of_a_smaller_id_that_is_committed_later_is_not_the_first_record(postgres_url: str) -> None:
    from authserver.storage.sql import open_database

    database = open_database(postgres_url, pool_size=4)
    await database.start()
    world = await LogWorld(database).begin()
    async with database.transaction() as late:
        await insert_entry(late, kind="sid", value="late")
        await renewed(world)
    await world.drain()
    assert await kinds(world) == [(1, "iss"), (2, "sid")]
    await database.close()


async def test_a_renewal_that_breaks_changes_nothing(world: LogWorld) -> None:
    await world.add("a")
    await world.drain()
    before = await world.log.head()

    def breaks(end: object, records: Sequence[object]) -> list[object]:
        raise StorageUnavailable("gone")

    with pytest.raises(StorageUnavailable):
        await renewed(world, carry=breaks)
    assert await world.log.head() == before
    assert await world.check() == 1


async def test_a_witness_stays_until_the_log_is_renewed_and_only_the_first_is_kept(world: LogWorld) -> None:
    log = await world.log_id()
    assert not await world.log.accuse("another", "w0")
    assert await world.log.accuse(log, "w1")
    assert not await world.log.accuse(log, "w2")
    assert (await world.log.head()).witness == "w1"
    assert (await renewed(world)).witness is None


async def test_logs_that_were_left_are_remembered(world: LogWorld) -> None:
    first = await world.log_id()
    await renewed(world)
    another = "ffeeddccbbaa9988"
    head = await renewed(world, log=another, start=chain_start(another))
    assert head.left == {first, NEW}


async def test_a_snapshot_that_was_begun_before_is_not_offered_after(world: LogWorld) -> None:
    await world.add(*"abc")
    await world.drain()
    head = await world.log.head()
    await renewed(world)
    assert await SnapshotJob(world.log, world.clock).make(head) is None


# -- what proves a loss ---------------------------------------------------------------------------


async def test_only_what_this_log_cannot_have_led_to_proves_a_loss(world: LogWorld) -> None:
    left = await world.log_id()
    await renewed(world)
    await world.add(*"abc")
    await world.drain()
    head, second = await world.log.head(), await world.log.hash_at(NEW, 2)
    assert second is not None
    places = {
        SignedPlace(NEW, head.seq, head.hash): False,
        SignedPlace(NEW, 2, second): False,
        SignedPlace(NEW, 0, b"whatever"): False,
        SignedPlace(left, 99, b"left behind"): False,
        SignedPlace(NEW, head.seq + 1, head.hash): True,
        SignedPlace(NEW, head.seq, second): True,
        SignedPlace(NEW, 2, head.hash): True,
        SignedPlace("never heard of", 1, head.hash): True,
    }
    assert {place: await proves_a_loss(world.log, place) for place in places} == places


async def test_the_log_of_a_renewed_database_goes_on_as_any_other(world: LogWorld) -> None:
    await renewed(world)
    await world.add(*"ab")
    await world.drain()
    assert (await world.keys())[1:] == keys(*"ab")
    assert await world.check() == 3
