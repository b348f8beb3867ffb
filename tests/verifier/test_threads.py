"""One verifier for all threads, also in a process that was forked off."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from authserver.verifier import Verifier
from tests.verifier.network import (
    AUDIENCE,
    INTROSPECTION,
    ISSUER,
    JWKS,
    a_service,
    a_token,
    an_answer,
    introspected,
    jwk,
)


@pytest.fixture
def eager_switching() -> Any:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_threads_share_what_was_seen_and_count_everything(eager_switching: None) -> None:
    service = a_service(cached_tokens=4)
    tokens = [a_token(jti=str(number)) for number in range(8)]

    def work(seed: int) -> set[str]:
        return {service.verifier.verify(tokens[(seed + turn) % 8]).token_id for turn in range(100)}

    with ThreadPoolExecutor(8) as threads:
        assert all(found == set(map(str, range(8))) for found in threads.map(work, range(8)))
    assert service.verifier.metrics()["verifications_total"] == 800
    assert service.verifier.metrics()["remembered_tokens"] <= 4  # type: ignore[operator]  # a number
    assert service.feed.starts == 1


def test_what_is_remembered_is_bounded_and_what_is_used_stays() -> None:
    service = a_service(cached_tokens=10)
    often = a_token(jti="often")
    for number in range(30):
        service.verifier.verify(a_token(jti=str(number)))
        service.verifier.verify(often)
    told = service.verifier.metrics()
    assert told["signatures_total"] == 31
    assert told["remembered_tokens"] <= 10  # type: ignore[operator]  # a number


def test_nothing_is_remembered_if_told_so_and_no_token_is_ever_kept() -> None:
    service = a_service(cached_tokens=0)
    for _ in range(3):
        service.verifier.verify(a_token())
    assert service.verifier.metrics()["signatures_total"] == 3
    with pytest.raises(ValueError):
        a_service(cached_tokens=-1)


def test_a_refused_token_is_not_remembered_as_good() -> None:
    service = a_service()
    head, payload, signature = a_token().split(".")
    forged = f"{head}.{payload}.{'A' * 6}{signature[6:]}"
    assert [service.refusal(forged) for _ in range(3)] == ["bad_signature"] * 3
    assert service.verifier.metrics()["signatures_total"] == 3


def in_a_child(work: Any) -> int:
    """The exit status of a forked process that does `work`: 0 if it is true."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_verifier_made_before_a_fork_works_in_the_child() -> None:
    service = a_service()
    assert service.refusal(a_token()) == "accepted"

    def child() -> bool:
        good = service.refusal(a_token()) == service.refusal(a_token(jti="new")) == "accepted"
        return good and service.feed.starts == 2  # the follower is told to start again

    assert in_a_child(child) == 0
    assert service.feed.starts == 1


def test_locks_that_were_held_at_the_fork_do_not_hold_up_the_child() -> None:
    service = a_service()
    assert service.refusal(a_token()) == "accepted"
    stuck, parts = threading.Event(), service.verifier._parts
    service.network.answers[INTROSPECTION] = lambda body: (stuck.wait(5), introspected(body))[1]
    service.network.answers[JWKS] = lambda body: (stuck.wait(5), an_answer({"keys": [jwk()]}))[1]
    service.time.pass_(6)
    waiting = [
        threading.Thread(target=service.refusal, args=(token,)) for token in (a_token(), a_token({"kid": "unknown"}))
    ]
    for thread in waiting:
        thread.start()
    locks = [service.verifier._lock, parts.counters.lock, parts.discovery._lock, parts.keys._lock]
    locks += [parts.introspector._lock, parts.introspector.breaker._lock] if parts.introspector else []

    def child() -> bool:
        service.network.answers[INTROSPECTION] = introspected
        return service.refusal(a_token()) == "accepted" and service.refusal("x") == "malformed_token"

    for lock in locks:
        lock.acquire()
    try:
        status = in_a_child(child)
    finally:
        for lock in locks:
            lock.release()
        stuck.set()
    for thread in waiting:
        thread.join(5)
    assert status == 0


def test_a_verifier_that_is_not_needed_any_more_can_be_collected() -> None:
    service = a_service()
    token, known = a_token(), weakref.ref(service.verifier)
    assert service.refusal(token) == "accepted"
    del service
    gc.collect()
    assert known() is None


@pytest.mark.parametrize(
    "options",
    [
        {"audience": ""},
        {"audience": []},
        {"audience": [""]},
        {"audience": AUDIENCE, "client_id": "api"},
        {"audience": AUDIENCE, "client_secret": "s"},
        {"audience": AUDIENCE, "client_id": "api", "client_secret": ""},
        {"audience": AUDIENCE, "report": True},
        {"audience": AUDIENCE, "feed": "telepathy"},
    ],
)
def test_arguments_that_cannot_work_are_refused_at_once(options: Any) -> None:
    with pytest.raises(ValueError):
        Verifier(ISSUER, **options)
