"""The server's clock is set: forward, back, both. Counters decide and not times, so no verdict may hang on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from authserver.cli.dev import prepare
from authserver.model.time import HOUR, SECOND, Duration
from authserver.settings import Settings
from tests.conftest import run_apart
from tests.feed_proxy import FeedProxy
from tests.following import Line, known_refused, soon, under, verdict
from tests.loopback_site import LoopbackSite, loopback_site
from tests.site import make_keys_dir


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Iterator[LoopbackSite]:
    """Its tokens live for a day, so that an hour does not end them."""
    keys = make_keys_dir(tmp_path / "keys")
    with loopback_site(sqlite_url, keys, access_token_ttl="1d", purge_interval="1s") as made:
        yield made


@pytest.fixture
def served(site: LoopbackSite, sqlite_url: str, tmp_path: Path) -> Iterator[Line]:
    settings = {"issuer": site.url, "database_url": sqlite_url, "keys_dir": tmp_path / "keys"}
    demo = run_apart(prepare(Settings(**settings), tmp_path / "demo.json"))
    made = Line(FeedProxy(), tmp_path, settings, demo, [site])  # type: ignore[list-item]  # its url is all that is needed
    made.proxy.upstreams = [site.port]
    yield made
    made.close()


@contextmanager
def _step(site: LoopbackSite, duration: Duration) -> Iterator[None]:
    site.step_clock(duration)
    yield
    site.step_clock(-duration)


@pytest.mark.parametrize("duration", [30 * SECOND, HOUR, -HOUR])
def test_a_step_of_the_servers_clock_and_back(served: Line, site: LoopbackSite, duration: Duration) -> None:
    """What was revoked before and while it was wrong stays so, also for who begins then.

    A server whose clock is an hour behind calls tokens of before inactive: they are from its future. So introspection
    is left out there.
    """
    before = served.token()
    served.revoke(token=before)
    followers = {policy: served.verifier(on_stale=policy) for policy in ("introspect", "deny")}
    if duration < 0:
        del followers["introspect"]
    with under(served, _step(site, duration), followers, log_in=True) as seen:
        assert all(not verdict(each, before).startswith("accepted") for each in seen.verifiers.values())
    newcomer = served.verifier(on_stale="deny")
    for each in (*seen.verifiers.values(), newcomer):
        soon(lambda each=each: known_refused(verdict(each, before)))  # type: ignore[misc]
        soon(lambda each=each: known_refused(verdict(each, seen.bad)))  # type: ignore[misc]
