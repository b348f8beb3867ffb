"""Asking the issuer about one token: bounded, once for many, and never a guess."""

from __future__ import annotations

import asyncio
import threading
import time as real_time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import pytest

from authserver.verifier import IntrospectionLimits, Undecided
from authserver.verifier.errors import Inactive
from authserver.verifier.transport import TransportError
from tests.verifier.feed_world import until
from tests.verifier.network import (
    INTROSPECTION,
    ISSUER,
    JWKS,
    METADATA,
    Service,
    a_service,
    a_token,
    an_answer,
    introspected,
)


def a_stale_service(**options: Any) -> Service:
    service = a_service(**options)
    service.time.pass_(6)
    return service


def limits(**options: Any) -> IntrospectionLimits:
    return IntrospectionLimits(**options)


class Gate:
    """An issuer that answers when it is let."""

    def __init__(self, service: Service) -> None:
        self.service, self.opened, self.waiting, self.most = service, threading.Event(), 0, 0
        self._lock = threading.Lock()
        service.network.answers[INTROSPECTION] = self

    def __call__(self, body: bytes) -> Any:
        with self._lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        self.opened.wait(5)
        with self._lock:
            self.waiting -= 1
        return introspected(body)

    def wait_for(self, number: int) -> None:
        deadline = real_time.monotonic() + 5
        while self.waiting < number and real_time.monotonic() < deadline:
            real_time.sleep(0.002)
        assert self.waiting == number


# -- the question and the answer ---------------------------------------------------------------


def test_the_question_is_asked_with_the_clients_credentials_and_nothing_in_the_address() -> None:
    service = a_stale_service(client_id="a:b", client_secret="ü%")
    bodies: list[bytes] = []
    service.network.answers[INTROSPECTION] = lambda body: (bodies.append(body), introspected(body))[1]  # type: ignore[func-returns-value]  # to see it
    token = a_token()
    service.verifier.verify(token)
    assert parse_qs(bodies[0].decode()) == {"token": [token], "token_type_hint": ["access_token"]}
    assert service.network.headers[-1]["Authorization"] == "Basic YSUzQWI6JUMzJUJDJTI1"
    assert service.network.requests[-1] == INTROSPECTION
    assert "ü%" not in repr(service.verifier)


def test_tokens_and_credentials_go_to_the_issuer_alone() -> None:
    service = a_stale_service()
    elsewhere = "https://introspection.evil.test/"
    document = {"issuer": ISSUER, "jwks_uri": JWKS, "introspection_endpoint": elsewhere}
    service.network.answers |= {METADATA: an_answer(document), elsewhere: introspected}
    assert service.refusal(a_token()) == "stale"
    assert elsewhere not in service.network.requests


def test_only_inactive_is_a_refusal_of_the_token() -> None:
    service = a_stale_service()
    service.network.answers[INTROSPECTION] = an_answer({"active": False})
    with pytest.raises(Inactive) as refused:
        service.verifier.verify(a_token())
    assert (refused.value.status, refused.value.error) == (401, "invalid_token")


@pytest.mark.parametrize(
    "answer",
    [
        TransportError("cut off"),
        *(an_answer({"active": True}, status=status) for status in (201, 400, 401, 403, 404, 429, 500, 503)),
        an_answer({"active": False}, status=401),
        an_answer({"active": False}, **{"content-type": "text/html"}),
        an_answer({"active": False}, **{"content-encoding": "gzip"}),
        an_answer(b""),
        an_answer(b'{"active":false,"active":true}'),
        an_answer([]),
        an_answer({}),
        an_answer({"active": "true"}),
        an_answer({"active": 1}),
        an_answer({"active": "false"}),
        an_answer({"active": None}),
        an_answer({"active": True}),
        *(partial(introspected, **{name: "other"}) for name in ("sub", "client_id", "exp", "jti")),
        partial(introspected, exp=None),
        partial(introspected, active=1),
        partial(introspected, active="true"),
        partial(introspected, pad="x" * 70_000),
    ],
)
def test_anything_else_is_undecided(answer: Any) -> None:
    service = a_stale_service()
    service.network.answers[INTROSPECTION] = answer
    with pytest.raises(Undecided) as refused:
        service.verifier.verify(a_token())
    assert (refused.value.status, refused.value.code) == (503, "stale")
    assert service.verifier.metrics()["introspections_total"] == {"failed": 1}


def test_an_answer_counts_once() -> None:
    service = a_stale_service()
    token = a_token()
    assert service.refusal(token) == "accepted"
    service.network.answers[INTROSPECTION] = an_answer({"active": False})
    assert service.refusal(token) == "inactive"
    service.network.answers[INTROSPECTION] = introspected
    assert service.refusal(token) == "accepted"


def test_a_revocation_that_the_feed_brings_meanwhile_counts() -> None:
    service = a_stale_service()

    def answer(body: bytes) -> Any:
        service.feed.revocations.denies = lambda keys: "sub"
        return introspected(body)

    service.network.answers[INTROSPECTION] = answer
    assert service.refusal(a_token()) == "revoked_sub"


# -- bounds ------------------------------------------------------------------------------------


def test_many_requests_with_one_token_ask_once() -> None:
    service = a_stale_service()
    assert service.refusal(a_token()) == "accepted"
    gate = Gate(service)
    with ThreadPoolExecutor(16) as threads:
        codes = [threads.submit(service.refusal, a_token()) for _ in range(16)]
        gate.wait_for(1)
        real_time.sleep(0.05)
        gate.opened.set()
        assert [code.result() for code in codes] == ["accepted"] * 16
    assert (gate.most, service.network.count(INTROSPECTION)) == (1, 2)


