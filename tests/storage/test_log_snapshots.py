"""Snapshots, purge and floor against an oracle; what is forgotten and what never is."""

from __future__ import annotations

import hashlib
import json

import pytest

from authserver.clock import PurgeClock
from authserver.model.log import LogRecord, Snapshot
from authserver.model.time import DAY, HOUR, MINUTE, SECOND
from authserver.revocation import snapshots
from authserver.revocation.checkpoint import base64url
from authserver.revocation.records import line_of
from authserver.revocation.snapshots import SnapshotJob
from authserver.storage.sql import Database
from tests.storage.builders import NOW
from tests.storage.logs import LogWorld, alive_in, key


@pytest.fixture
async def world(database: Database) -> LogWorld:
    return await LogWorld(database).begin()


async def snapshot(world: LogWorld) -> Snapshot:
    made = await SnapshotJob(world.log, world.clock).make(await world.log.head())
    assert made is not None
    return made


async def body_of(world: LogWorld, made: Snapshot) -> bytes:
    parts = [await world.log.snapshot_part(made.build, number) for number in range(made.parts)]
    return b"".join(part or b"" for part in parts)


def expected(made: Snapshot, records: list[LogRecord], at: int) -> bytes:
    """As docs/feed.md describes it, written down a second time."""
    alive = alive_in(records, made.seq, at)
    first = {"log": made.log, "seq": made.seq, "h": base64url(made.hash), "entries": len(alive)}
    lines = [json.dumps(first, separators=(",", ":")).encode(), *(line_of(record) for record in alive)]
    return b"".join(line + b"\n" for line in lines)


async def history(world: LogWorld) -> None:
    """Things that were taken back once, several times, for long and for short."""
    await world.add("jti-short", kind="jti", expires_at=NOW + SECOND)
    await world.add("jti-long", kind="jti", expires_at=NOW + DAY)
    await world.add("k", kind="kid")
    for version in range(1, 4):
        await world.add("u", kind="sub", version=version)
        await world.add(f"s{version}")
        await world.add("", kind="iss", version=version)
    await world.add("jti-long", kind="jti", expires_at=NOW + 2 * DAY)
    await world.drain()


@pytest.mark.parametrize("later", [0, 3 * MINUTE, 7 * MINUTE, 3 * HOUR, 30 * HOUR, 3 * DAY])
async def test_a_snapshot_holds_the_last_of_everything_that_is_not_over(world: LogWorld, later: int) -> None:
    await history(world)
    world.clock.at += later
    made = await snapshot(world)
    body = await body_of(world, made)
    assert body == expected(made, await world.records(), world.clock())
    assert (made.sha256, made.size) == (hashlib.sha256(body).digest(), len(body))
    assert made.entries == body.count(b"\n") - 1


async def test_of_one_history_there_is_one_snapshot(world: LogWorld) -> None:
    await history(world)
    job, head = SnapshotJob(world.log, world.clock), await world.log.head()
    first = await job.make(head)
    assert first is not None
    assert await job.make(head) is None
    assert (await world.log.newest_snapshot(), await world.log.snapshot(head.log, head.seq)) == (first, first)
    await world.sql("DELETE FROM rev_snapshots")
    again = await job.make(head)
    assert again is not None
    assert (again.sha256, again.entries) == (first.sha256, first.entries)


async def test_many_parts_are_one_body(world: LogWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "PART_BYTES", 1000)
    monkeypatch.setattr(snapshots, "PAGE", 7)
    await world.add(*(f"s{number}" for number in range(100)))
    await world.drain()
    made = await snapshot(world)
    assert made.parts > 8
    parts = [await world.log.snapshot_part(made.build, number) or b"" for number in range(made.parts)]
    assert max(map(len, parts)) <= 1000
    body = await body_of(world, made)
    assert body == expected(made, await world.records(), NOW)
    assert made.sha256 == hashlib.sha256(body).digest()


async def test_what_is_logged_while_it_is_made_is_not_in_it(world: LogWorld) -> None:
    await world.add("u", kind="sub", version=1)
    await world.drain()
    head = await world.log.head()
    await world.add("u", kind="sub", version=2)
    await world.drain()
    made = await SnapshotJob(world.log, world.clock).make(head)
    assert made is not None
    assert (await body_of(world, made)).splitlines()[1:] == [line_of((await world.records())[0])]


async def test_the_head_names_the_newest_and_one_of_another_log_is_never_offered(world: LogWorld) -> None:
    await history(world)
    made = await snapshot(world)
    reference = (await world.log.head()).snapshot
    assert reference is not None
    assert (reference.seq, reference.hash, reference.sha256) == (made.seq, made.hash, made.sha256)
    assert await world.log.snapshot("another", made.seq) is None
    await world.sql("UPDATE rev_head SET log = 'another'")
    assert (await world.log.head()).snapshot is None
    assert await world.log.newest_snapshot() is None
    await world.sql("DELETE FROM rev_snapshots")
    assert not await world.log.publish(made)


async def test_one_is_made_when_much_is_new_or_something_is_and_the_last_is_old(world: LogWorld) -> None:
    job = SnapshotJob(world.log, world.clock)
    assert await job.run_once() is None
    await world.add("a")
    await world.drain()
    first = await job.run_once()
    assert first is not None
    await world.add("b")
    await world.drain()
    assert await job.run_once() is None
    world.clock.at += MINUTE
    second = await job.run_once()
    assert second is not None
    world.clock.at += HOUR
    assert await job.run_once() is None  # nothing is new
    await world.add(*(f"s{n}" for n in range(snapshots.MANY)))
    await world.drain(5000)
    await SnapshotJob(world.log, world.clock).run_once()
    assert (await world.log.newest_snapshot()) != second


