"""What was applied is told soon after a change, now and then without one, and never at the cost of anything else."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from authserver.verifier import report
from authserver.verifier.feedclient import FeedClient
from authserver.verifier.notes import Notes
from authserver.verifier.report import Applied, Reporter
from authserver.verifier.testing_log import WritableLog
from authserver.verifier.transport import Response, TransportError
from tests.verifier.feed_world import FEED, ISSUER, LATER, FakeTransport, World, until


@pytest.fixture
def world() -> World:
    return World()


class Knowledge:
    def __init__(self) -> None:
        self.applied: Applied | None = Applied("eyJ", 12)


def reporter(world: World, knowledge: Knowledge, instance: str | None = "api:1") -> tuple[Reporter, Notes]:
    notes = Notes(world.monotonic)
    client = FeedClient(lambda: FEED, FakeTransport(world), "Basic eA==", ISSUER, False)
    return Reporter(client, lambda: knowledge.applied, notes, instance), notes


def test_a_report_says_who_knows_what(world: World) -> None:
    made, notes = reporter(world, Knowledge())
    made.send()
    assert json.loads(world.posted[0]) == {"instance": "api:1", "checkpoint": "eyJ", "entries": 12}
    assert world.requests == ["/applied"]
    assert world.headers[0]["Authorization"] == "Basic eA=="
    assert world.headers[0]["Content-Type"] == "application/json"
    assert +notes.counters == Counter(reports=1)


def test_an_instance_without_a_name_is_host_and_process(world: World) -> None:
    made, _ = reporter(world, Knowledge(), instance=None)
    made.send()
    assert json.loads(world.posted[0])["instance"].rpartition(":")[2].isdecimal()


def test_who_knows_nothing_reports_nothing(world: World) -> None:
    knowledge = Knowledge()
    knowledge.applied = None
    made, _ = reporter(world, knowledge)
    made.send()
    assert world.posted == []


@pytest.mark.parametrize("answer", [TransportError("cut"), Response(401, {}, b""), Response(503, {}, b"")])
def test_failures_are_counted_and_logged_once(
    world: World, answer: Response | TransportError, caplog: pytest.LogCaptureFixture
) -> None:
    world.answers["/applied"] = answer
    made, notes = reporter(world, Knowledge())
    made.send()
    made.send()
    assert +notes.counters == Counter(report_failures=2)
    (said,) = caplog.messages
    assert said.startswith("what was applied cannot be reported to the issuer: ")
    assert isinstance(answer, TransportError) or f"status {answer.status}" in said


def test_many_changes_are_one_report_soon(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "WITHIN_SECONDS", 0.1)
    knowledge = Knowledge()
    made, notes = reporter(world, knowledge)
    made.start()
    for entries in range(50):
        knowledge.applied = Applied("eyJ", entries)
        made.changed()
    assert not until(lambda: notes.counters["reports"] > 2, 0.3)
    made.close(1)
    assert json.loads(world.posted[-1])["entries"] == 49


def test_an_issuer_that_takes_no_reports_is_not_asked_with_each_change(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "WITHIN_SECONDS", 0.0)
    world.answers["/applied"] = Response(403, {}, b"")
    made, notes = reporter(world, Knowledge())
    made.start()
    made.changed()
    assert until(lambda: notes.counters["report_failures"] == 1)
    made.changed()
    assert not until(lambda: len(world.posted) > 1, 0.1)
    made.close(1)


def test_without_a_change_it_is_told_again_after_a_while(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "WITHIN_SECONDS", 0.0)
    monkeypatch.setattr(report, "EVERY_SECONDS", 0.02)
    made, notes = reporter(world, Knowledge())
    made.start()
    assert until(lambda: notes.counters["reports"] >= 3)
    made.close(1)


def test_a_follower_tells_of_records_but_not_of_each_second(world: World) -> None:
    follower = world.follower(report=True, authorization="Basic eA==", instance="api:1")
    told: list[int] = []
    assert follower._reporter is not None
    follower._reporter.changed = lambda: told.append(follower.seq)  # type: ignore[method-assign]  # to listen
    world.connect(follower, world.cp(), world.cp())
    world.connect(follower, world.revoke("sid-1"), world.cp(), world.cp())
    assert told == [0, 1]
    follower._reporter.send()
    assert json.loads(world.posted[0]) == {"instance": "api:1", "checkpoint": follower.checkpoint, "entries": 1}


def test_a_follower_that_is_contradicted_tells_what_it_knows_once(world: World) -> None:
    """It may be the only proof that the issuer lost commits; a node that merely lags is not told of each second."""
    follower = world.follower(report=True, authorization="Basic eA==", instance="api:1")
    told: list[int] = []
    assert follower._reporter is not None
    follower._reporter.changed = lambda: told.append(follower.seq)  # type: ignore[method-assign]  # to listen
    behind, other = WritableLog(world.log.issuer, world.log.log), WritableLog(world.log.issuer, world.log.log)
    world.connect(follower, world.revoke("sid-1"), world.cp())
    other.append("sid", "sid-2", version=0, expires=LATER)
    world.connect(follower, world.cp(behind), world.cp(behind), world.cp(other))
    assert told == [1, 1]
    world.connect(follower, world.cp(), world.cp(other))
    assert told == [1, 1, 1]
