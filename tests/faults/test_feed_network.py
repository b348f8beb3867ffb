"""What lies between verifier and server fails: cut, silent, late, replaying, answering nonsense."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from authserver.verifier.errors import Stale
from authserver.verifier.policy import accept_until
from tests.faults.frames import FrozenCache, events_after_their_checkpoint, every_frame_twice, nonsense, without_events
from tests.feed_proxy import Answer, Frames, everything
from tests.following import (
    ACCEPTED,
    BOUND,
    STALENESS,
    Line,
    Scenario,
    Watch,
    known_refused,
    line,
    named,
    soon,
    together,
    under,
    verdict,
)


def feed_cut(served: Line) -> None:
    with under(served, served.proxy.cut(), served.verifiers("poll", "cached")) as seen:
        assert seen.watch.last("introspect", "bad") == "401 inactive"
        for name in ("deny", "poll", "cached"):
            assert seen.watch.last(name, "bad") == seen.watch.last(name, "good") == "503 stale"
    seen.watch.assert_goes_on(["introspect"], "good")


def feed_silent(served: Line) -> None:
    """As behind a firewall that drops packets: no connection ends, nothing arrives."""
    with under(served, served.proxy.freeze(), served.verifiers("poll", "cached")) as seen:
        assert seen.watch.last("introspect", "bad") == "401 inactive"
        for name in ("deny", "poll", "cached"):
            assert seen.watch.last(name, "bad") == seen.watch.last(name, "good") == "503 stale"
    seen.watch.assert_goes_on(["introspect"], "good")


def issuer_cut(served: Line) -> None:
    """Introspection as well: what nobody can decide is 503 under each policy."""
    with under(served, served.proxy.cut(everything)) as seen:
        for name in seen.verifiers:
            for token in ("bad", "good"):
                soon(lambda of=(name, token): seen.watch.last(*of).startswith("503"), name)  # type: ignore[misc]  # a lambda bound to the loop's variable


def issuer_silent(served: Line) -> None:
    with under(served, served.proxy.freeze(everything)) as seen:
        for name in seen.verifiers:
            for token in ("bad", "good"):
                soon(lambda of=(name, token): seen.watch.last(*of).startswith("503"), name)  # type: ignore[misc]  # a lambda bound to the loop's variable


def feed_cut_under_accept_until(served: Line) -> None:
    """It goes on for so long and no longer: whoever chooses this policy has chosen the bound."""
    with under(served, served.proxy.cut(), {"deny": served.verifier(on_stale="deny")}) as seen:
        verifier = seen.verifiers["deny"]
        for token in (seen.good, seen.bad):
            verifier.verify(token, on_stale=accept_until(60))
            with pytest.raises(Stale):
                verifier.verify(token, on_stale=accept_until(BOUND - 1))


def frozen_cache(served: Line) -> None:
    """HTTP 200 all the time, with the same tail."""
    followers = {mode: served.verifier(on_stale="deny", feed=mode) for mode in ("cached", "poll", "stream")}
    with under(served, served.proxy.answering(FrozenCache(served)), followers) as seen:
        for name in followers:
            assert seen.watch.last(name, "bad") == seen.watch.last(name, "good") == "503 stale", name


def late_feed(served: Line) -> None:
    """Everything arrives, later than the copy may be old: it moves all the time, and is too old all the time."""
    with under(served, served.proxy.late(2.5), served.verifiers("poll", "cached")) as seen:
        assert seen.watch.last("introspect", "bad").startswith("401")
        for name in ("deny", "poll"):  # behind a cache two seconds are allowed for
            assert set(seen.watch.said(name, "good", since=seen.acknowledged + STALENESS)) == {"503 stale"}, name
    seen.watch.assert_goes_on(["introspect"], "good")


def _tampered(served: Line, frames: Frames) -> None:
    """The chain shows it, and what is missing is fetched: nobody has to wait for it."""
    with under(served, served.proxy.framing(frames)) as seen:
        for name in seen.verifiers:
            assert known_refused(seen.watch.last(name, "bad")), name
    seen.watch.assert_goes_on(seen.verifiers, "good")


def events_dropped(served: Line) -> None:
    _tampered(served, without_events)


def events_doubled(served: Line) -> None:
    _tampered(served, every_frame_twice)


def events_reordered(served: Line) -> None:
    _tampered(served, events_after_their_checkpoint)


def events_of_nonsense(served: Line) -> None:
    """A stream that says what nobody understands is no news."""
    with under(served, served.proxy.framing(nonsense)) as seen:
        assert "503 stale" in seen.watch.said("deny", "good")
    seen.watch.assert_goes_on(["introspect"], "good")


def server_errors(served: Line) -> None:
    error = Answer(500, (), b"oops")
    with under(served, served.proxy.answering(lambda request, forward: error)) as seen:
        assert seen.watch.last("introspect", "bad") == "401 inactive"
        assert seen.watch.last("deny", "good") == "503 stale"
    seen.watch.assert_goes_on(["introspect"], "good")


def server_down_at_cold_start(served: Line) -> None:
    """Not ready and 503, then ready by itself and with all that was revoked before."""
    bad, good = served.token(), served.token()
    served.revoke(token=bad)
    with served.proxy.cut(everything):
        followers = {p: served.verifier(on_stale=p, ready=False) for p in ("introspect", "deny")}
        with Watch(followers, {"good": good, "bad": bad}) as watch:
            for name, each in followers.items():
                assert not each.wait_ready(0.5)
                soon(lambda name=name: len(watch.said(name, "good")) > 2)  # type: ignore[misc]  # a lambda bound to the loop's variable
            for name in followers:
                assert all(said.startswith("503") for token in ("good", "bad") for said in watch.said(name, token))
    for each in followers.values():
        soon(lambda each=each: known_refused(verdict(each, bad)))  # type: ignore[misc]  # a lambda bound to the loop's variable
        soon(lambda each=each: verdict(each, good) == ACCEPTED)  # type: ignore[misc]  # a lambda bound to the loop's variable


class Wall:
    """A verifier's clock, which somebody sets."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    @contextmanager
    def wrong(self, seconds: float) -> Iterator[None]:
        self.ahead = seconds
        yield
        self.ahead = 0.0