async def test_of_many_one_makes_it_and_a_claim_from_the_future_holds_nobody_up(world: LogWorld) -> None:
    log = world.log
    claims = [await log.claim_snapshot(now=NOW, until=NOW + 30 * SECOND) for _ in range(3)]
    assert claims == [True, False, False]
    later = NOW + 30 * SECOND
    assert await log.claim_snapshot(now=later + HOUR, until=later + HOUR + 30 * SECOND)
    assert await log.claim_snapshot(now=later, until=later + 30 * SECOND)


# -- purge ----------------------------------------------------------------------------------------


async def test_what_is_over_goes_below_the_floor_and_nothing_else(world: LogWorld) -> None:
    await world.add("k", kind="kid")
    await world.add(*(f"s{number}" for number in range(600)))
    await world.drain()
    await snapshot(world)
    assert await world.log.purge(now=NOW + 59 * MINUTE) == {"rev_snapshots": 0, "rev_log": 0}
    assert (await world.log.head()).floor == 1
    done = await world.log.purge(now=NOW + 61 * MINUTE)
    assert ((await world.log.head()).floor, done["rev_log"]) == (512, 510)
    records = await world.records()
    assert [records[0].key, records[1].seq] == [key("k", "kid"), 512]
    assert await world.log.tile(await world.log_id(), 1) is None


async def test_the_floor_stays_below_every_snapshot_that_can_be_had(world: LogWorld) -> None:
    for number in range(5):
        await world.add(*(f"s{number}.{n}" for n in range(200)))
        await world.drain()
        if number < 3:
            await snapshot(world)
        if number == 3:
            world.clock.at += 90 * MINUTE
    await world.log.purge(now=NOW + 2 * HOUR)
    assert [row.seq for row in await world.sql("SELECT seq FROM rev_snapshots ORDER BY seq")] == [400, 600]
    assert (await world.log.head()).floor == 256


async def test_without_a_snapshot_nothing_goes(world: LogWorld) -> None:
    await world.add(*(f"s{number}" for number in range(600)))
    await world.drain()
    assert (await world.log.purge(now=NOW + DAY))["rev_log"] == 0
    assert await world.check() == 600


async def test_snapshots_that_somebody_may_be_reading_are_kept_and_their_parts_go_with_them(world: LogWorld) -> None:
    for number in range(4):
        await world.add(f"s{number}")
        await world.drain()
        await snapshot(world)
        world.clock.at += MINUTE
    assert (await world.log.purge(now=NOW + 10 * MINUTE))["rev_snapshots"] == 0
    assert (await world.log.purge(now=NOW + 12 * MINUTE))["rev_snapshots"] == 2
    builds = await world.sql("SELECT build FROM rev_snapshot_parts GROUP BY build")
    assert len(builds) == 2


async def test_the_parts_of_a_snapshot_that_was_never_finished_go(world: LogWorld) -> None:
    await history(world)
    made = await snapshot(world)
    await world.log.add_part("00000000-0000-7000-8000-000000000000", 0, b"x")
    await world.log.purge(now=NOW + HOUR)
    assert [row.build for row in await world.sql("SELECT DISTINCT build FROM rev_snapshot_parts")] == [made.build]


async def test_a_clock_that_is_an_hour_ahead_for_a_while_makes_nobody_forget(world: LogWorld) -> None:
    """Neither snapshot nor purge: both go by a clock that cannot run faster than time does."""
    ticks = [0]
    purge_clock = PurgeClock(world.clock, lambda: ticks[0])
    await world.add(*(f"s{number}" for number in range(600)))
    await world.drain()
    await SnapshotJob(world.log, purge_clock).make(await world.log.head())
    world.clock.at += 10 * HOUR
    ticks[0] += 60 * 10**9
    await world.log.purge(now=purge_clock())
    assert await world.check() == 600
    await world.add("one more")
    await world.drain()
    made = await SnapshotJob(world.log, purge_clock).make(await world.log.head())
    assert made is not None
    assert made.entries == 601
    world.clock.at -= 10 * HOUR
    await world.log.purge(now=purge_clock())
    assert await world.check() == 601


async def test_after_everything_was_purged_the_snapshot_and_the_tiles_above_it_still_tell_all(world: LogWorld) -> None:
    history: list[LogRecord] = []
    for step in range(6):
        await world.add(*(f"s{step}.{n}" for n in range(150)))
        await world.add("u", kind="sub", version=step)
        await world.add(f"k{step}", kind="kid")
        await world.drain()
        history += [each for each in await world.records() if each.seq > len(history)]
        await snapshot(world)
        world.clock.at += 40 * MINUTE
        await world.log.purge(now=world.clock())
    head, now = await world.log.head(), world.clock()
    assert head.floor > 1
    newest = await world.log.newest_snapshot()
    assert newest is not None
    oldest = min(row.seq for row in await world.sql("SELECT seq FROM rev_snapshots"))
    assert head.floor <= oldest
    left = {record.seq for record in await world.records()}
    assert set(range(head.floor, head.seq + 1)) <= left
    assert {record.seq for record in alive_in(history, head.seq, now)} <= left
