"""The log itself is tampered with, or has moved on: older and forked checkpoints, bad snapshots, below the floor."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from authserver.model.time import HOUR
from tests.faults.frames import OldCheckpoints
from tests.feed_log import read_tail
from tests.feed_proxy import Answer, Fault, Forward, Request, Where
from tests.following import (
    ACCEPTED,
    Line,
    Scenario,
    Watch,
    counted,
    known_refused,
    line,
    named,
    soon,
    together,
    under,
    verdict,
)

ENTRIES = 1300
"""More than snapshots wait for, and some tiles."""


@dataclass
class Absent:
    """A verifier that was cut off before everything below the floor was deleted."""

    verifier: Any
    mend: Callable[[], None]
    revoked: str
    good: str


ABSENT: dict[Path, Absent] = {}


def _database(served: Line) -> Path:
    return Path(str(served.settings["database_url"]).partition("///")[2])


def _sql(served: Line, *statements: str, many: list[Any] | None = None) -> None:
    with closing(sqlite3.connect(_database(served), timeout=30)) as connection, connection:
        for statement in statements:
            connection.executemany(statement, many) if many else connection.execute(statement)


def _grow(served: Line, absent: Line) -> Absent:
    """Make a log of some length whose beginning is gone, while one verifier does not look."""
    revoked, good = absent.token(), absent.token()
    served.revoke(token=served.token(), wait=10)
    verifier = absent.verifier(on_stale="deny")
    stack = ExitStack()
    stack.enter_context(absent.proxy.cut())
    now = int(time.time() * 1000)
    entries = [(str(uuid4()), now + HOUR, now) for _ in range(ENTRIES)]
    _sql(
        served,
        "INSERT INTO revocation_outbox (kind, value, version, expires_at, created_at) VALUES ('jti', ?, 0, ?, ?)",
        many=entries,
    )
    served.revoke(token=revoked, wait=30)
    url = served.servers[0].url
    soon(lambda: read_tail(url)[0].get("snap", {"seq": 0})["seq"] >= ENTRIES, "a snapshot")
    _sql(served, f"DELETE FROM rev_snapshots WHERE seq < {ENTRIES}", f"UPDATE rev_log SET at = at - {2 * HOUR}")
    soon(lambda: read_tail(url)[0]["floor"] > 1, "the floor")
    served.servers[0].stop()  # it has more in memory
    served.servers[0].start()
    return Absent(verifier, stack.close, revoked, good)


def behind_the_floor(served: Line) -> None:
    """What it lacks cannot be had record by record any more: the snapshot has it."""
    absent = ABSENT[served.directory]
    with Watch({"absent": absent.verifier}, {"revoked": absent.revoked, "good": absent.good}) as watch:
        soon(lambda: watch.last("absent", "revoked") == "503 stale")
        absent.mend()
        soon(lambda: known_refused(watch.last("absent", "revoked")))
        soon(lambda: watch.last("absent", "good") == ACCEPTED)
    watch.assert_never_401("good")
    assert counted(absent.verifier, "feed_snapshots_total") == 1


def older_checkpoint(served: Line) -> None:
    """A genuine one, from before: somebody repeats what the issuer once said."""
    old = served.proxy.forward(Request("GET", "/revocations/tail", {}, b""))
    served.revoke(token=served.token(), wait=10)
    followers = served.verifiers("poll", "cached")
    replay: Fault = lambda request, forward: old  # noqa: E731 - a name for one expression
    with ExitStack() as faults:
        faults.enter_context(served.proxy.framing(OldCheckpoints(old.body.partition(b"\n")[0])))
        faults.enter_context(served.proxy.answering(replay, lambda request: "/tail" in request.path))
        with under(served, faults, followers) as seen:
            assert seen.watch.last("introspect", "bad") == "401 inactive"
            for name in ("deny", "poll", "cached"):
                assert seen.watch.last(name, "good") == "503 stale", name
    for name, each in followers.items():
        assert counted(each, "feed_older_checkpoints_total") > 0, name
    seen.watch.assert_goes_on(["introspect"], "good")


def forked_log(served: Line) -> None:
    """Two servers sign two histories of one log. Who knows one does not believe the other, however long it is."""
    copy = served.directory / "fork.db"
    with closing(sqlite3.connect(_database(served))) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    fork = served.add_server(behind_proxy=False, database_url=f"sqlite+aiosqlite:///{copy}")
    on = served.servers.index(fork)
    followers = served.verifiers("poll", "cached")
    served.revoke(token=served.token(), wait=10)
    for _ in range(3):
        served.revoke(on, token=served.token(on), wait=10)
    with under(served, served.proxy.feed_from(fork.port), followers) as seen:
        assert seen.watch.last("introspect", "bad") == "401 inactive"
        for name in ("deny", "poll", "cached"):
            assert seen.watch.last(name, "good") == "503 stale", name
    for name, each in followers.items():
        assert counted(each, "feed_forks_total") > 0, name
    seen.watch.assert_goes_on(["introspect"], "good")


def _bad_snapshot(served: Line, harm: Callable[[bytes], bytes]) -> None:
    """Who begins is not ready, whatever it is told about the log's end; and then is, by itself."""
    bad, good = served.token(), served.token()
    served.revoke(token=bad, wait=10)
    is_snapshot: Where = lambda request: "/snapshots/" in request.path  # noqa: E731 - a name for one expression

    def fault(request: Request, forward: Forward) -> Answer:
        answer = forward()
        return answer.saying(harm(answer.body))

    with served.proxy.answering(fault, is_snapshot):
        followers = {policy: served.verifier(on_stale=policy, ready=False) for policy in ("introspect", "deny")}
        with Watch(followers, {"bad": bad, "good": good}) as watch:
            for each in followers.values():
                soon(
                    lambda each=each: (
                        counted(each, "feed_refused_snapshots_total") + counted(each, "feed_malformed_total") > 0
                    )
                )  # type: ignore[misc]  # a lambda bound to the loop's variable
                assert not each.ready
            soon(lambda: watch.last("introspect", "good") == ACCEPTED)
            assert watch.last("introspect", "bad") == "401 inactive"
            assert set(watch.said("deny", "good") + watch.said("deny", "bad")) == {"503 not_ready"}
    for each in followers.values():
        soon(lambda each=each: known_refused(verdict(each, bad)))  # type: ignore[misc]  # a lambda bound to the loop's variable
        assert verdict(each, good) == ACCEPTED


