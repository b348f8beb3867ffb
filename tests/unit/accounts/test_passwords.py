"""Hashing: what counts, what is refused, and that it is bounded."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from authserver.accounts.passwords import Argon2Params, InvalidPassword, Passwords, password_bytes
from authserver.model.errors import TemporarilyUnavailable

CHEAP = Argon2Params(memory_kib=8, passes=1)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(threads=1, queue_limit=50, params=CHEAP)
    yield made
    made.close()


async def test_the_right_password_is_right(passwords: Passwords) -> None:
    stored = await passwords.hash("a long walk in may")
    assert await passwords.verify("a long walk in may", stored) is True


async def test_a_wrong_password_is_wrong(passwords: Passwords) -> None:
    stored = await passwords.hash("a long walk in may")
    assert await passwords.verify("a long walk in May", stored) is False


async def test_two_hashes_of_one_password_differ(passwords: Passwords) -> None:
    assert await passwords.hash("a long walk in may") != await passwords.hash("a long walk in may")


@pytest.mark.real_argon2
async def test_the_default_is_argon2id_with_19_mib_and_two_passes() -> None:
    passwords = Passwords()
    stored = await passwords.hash("a long walk in may")
    passwords.close()
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_without_a_hash_no_password_is_right(passwords: Passwords) -> None:
    assert await passwords.verify("a long walk in may", None) is False


@pytest.mark.parametrize(
    "damaged", ["", "$argon2id$", "plain", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=8,t=1,p=1$x$y"]
)
async def test_a_damaged_hash_admits_nobody(passwords: Passwords, damaged: str) -> None:
    assert await passwords.verify("a long walk in may", damaged) is False


async def test_what_comes_after_72_bytes_counts(passwords: Passwords) -> None:
    stored = await passwords.hash("x" * 72 + "a")
    assert not await passwords.verify("x" * 72 + "b", stored)


async def test_composed_and_decomposed_accents_are_one_password(passwords: Passwords) -> None:
    stored = await passwords.hash("cr\u00e8me br\u00fbl\u00e9e")
    assert await passwords.verify("cre\u0300me bru\u0302le\u0301e", stored)


async def test_case_and_width_are_not_folded_in_passwords(passwords: Passwords) -> None:
    stored = await passwords.hash("\uff41bcdefgh")
    assert not await passwords.verify("abcdefgh", stored)


@pytest.mark.parametrize("refused", ["", "x" * 1025, "\u00e9" * 513, "lone \ud800 surrogate"])
async def test_a_password_that_nobody_can_have_is_refused(passwords: Passwords, refused: str) -> None:
    with pytest.raises(InvalidPassword) as raised:
        await passwords.verify(refused, None)
    assert raised.value.status == 400


def test_a_long_password_is_refused_before_its_accents_are_sorted() -> None:
    """Sorting 32,000 combining marks takes a second, in which this thread would serve nobody else."""
    marks = "a" + "\u0301\u0316" * 16_000
    started = time.process_time()
    with pytest.raises(InvalidPassword):
        password_bytes(marks)
    assert time.process_time() - started < 0.05


async def test_1024_bytes_are_allowed(passwords: Passwords) -> None:
    stored = await passwords.hash("x" * 1024)
    assert await passwords.verify("x" * 1024, stored)


async def test_a_hash_under_other_parameters_is_right_and_due_for_renewal(passwords: Passwords) -> None:
    stored = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash("a long walk in may")
    assert await passwords.verify("a long walk in may", stored)
    assert passwords.needs_rehash(stored)
    assert await passwords.verify("wrong", stored) is False


async def test_what_does_not_fit_the_queue_is_refused_at_once() -> None:
    passwords = Passwords(threads=1, queue_limit=3)
    answers = await asyncio.gather(*(passwords.verify("guess", None) for _ in range(10)), return_exceptions=True)
    passwords.close()
    refused = [answer for answer in answers if isinstance(answer, TemporarilyUnavailable)]
    assert len(refused) == 6
    assert refused[0].headers["Retry-After"]
    assert passwords.pending == 0


async def test_the_queue_empties_when_callers_give_up(passwords: Passwords) -> None:
    tasks = [asyncio.create_task(passwords.verify("guess", None)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert passwords.pending == 0
    assert await passwords.verify("guess", None) is False


async def test_no_more_threads_hash_than_were_asked_for() -> None:
    passwords = Passwords(threads=2, queue_limit=50, params=CHEAP)
    await asyncio.gather(*(passwords.verify("guess", None) for _ in range(40)))
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("argon2")]
    passwords.close()
    assert len(names) <= 2


async def test_hashing_threads_give_way_to_everything_else(passwords: Passwords) -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await passwords._in_pool(priority) == 10
    assert priority() < 10
