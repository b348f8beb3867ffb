"""Throttling by bucket: guessers wait, owners do not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from authserver.accounts.errors import LoginThrottled
from authserver.accounts.throttle import Admission, LoginThrottle, ThrottlePolicy, network_of
from authserver.model.errors import TemporarilyUnavailable
from authserver.model.time import DAY, MINUTE, SECOND
from authserver.storage.interface import ThrottleStore
from authserver.storage.local import LocalCache
from tests.conftest import Stores

NOON = 1_800_000_000_000
HOME, AWAY = "192.0.2.1", "203.0.113.5"
DEVICE = b"d" * 16
POLICY = ThrottlePolicy(
    account_burst=3,
    account_interval=MINUTE,
    known_burst=2,
    known_interval=30 * SECOND,
    address_limit=5,
    address_window=10 * MINUTE,
    address_parallel=3,
    max_waiting=600,
)


class Bench:
    """A throttle under a clock of its own."""

    def __init__(self, store: ThrottleStore, cache: type[LocalCache] = LocalCache) -> None:
        self.time = NOON
        self.throttle = LoginThrottle(store, cache(now=self.now), POLICY, self.now)

    def now(self) -> int:
        return self.time

    async def guess(self, user: str = "alice", address: str = AWAY, device: bytes | None = None) -> Admission:
        admission = await self.throttle.admit(user, address, device)
        await self.throttle.failed(admission)
        return admission

    async def slow_guess(self, user: str) -> Admission:
        """Others come while it is checked."""
        admission = await self.throttle.admit(user, AWAY, None)
        await asyncio.sleep(0.001)
        await self.throttle.failed(admission)
        return admission

    async def succeed(self, user: str = "alice", address: str = HOME, device: bytes | None = None) -> None:
        await self.throttle.succeeded(await self.throttle.admit(user, address, device))

    async def exhaust(self, user: str = "alice", address: str = AWAY, device: bytes | None = None) -> int:
        """How many guesses are admitted until one is refused."""
        for number in range(100):
            try:
                await self.guess(user, address, device)
            except LoginThrottled:
                return number
        raise AssertionError("never refused")


@pytest.fixture
def bench(sqlite_stores: Stores) -> Bench:
    return Bench(sqlite_stores.throttle)


async def test_a_stranger_gets_the_burst_and_then_one_per_interval(bench: Bench) -> None:
    assert await bench.exhaust() == 3
    bench.time += MINUTE
    assert await bench.exhaust() == 1


async def test_the_refusal_says_how_long_to_wait(bench: Bench) -> None:
    await bench.exhaust()
    with pytest.raises(LoginThrottled) as raised:
        await bench.guess()
    assert raised.value.status == 429
    assert 1 <= int(raised.value.headers["Retry-After"]) <= 60
    bench.time += raised.value.retry_after * SECOND
    await bench.guess()


async def test_a_success_does_not_count(bench: Bench) -> None:
    for _ in range(20):
        await bench.succeed(address=AWAY)
    assert await bench.exhaust(address=HOME) == 3


async def test_a_flood_from_elsewhere_leaves_the_known_address_alone(bench: Bench) -> None:
    await bench.succeed(address=HOME)
    await bench.exhaust(address=AWAY)
    await bench.succeed(address=HOME)


async def test_a_flood_from_elsewhere_leaves_the_known_device_alone(bench: Bench) -> None:
    await bench.exhaust(address=AWAY)
    await bench.succeed(address="198.51.100.77", device=DEVICE)


async def test_a_flood_from_the_same_address_leaves_the_known_device_alone(bench: Bench) -> None:
    await bench.succeed(address=HOME)
    for user in "bcdefghij":
        await asyncio.gather(bench.guess(user, HOME), return_exceptions=True)
    await bench.exhaust("alice", HOME)
    await bench.succeed(address=HOME, device=DEVICE)


async def test_a_known_device_is_limited_too(bench: Bench) -> None:
    assert await bench.exhaust(device=DEVICE) == 2 + 3


async def test_all_devices_of_an_account_share_one_allowance(bench: Bench) -> None:
    admitted = 0
    for number in range(20):
        guesses = [bench.guess(address=f"198.51.100.{number}", device=bytes([number]) * 16) for _ in range(3)]
        admitted += sum(isinstance(r, Admission) for r in await asyncio.gather(*guesses, return_exceptions=True))
    assert admitted == 2 + 3


async def test_failures_of_a_known_device_count_against_its_address(bench: Bench) -> None:
    assert await bench.exhaust(device=DEVICE) == 5
    with pytest.raises(LoginThrottled):
        await bench.guess("bob")


async def test_a_known_address_is_forgotten_after_its_time(bench: Bench) -> None:
    await bench.succeed(address=HOME)
    bench.time += 30 * DAY + 1
    assert await bench.exhaust(address=HOME) == 3


async def test_an_address_known_on_one_account_is_a_stranger_on_another(bench: Bench) -> None:
    await bench.succeed("alice", HOME)
    assert await bench.exhaust("bob", HOME) == 3


async def test_one_address_on_many_accounts_is_closed_and_opened_again(bench: Bench) -> None:
    for user in "abcde":
        await bench.guess(user)
    with pytest.raises(LoginThrottled):
        await bench.guess("f")
    await bench.guess("f", HOME)
    bench.time += 10 * MINUTE + 1
    await bench.guess("g")


async def test_an_office_may_log_in_as_often_as_it_likes(bench: Bench) -> None:
    for number in range(50):
        await bench.succeed(f"employee-{number}", HOME)


async def test_neighbours_in_one_ipv6_network_count_as_one(bench: Bench) -> None:
    for number in range(5):
        await bench.guess(f"user-{number}", f"2001:db8:0:1::{number}")
    with pytest.raises(LoginThrottled):
        await bench.guess("another", "2001:db8:0:1:ffff::1")
    await bench.guess("another", "2001:db8:0:2::1")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_racing_guesses_get_no_more_than_the_burst(bench: Bench) -> None:
    answers = await asyncio.gather(*(bench.guess() for _ in range(30)), return_exceptions=True)
    assert sum(isinstance(answer, Admission) for answer in answers) == 3


async def test_racing_guesses_on_many_accounts_from_one_address_get_no_more_than_its_limit(bench: Bench) -> None:
    answers = await asyncio.gather(*(bench.slow_guess(f"user-{n}") for n in range(60)), return_exceptions=True)
    assert sum(isinstance(answer, Admission) for answer in answers) == 5
    assert sum(isinstance(answer, LoginThrottled) for answer in answers) == 55
    assert not bench.throttle._gate._lanes


async def test_what_failed_before_leaves_racing_guesses_only_the_rest(bench: Bench) -> None:
    for user in "abcd":
        await bench.guess(user)
    answers = await asyncio.gather(*(bench.slow_guess(f"user-{n}") for n in range(20)), return_exceptions=True)
    assert sum(isinstance(answer, Admission) for answer in answers) == 1


async def test_five_hundred_right_passwords_at_once_from_one_address_all_pass(bench: Bench) -> None:
    async def log_in(user: str) -> None:
        admission = await bench.throttle.admit(user, HOME, None)
        await asyncio.sleep(0)
        await bench.throttle.succeeded(admission)

    await asyncio.gather(*(log_in(f"employee-{number}") for number in range(500)))
    assert not bench.throttle._gate._lanes


async def test_right_passwords_pass_between_wrong_ones_from_the_same_address(bench: Bench) -> None:
    async def log_in(user: str) -> None:
        await bench.throttle.succeeded(await bench.throttle.admit(user, AWAY, None))

    wrong = [bench.slow_guess(f"user-{n}") for n in range(4)]
    await asyncio.gather(*wrong, *(log_in(f"employee-{number}") for number in range(100)))


async def test_who_gives_up_while_waiting_keeps_nobody_waiting(bench: Bench) -> None:
    inside = [await bench.throttle.admit(f"user-{n}", AWAY, None) for n in range(3)]
    waiting = [asyncio.create_task(bench.throttle.admit(f"later-{n}", AWAY, None)) for n in range(4)]
    await asyncio.sleep(0.05)
    waiting[0].cancel()  # while it waits
    bench.throttle.left(inside[0])
    waiting[1].cancel()  # after its turn was given to it, before it could take it
    bench.throttle.left(inside[1])
    bench.throttle.left(inside[1])
    admitted = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert [isinstance(answer, Admission) for answer in admitted] == [False, False, True, True]
    for admission in (inside[2], *admitted[2:]):
        assert isinstance(admission, Admission)
        bench.throttle.left(admission)
    assert not bench.throttle._gate._lanes


async def test_more_than_may_wait_are_told_to_come_again(bench: Bench, sqlite_stores: Stores) -> None:
    small = replace(POLICY, address_parallel=1, max_waiting=2)
    throttle = LoginThrottle(sqlite_stores.throttle, LocalCache(now=bench.now), small, bench.now)
    first = await throttle.admit("a", AWAY, None)
    waiting = [asyncio.create_task(throttle.admit(user, AWAY, None)) for user in "bc"]
    await asyncio.sleep(0)
    with pytest.raises(TemporarilyUnavailable):
        await throttle.admit("d", AWAY, None)
    await throttle.released(await throttle.admit("d", HOME, None))  # nobody waits there
    await throttle.released(await throttle.admit("d", AWAY, DEVICE))  # a known device waits for nobody
    await throttle.succeeded(first)
    for task in waiting:
        await throttle.succeeded(await task)


async def test_an_attempt_that_was_never_decided_does_not_count(bench: Bench) -> None:
    for _ in range(10):
        await bench.throttle.released(await bench.throttle.admit("alice", AWAY, None))
    assert await bench.exhaust() == 3


async def test_only_the_first_refusal_in_a_while_is_worth_an_audit_event(bench: Bench) -> None:
    await bench.exhaust()  # its refusal is the first
    refusals = await asyncio.gather(*(bench.guess() for _ in range(10)), return_exceptions=True)
    assert [refusal.first for refusal in refusals if isinstance(refusal, LoginThrottled)] == [False] * 10


async def test_a_cache_that_forgets_everything_still_limits_each_account(bench: Bench, sqlite_stores: Stores) -> None:
    class Amnesia(LocalCache):
        async def get(self, key: str) -> bytes | None:
            return None

    forgetful = Bench(sqlite_stores.throttle, Amnesia)
    await forgetful.succeed(address=HOME)
    assert await forgetful.exhaust(address=HOME) == 3
    for user in "uvwxyz":
        await asyncio.gather(forgetful.guess(user), return_exceptions=True)
    with pytest.raises(LoginThrottled):  # this process counted by itself
        await forgetful.guess("another")