def snapshot_corrupt(served: Line) -> None:
    """One entry is another one."""
    _bad_snapshot(served, lambda body: body.replace(b'"x":1', b'"x":2', 1))


def snapshot_truncated(served: Line) -> None:
    _bad_snapshot(served, lambda body: body[: body.rindex(b"\n", 0, len(body) // 2) + 1])


def snapshot_oversized(served: Line) -> None:
    """Reading ends where nothing good can come any more, not where the body does."""
    _bad_snapshot(served, lambda body: body + b" " * (16 << 20))


SCENARIOS = [
    behind_the_floor,
    older_checkpoint,
    forked_log,
    snapshot_corrupt,
    snapshot_truncated,
    snapshot_oversized,
]


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Scenario, Future[None]]]:
    directory = tmp_path_factory.mktemp("log")
    database = directory / "authserver.db"
    database.write_bytes(sqlite_template.read_bytes())
    with (
        line(directory, f"sqlite+aiosqlite:///{database}", purge_interval="1s") as served,
        closing(served.beside()) as absent,
    ):
        ABSENT[directory] = _grow(served, absent)
        with together(served, request) as running:
            yield running


@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
def test_log(scenario: Scenario, outcomes: Mapping[Scenario, Future[None]]) -> None:
    outcomes[scenario].result(100)