def _wrong_clock(served: Line, seconds: float) -> None:
    """Checkpoints are from the past or the future then, and not believed: nothing is accepted that should not be."""
    wall = Wall()
    modes: list[Any] = ["stream", "poll", "cached"]
    followers = {mode: served.verifier(on_stale="deny", feed=mode, clock=wall) for mode in modes}
    followers["introspect"] = served.verifier(clock=wall)
    with under(served, wall.wrong(seconds), followers) as seen:
        assert seen.watch.last("introspect", "bad").startswith("401")
        for mode in modes:
            assert seen.watch.last(mode, "good") == "503 stale"


def verifier_clock_a_day_ahead(served: Line) -> None:
    _wrong_clock(served, 86_400)


def verifier_clock_a_day_behind(served: Line) -> None:
    _wrong_clock(served, -86_400)


SCENARIOS = [
    feed_cut,
    feed_silent,
    issuer_cut,
    issuer_silent,
    feed_cut_under_accept_until,
    frozen_cache,
    late_feed,
    events_dropped,
    events_doubled,
    events_reordered,
    events_of_nonsense,
    server_errors,
    server_down_at_cold_start,
    verifier_clock_a_day_ahead,
    verifier_clock_a_day_behind,
]


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Scenario, Future[None]]]:
    directory = tmp_path_factory.mktemp("network")
    database = directory / "authserver.db"
    database.write_bytes(sqlite_template.read_bytes())
    with line(directory, f"sqlite+aiosqlite:///{database}") as served, together(served, request) as running:
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
def test_network(scenario: Scenario, outcomes: Mapping[Scenario, Future[None]]) -> None:
    outcomes[scenario].result(100)