def test_so_many_at_once_so_many_in_the_queue_and_no_more() -> None:
    service = a_stale_service(introspection=limits(concurrency=2, queue=3))
    gate = Gate(service)
    tokens = [a_token(jti=str(number)) for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        codes = [threads.submit(service.refusal, token) for token in tokens]
        gate.wait_for(2)
        real_time.sleep(0.1)
        gate.opened.set()
        results = [code.result() for code in codes]
    assert sorted(results) == ["accepted"] * 5 + ["overloaded"] * 3
    assert gate.most == 2


def test_nobody_waits_longer_than_the_deadline() -> None:
    service = a_stale_service(introspection=limits(deadline=0.1))
    gate = Gate(service)
    began = real_time.monotonic()
    assert service.refusal(a_token()) == "stale"
    assert real_time.monotonic() - began < 2
    gate.opened.set()


def test_who_has_waited_too_long_in_the_queue_is_not_asked_for_any_more() -> None:
    service = a_stale_service(introspection=limits(concurrency=1, deadline=0.2))
    gate = Gate(service)
    with ThreadPoolExecutor(2) as threads:
        codes = [threads.submit(service.refusal, a_token(jti=str(number))) for number in range(2)]
        assert [code.result() for code in codes] == ["stale"] * 2
        service.time.pass_(1)
        gate.opened.set()
    # Not closed before that: closing drops the queue, and then nobody says anything about the second.
    assert until(lambda: service.verifier.metrics()["introspections_total"] == {"active": 1, "overloaded": 1})
    assert service.network.count(INTROSPECTION) == 1
    service.verifier.close()


def test_after_failures_in_a_row_nobody_asks_then_one_does() -> None:
    service = a_stale_service(introspection=limits(failures=3, rest=5))
    service.network.fail(INTROSPECTION)
    assert [service.refusal(a_token()) for _ in range(10)] == ["stale"] * 10
    assert service.network.count(INTROSPECTION) == 3
    with pytest.raises(Undecided) as refused:
        service.verifier.verify(a_token())
    assert refused.value.retry_after == 5
    service.time.pass_(5)
    assert [service.refusal(a_token()) for _ in range(10)] == ["stale"] * 10
    assert service.network.count(INTROSPECTION) == 4  # the one that tried
    service.network.answers[INTROSPECTION] = introspected
    assert service.refusal(a_token()) == "stale"
    service.time.pass_(5)
    assert [service.refusal(a_token()) for _ in range(3)] == ["accepted"] * 3


def test_while_one_tries_whether_it_works_again_the_others_do_not() -> None:
    service = a_stale_service(introspection=limits(failures=1, rest=5))
    service.network.fail(INTROSPECTION)
    assert service.refusal(a_token()) == "stale"
    service.time.pass_(5)
    gate = Gate(service)
    with ThreadPoolExecutor(1) as thread:
        probe = thread.submit(service.refusal, a_token(jti="probe"))
        gate.wait_for(1)
        assert service.refusal(a_token(jti="other")) == "stale"
        gate.opened.set()
        assert probe.result() == "accepted"
    assert service.refusal(a_token(jti="other")) == "accepted"


def test_inactive_tokens_are_no_failures() -> None:
    service = a_stale_service(introspection=limits(failures=2))
    service.network.answers[INTROSPECTION] = an_answer({"active": False})
    assert [service.refusal(a_token()) for _ in range(6)] == ["inactive"] * 6


# -- event loops -------------------------------------------------------------------------------


async def test_an_event_loop_goes_on_while_the_issuer_thinks() -> None:
    service = a_stale_service()
    gate = Gate(service)
    asked = [asyncio.create_task(service.verifier.verify_async(a_token(), scope="read")) for _ in range(5)]
    ticks = 0
    while not gate.waiting:
        await asyncio.sleep(0.005)
        ticks += 1
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in asked)
    gate.opened.set()
    assert {token.client_id for token in await asyncio.gather(*asked)} == {"web-app"}
    assert (ticks > 0, service.network.count(INTROSPECTION)) == (True, 1)


async def test_a_caller_that_goes_away_does_not_end_what_others_wait_for() -> None:
    service = a_stale_service()
    gate = Gate(service)
    first, second = (asyncio.create_task(service.verifier.verify_async(a_token())) for _ in range(2))
    await asyncio.to_thread(gate.wait_for, 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    gate.opened.set()
    assert (await second).client_id == "web-app"
    assert first.cancelled()


async def test_an_event_loop_waits_no_longer_than_the_deadline() -> None:
    service = a_stale_service(introspection=limits(deadline=0.1))
    gate = Gate(service)
    with pytest.raises(Undecided):
        await service.verifier.verify_async(a_token())
    gate.opened.set()


async def test_an_event_loop_refuses_what_threads_refuse() -> None:
    service = a_service()
    assert (await service.verifier.verify_async(a_token())).subject
    service.feed.revocations.denies = lambda keys: "cli"
    with pytest.raises(Exception) as refused:
        await service.verifier.verify_async(a_token())
    assert refused.value.code == "revoked_cli"  # type: ignore[attr-defined]  # a Refusal
    assert service.verifier.metrics()["refusals_total"] == {"revoked_cli": 1}
