"""The server's clock is set: forward, back, both. Counters decide and not times, so no verdict may hang on it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from authserver.cli.dev import prepare
from authserver.model.time import HOUR, SECOND, Duration
from authserver.settings import Settings
from tests.conftest import run_apart
from tests.feed_log import read_tail
from tests.feed_proxy import FeedProxy
from tests.following import ACCEPTED, Line, known_refused, soon, under, verdict
from tests.loopback_site import LoopbackSite, loopback_site
from tests.site import claims_of, make_keys_dir


@contextmanager
def _served(template: Path, directory: Path, ttl: str) -> Iterator[tuple[LoopbackSite, Line]]:
    """`ttl`: how long its access tokens live."""
    database = f"sqlite+aiosqlite:///{shutil.copy(template, directory / 'authserver.db')}"
    keys = make_keys_dir(directory / "keys")
    with loopback_site(database, keys, access_token_ttl=ttl, purge_interval="1s") as site:
        settings = {"issuer": site.url, "database_url": database, "keys_dir": keys}
        demo = run_apart(prepare(Settings(**settings), directory / "demo.json"))
        line = Line(FeedProxy(), directory, settings, demo, [site])  # type: ignore[list-item]  # its url is what counts
        line.proxy.upstreams = [site.port]
        with closing(line):
            yield site, line


@contextmanager
def _step(site: LoopbackSite, duration: Duration) -> Iterator[None]:
    site.step_clock(duration)
    yield
    site.step_clock(-duration)


def _step_and_back(template: Path, directory: Path, duration: Duration) -> None:
    """Tokens live for a day, so that an hour does not end them."""
    with _served(template, directory, "1d") as (site, served):
        before = served.token()
        served.revoke(token=before)
        followers = {policy: served.verifier(on_stale=policy) for policy in ("introspect", "deny")}
        if duration < 0:
            # To a server whose clock is an hour behind, tokens of before are from the future: it calls them inactive.
            del followers["introspect"]
        with under(served, _step(site, duration), followers, log_in=True) as seen:
            assert all(verdict(each, before) != ACCEPTED for each in followers.values())
        for each in (*followers.values(), served.verifier(on_stale="deny")):
            for token in (before, seen.bad):
                soon(lambda each=each, token=token: known_refused(verdict(each, token)))  # type: ignore[misc]  # a lambda bound to the loop's variable


def _past_the_end_of_tokens_and_back(template: Path, directory: Path, duration: Duration) -> None:
    """What is over by a clock that is wrong must not be forgotten: by the right one it lives."""
    with _served(template, directory, "5m") as (site, served):
        bad, good = served.log_in()["access_token"], served.token()
        served.revoke(family_id=claims_of(bad)["sid"])
        _grow(site, directory / "authserver.db")
        follower = served.verifier(on_stale="deny")
        soon(lambda: known_refused(verdict(follower, bad)))
        with _step(site, duration):
            served.revoke(family_id=claims_of(served.log_in()["access_token"])["sid"], wait=10)
            _clean(site)
            assert ACCEPTED not in (verdict(follower, bad), verdict(served.verifier(ready=False), bad))
        assert not served.active(bad)
        for each in (follower, served.verifier(on_stale="deny")):
            soon(lambda each=each: verdict(each, good) == ACCEPTED)  # type: ignore[misc]  # a lambda bound to the loop's variable
            assert known_refused(verdict(each, bad))


def _grow(site: LoopbackSite, database: Path) -> None:
    """By some tiles, so that there is something to be deleted, and a snapshot to stand for it."""
    now = site.now()
    entries = [(str(uuid4()), now, now) for _ in range(600)]
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.executemany(INSERT, entries)
    soon(lambda: read_tail(site.url)[0]["seq"] > len(entries), "the records")
    _clean(site)


def _clean(site: LoopbackSite) -> None:
    """What the server does every few seconds."""
    services = site.site.services
    site.do(services.log.snapshots.run_once())
    site.do(services.purge.run_once())


INSERT = "INSERT INTO revocation_outbox (kind, value, version, expires_at, created_at) VALUES ('jti', ?, 0, ?, ?)"
STEPS = {
    "half a minute ahead": (_step_and_back, 30 * SECOND),
    "an hour ahead": (_step_and_back, HOUR),
    "an hour behind": (_step_and_back, -HOUR),
    "past the end of all tokens": (_past_the_end_of_tokens_and_back, HOUR),
}


@pytest.fixture(scope="module")
def outcomes(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Future[None]]]:
    """All at the same time, each with a server of its own: most of it is waiting."""
    with ThreadPoolExecutor(len(STEPS)) as pool:
        yield [pool.submit(work, sqlite_template, tmp_path_factory.mktemp("clock"), by) for work, by in STEPS.values()]


@pytest.mark.parametrize("number", range(4), ids=STEPS)
def test_a_step_of_the_servers_clock_and_back(number: int, outcomes: list[Future[None]]) -> None:
    """What was revoked before and while it was wrong stays so, also for who begins then."""
    outcomes[number].result(100)
