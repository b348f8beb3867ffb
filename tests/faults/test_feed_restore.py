"""A database restored from a backup: what was revoked since is forgotten there, and must not come back to life."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.conftest import run_apart
from tests.feed_log import read_tail
from tests.following import ACCEPTED, BOUND, Line, Watch, counted, known_refused, line, soon, until_after, verdict
from tests.processes import authserver
from tests.servers import PostgresServer, ValkeyServer, postgres, valkey
from tests.site import claims_of


def command(served: Line, *arguments: str) -> Any:
    settings = {**served.settings, "log_format": "json"}
    return authserver(*arguments, cwd=served.directory, **settings)


@contextmanager
def _sqlite(served: Line) -> Iterator[Callable[[], None]]:
    """The file is copied while nobody has it open, and put back while the server is down, as the guide says."""
    (server,) = served.servers
    path = Path(str(served.settings["database_url"]).partition("///")[2])
    copy = path.with_suffix(".backup")
    server.stop()
    shutil.copy(path, copy)
    server.start()

    def restore() -> None:
        server.stop()
        for each in path.parent.glob(path.name + "*"):
            each.unlink()
        shutil.copy(copy, path)
        server.launch()
        server.wait_until("/healthz")

    yield restore


@contextmanager
def _postgresql(served: Line, own_postgres: PostgresServer) -> Iterator[Callable[[], None]]:
    """Under the running servers: they lose their connections and find themselves on an older database."""
    run = own_postgres.sql
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'feed'"

    def exclusively(*statements: str) -> None:
        run("ALTER DATABASE feed ALLOW_CONNECTIONS false")
        run(cut)
        for statement in statements:
            run(statement)
        run("ALTER DATABASE feed ALLOW_CONNECTIONS true")

    exclusively("CREATE DATABASE backup TEMPLATE feed")
    served.servers[0].wait_until("/readyz")
    yield lambda: exclusively("ALTER DATABASE feed RENAME TO lost", "CREATE DATABASE feed TEMPLATE backup")


def _restored(served: Line, restore: Callable[[], None]) -> None:
    """Tokens of before and after the backup, revoked before and after it, and some that nobody revoked."""
    followers = {p: served.verifier(on_stale=p, report=True) for p in ("introspect", "deny")}
    good, lost = served.token(), served.token()
    log_in = served.log_in()
    for each in followers.values():
        soon(lambda each=each: verdict(each, lost) == ACCEPTED)  # type: ignore[misc]  # a lambda bound to the loop's variable
    with Watch(followers, {"good": good, "bad": lost}) as watch:
        acknowledged = served.revoke(token=lost, wait=10)
        for name in followers:
            soon(lambda name=name: known_refused(watch.last(name, "bad")))  # type: ignore[misc]  # a lambda bound to the loop's variable
        soon(lambda: _reported(served) == {served.seq()}, "the reports")  # one that fails is repeated after ten seconds
        restore()
        _says_so(served)
        until_after(acknowledged + BOUND, watch, followers)
        soon(lambda: watch.last("deny", "good") == "503 stale")
        watch.assert_cut_off_in_time("bad", acknowledged)
        watch.assert_never_401("good")
    _renewed(served)
    for each in followers.values():
        new = served.token()
        soon(lambda each=each, new=new: verdict(each, new) == ACCEPTED)  # type: ignore[misc]  # a lambda bound to the loop's variable
        soon(lambda each=each: each.status()["log"] == read_tail(served.servers[0].url)[0]["log"])  # type: ignore[misc]  # a lambda bound to the loop's variable
        for token in (lost, good, log_in["access_token"]):
            assert known_refused(verdict(each, token))
            assert not served.active(token)
    _goes_on(served, followers["deny"])


def _says_so(served: Line) -> None:
    """`doctor` and /readyz name it, and no checkpoint is signed any more."""
    server = served.servers[0]
    soon(lambda: httpx.get(f"{server.url}/readyz", timeout=10).status_code == 503, "not ready")
    assert "authserver log renew" in command(served, "doctor").stdout
    soon(lambda: _status(f"{server.url}/revocations/stream") == 503, "no stream")
    before = httpx.get(f"{server.url}/revocations/tail", timeout=10).content
    assert _status(f"{server.url}/revocations/tail?after=0") == 503
    assert httpx.get(f"{server.url}/revocations/tail", timeout=10).content == before


def _status(url: str) -> int:
    with httpx.stream("GET", url, timeout=10) as answer:
        return answer.status_code


def _renewed(served: Line) -> None:
    done = command(served, "log", "renew", "--yes", "--reason", "restored from backup")
    assert done.returncode == 0, done.stderr
    served.servers[0].wait_until("/readyz")
    tail, _ = read_tail(served.servers[0].url)
    assert tail["log"] in done.stdout


def _goes_on(served: Line, verifier: Any) -> None:
    """On the new log, as if nothing had been."""
    token = served.token()
    assert verdict(verifier, token) == ACCEPTED
    served.revoke(token=token)
    soon(lambda: known_refused(verdict(verifier, token)), seconds=2)
    soon(lambda: served.seq() in _reported(served), "the report")


def _reported(served: Line) -> set[int]:
    """The places in the log that resource servers say they have applied."""
    answer = httpx.get(f"{served.servers[0].url}/admin/resource-servers", headers=served.admin(), timeout=10)
    return {item["seq"] for item in answer.json()["items"]}


def test_sqlite_restored_from_a_copy(sqlite_url: str, tmp_path: Path) -> None:
    """Without Redis nobody remembers but the resource servers: their report is the proof."""
    with line(tmp_path, sqlite_url) as served, _sqlite(served) as restore:
        _restored(served, restore)


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


def test_postgresql_restored_under_running_servers(
    own_postgres: PostgresServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    from authserver.storage.sql import migrate

    url = own_postgres.create_database("feed")
    run_apart(migrate(url))
    with line(tmp_path, url, redis_url=own_valkey.url) as served, _postgresql(served, own_postgres) as restore:
        _restored(served, restore)


def test_a_server_that_starts_on_an_older_database_remembers_what_was_signed(
    sqlite_url: str, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    """In Redis, where there is one: nobody follows here, and it is seen all the same."""
    with line(tmp_path, sqlite_url, redis_url=own_valkey.url) as served, _sqlite(served) as restore:
        served.revoke(token=served.token(), wait=10)
        soon(lambda: _kept(own_valkey) == served.seq(), "the witness")
        restore()
        _says_so(served)


def _kept(server: ValkeyServer) -> int:
    """The sequence number of the checkpoint in Redis."""
    with Redis.from_url(server.url) as redis:
        found = [redis.get(name) for name in redis.keys("*log:witness")]
    return claims_of(found[0].decode())["seq"] if found else -1


def test_what_was_restored_is_no_way_around_a_verifier_that_remembers(sqlite_url: str, tmp_path: Path) -> None:
    """The log goes on to another history, past the place that the verifier knows: a fork, refused."""
    with line(tmp_path, sqlite_url) as served, _sqlite(served) as restore, closing(served.beside()) as own:
        bad, good = served.token(), served.token()
        verifier = own.verifier(on_stale="deny")
        served.revoke(token=bad, wait=10)
        soon(lambda: known_refused(verdict(verifier, bad)))
        restore()
        for _ in range(2):
            served.revoke(token=served.token(), wait=10)
        soon(lambda: counted(verifier, "feed_forks_total") > 0, "the alarm")
        soon(lambda: verdict(verifier, good) == "503 stale")
        assert known_refused(verdict(verifier, bad))
