"""ThrottleStore: bursts, the pace after them, refunds."""

from __future__ import annotations

from tests.conftest import Stores
from tests.storage.builders import NOW


async def admitted(stores: Stores, at: int, bucket: bytes = b"bucket", burst: int = 3) -> int:
    return await stores.throttle.admit(bucket, burst=burst, interval=1000, now=NOW + at)


async def test_a_burst_is_admitted_and_then_one_at_a_time(stores: Stores) -> None:
    assert [await admitted(stores, 0) for _ in range(5)] == [0, 0, 0, 1000, 1000]
    assert [await admitted(stores, 400), await admitted(stores, 1000), await admitted(stores, 1000)] == [600, 0, 1000]


async def test_time_gives_the_whole_burst_back(stores: Stores) -> None:
    for _ in range(4):
        await admitted(stores, 0)
    assert [await admitted(stores, 3000) for _ in range(4)] == [0, 0, 0, 1000]


async def test_buckets_are_separate(stores: Stores) -> None:
    assert [await admitted(stores, 0, burst=1), await admitted(stores, 0, burst=1)] == [0, 1000]
    assert await admitted(stores, 0, bucket=b"other", burst=1) == 0


async def test_a_refund_takes_one_attempt_back(stores: Stores) -> None:
    for _ in range(3):
        await admitted(stores, 0)
    await stores.throttle.refund(b"bucket", interval=1000)
    assert [await admitted(stores, 0), await admitted(stores, 0)] == [0, 1000]
    await stores.throttle.refund(b"unknown", interval=1000)
