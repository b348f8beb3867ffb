"""The follower as a thread, over real connections: it starts, ends, and goes on in a child."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from authserver.verifier.follower import FeedFollower
from authserver.verifier.httptransport import HttpTransport
from authserver.verifier.notes import NAMES
from authserver.verifier.testing_log import TILE
from tests.verifier.feed_world import ISSUER, World, event, keys, until
from tests.verifier.raw_server import Caller, RawServer


@dataclass
class Issuer:
    """The world's log over HTTP, by the real clock."""

    world: World = field(default_factory=World)
    grown: threading.Condition = field(default_factory=threading.Condition)
    url: str = ""
    instead: dict[str, Callable[[Caller], None]] = field(default_factory=dict)
    reports: list[bytes] = field(default_factory=list)

    def checkpoint(self) -> bytes:
        return event("cp", self.world.log.checkpoint(int(time.time() * 1000), self.world.sign).encode())

    def revoke(self, sid: str) -> None:
        with self.grown:
            self.world.revoke(sid, expires=int(time.time()) + 3600)
            self.grown.notify_all()

    def serve(self, caller: Caller) -> None:
        while request := caller.request():
            path = request.split(b" ")[1].decode()
            for prefix, behave in self.instead.items():
                if path.startswith(prefix):
                    return behave(caller)
            if path == "/stream":
                return self.stream(caller)
            if path == "/applied":
                self.reports.append(request)
                caller.answer(status="204 No Content")
                continue
            self.world.issuer_time = int(time.time() * 1000)
            response = self.world.usual_answer(path)
            caller.answer(response.body, status=f"{response.status} -")
        return None

    def stream(self, caller: Caller) -> None:
        caller.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        sent = self.world.log.seq
        while not caller.leaving.is_set():
            with self.grown:
                records = self.world.log.after(sent)
                sent = self.world.log.seq
                events = b"".join(event("rev", record.line) for record in records) + self.checkpoint()
            caller.say(events)
            with self.grown:
                self.grown.wait_for(lambda: self.world.log.seq > sent, 0.1)  # noqa: B023 -- called here only


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    with RawServer(issuer.serve) as server:
        issuer.url = server.url
        yield issuer


@pytest.fixture
def follow(issuer: Issuer) -> Iterator[Callable[..., FeedFollower]]:
    made = []

    def start(**options: Any) -> FeedFollower:
        follower = FeedFollower(
            ISSUER,
            feed_url=lambda: issuer.url,
            key_for=lambda kid: issuer.world.known_keys[kid].private.public_key(),
            transport=HttpTransport(),
            **options,
        )
        follower.start()
        made.append(follower)
        return follower

    yield start
    for follower in made:
        follower.close()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("authserver-")]


@pytest.mark.parametrize("mode", ["stream", "poll", "cached"])
def test_a_revocation_is_seen_over_real_connections(
    issuer: Issuer, follow: Callable[..., FeedFollower], mode: str
) -> None:
    follower = follow(mode=mode)
    assert follower.wait_ready(2)
    assert follower.revocations.refusal(keys()) is None
    issuer.revoke("sid-1")
    assert until(lambda: follower.revocations.refusal(keys()) == "sid")
    assert follower.age() < 2
    assert follower.checkpoint is not None
    assert (follower.seq, follower.log) == (1, issuer.world.log.log)
    now = follower.issuer_now()
    assert now is not None
    assert abs(now - time.time()) < 2


def test_starting_again_starts_nothing(follow: Callable[..., FeedFollower]) -> None:
    follower = follow(report=True)
    for _ in range(3):
        follower.start()
    assert sorted(threads()) == ["authserver-feed", "authserver-report"]


def test_without_a_name_for_it_nothing_is_reported(follow: Callable[..., FeedFollower]) -> None:
    follow()
    assert threads() == ["authserver-feed"]


def test_what_was_applied_reaches_the_issuer(issuer: Issuer, follow: Callable[..., FeedFollower]) -> None:
    follower = follow(report=True, authorization="Basic eA==", instance="api:1")
    assert until(lambda: len(issuer.reports) > 0)
    assert follower.checkpoint is not None
    assert b'"instance": "api:1"' in issuer.reports[0]


def quiet(caller: Caller) -> None:
    caller.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    caller.wait()


def speechless(caller: Caller) -> None:
    caller.wait()


def trickling(caller: Caller) -> None:
    caller.say(b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n")
    caller.trickle(b"x" * 1000)


@pytest.mark.parametrize(("path", "behave"), [("/stream", quiet), ("/stream", speechless), ("/", trickling)])
def test_closing_takes_less_than_a_second_whatever_is_waited_for(
    issuer: Issuer, follow: Callable[..., FeedFollower], path: str, behave: Callable[[Caller], None]
) -> None:
    """A stream that is silent, a head that does not come, a tile or a report that trickles in."""
    for i in range(TILE + 1):
        issuer.revoke(f"sid-{i}")
    issuer.instead[path if path == "/stream" else f"/{issuer.world.log.log}/tiles"] = behave
    follower = follow(report=True)
    time.sleep(0.1)
    started = time.monotonic()
    follower.close()
    assert time.monotonic() - started < 4
    assert until(lambda: threads() == [])


def test_what_was_closed_stays_closed_and_ages(issuer: Issuer, follow: Callable[..., FeedFollower]) -> None:
    issuer.revoke("sid-1")
    follower = follow()
    assert follower.wait_ready(2)
    follower.close()
    follower.start()
    age = follower.age()
    time.sleep(0.02)
    assert follower.age() > age
    assert follower.revocations.refusal(keys()) == "sid"
    assert threads() == []


def test_a_server_that_comes_back_is_found(issuer: Issuer, follow: Callable[..., FeedFollower]) -> None:
    """The stream is cut; soon there is another one, and what was missed meanwhile is here."""
    cut = threading.Event()

    def once(caller: Caller) -> None:
        caller.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + issuer.checkpoint())
        cut.wait(5)

    issuer.instead["/stream"] = once
    follower = follow()
    assert follower.wait_ready(2)
    issuer.revoke("sid-1")
    del issuer.instead["/stream"]
    cut.set()
    assert until(lambda: follower.revocations.refusal(keys()) == "sid")


def test_a_child_follows_by_itself_and_begins_with_what_its_parent_knew(
    issuer: Issuer, follow: Callable[..., FeedFollower]
) -> None:
    issuer.revoke("sid-1")
    follower = follow()
    assert follower.wait_ready(2)
    assert until(lambda: follower.seq == 1)
    if (child := os.fork()) == 0:
        knew = follower.revocations.refusal(keys()) == "sid"
        follower.start()
        learnt = until(lambda: follower.revocations.refusal(keys("sid-2")) == "sid")
        follower.close()
        os._exit(0 if knew and learnt else 1)
    issuer.revoke("sid-2")
    assert os.waitpid(child, 0)[1] == 0
    assert until(lambda: follower.revocations.refusal(keys("sid-2")) == "sid")
    issuer.revoke("sid-3")
    assert until(lambda: follower.revocations.refusal(keys("sid-3")) == "sid")  # the child took nothing with it


def test_every_counter_is_there_before_anything_happens() -> None:
    assert dict(World().follower().counters) == dict.fromkeys(NAMES, 0)
