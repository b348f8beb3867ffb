"""Two servers on one PostgreSQL and one Valkey, each of which fails: dead, frozen, emptied, restarted, killed."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.conftest import run_apart
from tests.faults.outbox import add_entries, outbox_size
from tests.feed_log import key_of, read_log, read_log_from
from tests.feed_proxy import everything
from tests.following import ACCEPTED, BOUND, Line, Watch, known_refused, line, soon, under, until_after, verdict
from tests.servers import PostgresServer, ValkeyServer, postgres, valkey
from tests.site import claims_of

A, B = 0, 1


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


@pytest.fixture(scope="module")
def pair(
    own_postgres: PostgresServer, own_valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    from authserver.storage.sql import migrate

    url = own_postgres.create_database("feed")
    run_apart(migrate(url))
    with line(tmp_path_factory.mktemp("pair"), url, servers=2, redis_url=own_valkey.url) as made:
        yield made


@pytest.fixture
def served(pair: Line) -> Iterator[Line]:
    """Verifiers and a proxy of the test's own; whoever breaks a server mends it."""
    with closing(pair.beside()) as own:
        yield own


# -- Redis ------------------------------------------------------------------------------------------


@contextmanager
def _flushed(own_valkey: ValkeyServer) -> Iterator[None]:
    own_valkey.flush()
    yield
    own_valkey.flush()


@contextmanager
def _dead(own_valkey: ValkeyServer) -> Iterator[None]:
    own_valkey.kill()
    try:
        yield
    finally:
        own_valkey.start()


@contextmanager
def _frozen(server: ValkeyServer | PostgresServer) -> Iterator[None]:
    server.pause()
    try:
        yield
    finally:
        server.resume()


@pytest.mark.parametrize("how", [_flushed, _dead, _frozen])
def test_redis(served: Line, own_valkey: ValkeyServer, how: object) -> None:
    """Flushed, dead or frozen: nobody notices."""
    with under(served, how(own_valkey)) as seen:  # type: ignore[operator]  # a parameter of pytest
        for name in seen.verifiers:
            assert known_refused(seen.watch.last(name, "bad")), name
    seen.watch.assert_goes_on(seen.verifiers, "good")


# -- PostgreSQL -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_postgresql_gone_in_the_moment_of_the_acknowledgement(
    served: Line, own_postgres: PostgresServer, how: str
) -> None:
    """Whatever was written to the log by then, nothing newer is signed, and everybody's copy grows old."""
    with under(served, nullcontext(), then=own_postgres.kill if how == "killed" else own_postgres.pause) as seen:
        try:
            for name in seen.verifiers:
                soon(lambda name=name: seen.watch.last(name, "good").startswith("503"), name)  # type: ignore[misc]  # a lambda bound to the loop's variable
        finally:
            own_postgres.start() if how == "killed" else own_postgres.resume()


def test_postgresql_restarted(served: Line, own_postgres: PostgresServer) -> None:
    with under(served, nullcontext(), then=own_postgres.restart):
        pass


# -- servers ----------------------------------------------------------------------------------------


def test_a_server_killed_and_the_other_goes_on(served: Line) -> None:
    def kill() -> None:
        assert served.servers[A].stop(signal.SIGKILL) == -signal.SIGKILL

    with under(served, nullcontext(), then=kill) as seen:
        for name in seen.verifiers:
            soon(lambda name=name: known_refused(seen.watch.last(name, "bad")))  # type: ignore[misc]  # a lambda bound to the loop's variable
            soon(lambda name=name: seen.watch.last(name, "good") == ACCEPTED)  # type: ignore[misc]  # a lambda bound to the loop's variable
        served.servers[A].start()


def test_all_servers_down_later(served: Line) -> None:
    def kill() -> None:
        for server in served.servers:
            server.stop(signal.SIGKILL)

    with under(served, nullcontext(), then=kill) as seen:
        for name in seen.verifiers:
            soon(lambda name=name: seen.watch.last(name, "good").startswith("503"), name)  # type: ignore[misc]  # a lambda bound to the loop's variable
        for server in served.servers:
            server.launch()
        for server in served.servers:
            server.wait_until("/readyz")


# -- the sequencer ----------------------------------------------------------------------------------


@dataclass
class Burst:
    """Revocations sent to both servers at once."""

    served: Line
    jtis: list[str]
    acknowledged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._admins = [self.served.admin(on) for on in (A, B)]

    def __call__(self) -> None:
        run_apart(self._send())

    async def _send(self) -> None:
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=16)) as http:
            await asyncio.gather(*(self._revoke(http, number % 2, jti) for number, jti in enumerate(self.jtis)))

    async def _revoke(self, http: httpx.AsyncClient, on: int, jti: str) -> None:
        url, body = self.served.servers[on].url, {"jti": jti, "expires_at": int(time.time()) + 300}
        with suppress(httpx.TransportError):  # killed before it answered
            answer = await http.post(f"{url}/admin/revocations", json=body, headers=self._admins[on])
            if answer.status_code == 200:
                self.acknowledged.append(jti)


def _assert_each_is_there_once(served: Line, jtis: list[str], on: int) -> None:
    soon(lambda: outbox_size(served) == 0, "the outbox is empty")
    log = read_log_from(served.servers[on].url)
    keys = log.keys
    assert len(keys) == len(set(keys)), "doubled"
    assert {key_of("jti", served.issuer, jti) for jti in jtis} <= set(keys), "lost"


def test_two_sequencers(served: Line) -> None:
    """Both take from one outbox at the same time: dense numbers, nothing lost, nothing twice, one chain."""
    burst = Burst(served, _some(120))
    before = [len(server.log.read_text()) for server in served.servers]
    kept = add_entries(served, 3000)
    burst()
    for server, length in zip(served.servers, before, strict=True):
        assert "job broke" not in server.log.read_text()[length:], "they take turns and do not collide"
    assert len(burst.acknowledged) == len(burst.jtis)
    _assert_each_is_there_once(served, burst.acknowledged + kept, A)
    assert read_log(served.servers[A].url).keys == read_log_from(served.servers[B].url).keys


def test_sequencer_killed_mid_batch(served: Line) -> None:
    """In the middle of a burst, first one and then the other: what was acknowledged is in the log, once."""
    bad, verifier = served.token(), served.verifier(on_stale="deny")
    assert verdict(verifier, bad) == ACCEPTED
    kept: list[str] = []
    with Watch({"deny": verifier}, {"bad": bad}) as watch:
        acknowledged = 0.0
        for on in (A, B):
            burst = Burst(served, _some(40))
            kept += add_entries(served, 4000)
            sending = threading.Thread(target=burst)
            sending.start()
            acknowledged = acknowledged or served.revoke(1 - on, token=bad)
            served.servers[on].stop(signal.SIGKILL)
            sending.join()
            kept += burst.acknowledged
            served.servers[on].start()
        until_after(acknowledged + BOUND, watch, ["deny"])
        soon(lambda: known_refused(watch.last("deny", "bad")))
        watch.assert_cut_off_in_time("bad", acknowledged)
    _assert_each_is_there_once(served, kept, A)


def _some(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


# -- transactions -----------------------------------------------------------------------------------


async def _insert(connection: asyncpg.Connection, jti: str) -> None:
    await connection.execute(
        "INSERT INTO revocation_outbox (kind, value, version, expires_at, created_at) VALUES ('jti', $1, 0, $2, $3)",
        jti,
        int(time.time() * 1000) + 300_000,
        int(time.time() * 1000),
    )


async def _slowly(served: Line, jti: str, meanwhile: str, *, commit: bool) -> None:
    """A transaction that takes an id of the outbox, and ends after a later one was committed and published."""
    connection = await asyncpg.connect(dsn=served.settings["database_url"].replace("+asyncpg", ""))
    try:
        transaction = connection.transaction()
        await transaction.start()
        await _insert(connection, jti)
        await asyncio.to_thread(served.revoke, A, wait=10, token=meanwhile)
        await (transaction.commit() if commit else transaction.rollback())
    finally:
        await connection.close()


def test_a_transaction_that_commits_late(served: Line) -> None:
    """Its entry has a smaller number than one that is in the log already; it comes all the same."""
    late, quick, good = served.token(), served.token(), served.token()
    followers = served.verifiers()
    for each in followers.values():
        assert verdict(each, late) == ACCEPTED
    with Watch(followers, {"late": late, "quick": quick, "good": good}) as watch:
        run_apart(_slowly(served, claims_of(late)["jti"], quick, commit=True))
        for name in followers:
            soon(lambda name=name: known_refused(watch.last(name, "quick")), seconds=2)  # type: ignore[misc]  # a lambda bound to the loop's variable
            soon(lambda name=name: known_refused(watch.last(name, "late")), seconds=3.5)  # type: ignore[misc]  # a lambda bound to the loop's variable
    watch.assert_never_401("good")
    keys = [key_of("jti", served.issuer, claims_of(token)["jti"]) for token in (quick, late)]
    assert [key for key in read_log_from(served.servers[B].url).keys if key in keys] == keys


def test_an_aborted_transaction(served: Line) -> None:
    """No event, and no hole where its number would have been."""
    spared, quick = served.token(), served.token()
    followers = served.verifiers()
    run_apart(_slowly(served, claims_of(spared)["jti"], quick, commit=False))
    for each in followers.values():
        soon(lambda each=each: known_refused(verdict(each, quick)))  # type: ignore[misc]  # a lambda bound to the loop's variable
        assert verdict(each, spared) == ACCEPTED
    log = read_log_from(served.servers[A].url)
    assert key_of("jti", served.issuer, claims_of(spared)["jti"]) not in log.keys


def test_everything_at_once_is_told_to_a_verifier_that_starts_later(served: Line) -> None:
    """A cold start after all that was done here: the same verdicts as introspection."""
    tokens = [served.token() for _ in range(4)]
    for token in tokens[:2]:
        served.revoke(B, token=token)
    with served.proxy.cut(everything):
        follower = served.verifier(on_stale="deny", ready=False)
        assert not follower.wait_ready(0.2)
    soon(lambda: follower.ready)
    soon(lambda: [verdict(follower, token) == ACCEPTED for token in tokens] == [served.active(t) for t in tokens])
