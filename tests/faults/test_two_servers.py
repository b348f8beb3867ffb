"""Two server processes on one PostgreSQL and one Valkey: what compose.yaml starts, started by hand."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest

from authserver.cli.demo import API, Demo
from authserver.cli.dev import prepare
from authserver.settings import Settings
from authserver.tokens.masterkey import create_master_key
from tests.conftest import run_apart
from tests.processes import ServerProcess
from tests.servers import PostgresServer, ValkeyServer, valkey

ISSUER = "http://127.0.0.1:7999"
"""Neither of the two: what is issued by one is good at the other."""


@dataclass
class Pair:
    a: ServerProcess
    b: ServerProcess
    demo: Demo
    valkey: ValkeyServer

    @property
    def service(self) -> tuple[str, str]:
        return Demo.SERVICE, self.demo.service_secret

    def log_in(self, server: ServerProcess) -> dict[str, Any]:
        answer = httpx.post(
            f"{server.url}/login",
            json={"username": self.demo.username, "password": self.demo.password, "client_id": Demo.APP},
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refresh(self, server: ServerProcess, tokens: dict[str, Any]) -> httpx.Response:
        return httpx.post(
            f"{server.url}/token",
            data={"grant_type": "refresh_token", "client_id": Demo.APP, "refresh_token": tokens["refresh_token"]},
        )

    def is_active(self, server: ServerProcess, token: str) -> bool:
        answer = httpx.post(f"{server.url}/introspect", data={"token": token}, auth=self.service)
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["active"])

    def own_token(self, server: ServerProcess, auth: tuple[str, str] | None = None) -> httpx.Response:
        return httpx.post(f"{server.url}/token", data={"grant_type": "client_credentials"}, auth=auth or self.service)

    def admin(self, server: ServerProcess) -> dict[str, str]:
        answer = self.own_token(server, (Demo.ADMIN, self.demo.admin_secret))
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture(scope="module")
def pair(
    postgres_server: PostgresServer, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Started once, together, on an empty key ring; whoever breaks something mends it."""
    directory = tmp_path_factory.mktemp("pair")
    create_master_key(directory / "keys" / "master.key")
    url = postgres_server.create_database("two_servers", template=postgres_template)
    with valkey() as bus:
        settings = {"issuer": ISSUER, "database_url": url, "keys_dir": directory / "keys", "redis_url": bus.url}
        demo = run_apart(prepare(Settings(**settings), directory / "demo.json"))
        a, b = ServerProcess(directory, **settings), ServerProcess(directory, **settings)
        try:
            a.launch()
            b.start()
            a.wait_until("/readyz")
            yield Pair(a, b, demo, bus)
        finally:
            a.clean_up()
            b.clean_up()


def set_enabled(pair: Pair, enabled: bool) -> None:
    done = httpx.patch(
        f"{pair.a.url}/admin/clients/{Demo.SERVICE}", headers=pair.admin(pair.a), json={"enabled": enabled}
    )
    assert done.status_code == 200, done.text


@pytest.fixture
def disabled_service(pair: Pair) -> Iterator[None]:
    """The demo service, which b has just seen enabled, disabled on a."""
    assert pair.own_token(pair.b).status_code == 200
    set_enabled(pair, False)
    yield
    set_enabled(pair, True)
    soon(lambda: pair.own_token(pair.b).status_code == 200, seconds=5)


def soon(condition: Callable[[], bool], seconds: float) -> float:
    """Wait until it holds; how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - started


def kids(server: ServerProcess) -> set[str]:
    return {key["kid"] for key in httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]}


def test_the_two_are_one(pair: Pair) -> None:
    a, b = pair.a, pair.b
    assert kids(a) == kids(b)
    assert len(kids(a)) == 1, "both started on an empty key ring, and one key came of it"

    tokens = pair.log_in(a)
    refreshed = pair.refresh(b, tokens)
    assert refreshed.status_code == 200
    again = pair.refresh(a, tokens)
    assert again.json()["refresh_token"] == refreshed.json()["refresh_token"], "a lost answer, retried elsewhere"

    access = refreshed.json()["access_token"]
    assert pair.is_active(a, access)
    assert pair.is_active(b, access)
    assert httpx.post(f"{a.url}/revoke", data={"client_id": Demo.APP, "token": access}).status_code == 200
    assert not pair.is_active(b, access), "revoked on one, inactive on the other at once"


def test_an_ended_session_is_over_on_both_at_once(pair: Pair) -> None:
    tokens = pair.log_in(pair.a)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert httpx.get(f"{pair.b.url}/session", headers=bearer).status_code == 200
    assert httpx.post(f"{pair.a.url}/logout", headers=bearer).status_code == 204
    assert httpx.get(f"{pair.b.url}/session", headers=bearer).status_code == 401
    assert pair.refresh(pair.b, tokens).json()["error"] == "invalid_grant"
    assert not pair.is_active(pair.b, tokens["access_token"])


def test_a_client_disabled_on_one_is_refused_by_the_other_within_a_second(pair: Pair, disabled_service: None) -> None:
    soon(lambda: pair.own_token(pair.b).status_code == 401, seconds=1)


def test_without_redis_a_change_still_arrives(pair: Pair) -> None:
    pair.valkey.stop()
    try:
        assert pair.own_token(pair.b).status_code == 200
        set_enabled(pair, False)
        soon(lambda: pair.own_token(pair.b).status_code == 401, seconds=2)
        assert pair.refresh(pair.a, pair.log_in(pair.b)).status_code == 200
    finally:
        set_enabled(pair, True)
        pair.valkey.start()
    soon(lambda: pair.own_token(pair.b).status_code == 200, seconds=5)


def test_a_key_rotated_on_one_signs_and_verifies_on_both(pair: Pair) -> None:
    old = pair.log_in(pair.b)["access_token"]
    before = kids(pair.b)
    done = httpx.post(f"{pair.a.url}/admin/keys/rotate", headers=pair.admin(pair.a), json={"now": True})
    assert done.status_code in (200, 201), done.text
    soon(lambda: kids(pair.b) > before, seconds=2)
    assert pair.is_active(pair.a, old), "the retired key is still good for what it signed"
    new = pair.log_in(pair.b)["access_token"]
    assert pair.is_active(pair.a, new)


def test_a_revoked_key_takes_its_tokens_with_it_on_both_at_once(pair: Pair) -> None:
    token = pair.log_in(pair.b)["access_token"]
    kid = jwt.get_unverified_header(token)["kid"]
    done = httpx.post(
        f"{pair.a.url}/admin/revocations", headers=pair.admin(pair.a), json={"kid": kid, "reason": "leak"}
    )
    assert done.status_code == 200, done.text
    introspected = httpx.post(f"{pair.b.url}/introspect", data={"token": token}, auth=pair.service)
    assert introspected.json() == {"active": False}
    soon(lambda: kid not in kids(pair.b), seconds=2)
    assert pair.is_active(pair.a, pair.log_in(pair.b)["access_token"])


def test_one_dies_without_a_word_and_the_other_goes_on(pair: Pair) -> None:
    tokens = pair.log_in(pair.a)
    assert pair.a.stop(signal.SIGKILL) == -signal.SIGKILL
    refreshed = pair.refresh(pair.b, tokens)
    assert refreshed.status_code == 200
    pair.a.start()
    assert pair.is_active(pair.a, refreshed.json()["access_token"])
    assert pair.refresh(pair.a, refreshed.json()).status_code == 200


def test_many_refreshes_of_one_token_on_both_give_one_successor(pair: Pair) -> None:
    tokens = pair.log_in(pair.a)

    async def race() -> list[httpx.Response]:
        async with httpx.AsyncClient() as http:
            form = {"grant_type": "refresh_token", "client_id": Demo.APP, "refresh_token": tokens["refresh_token"]}
            servers = [pair.a, pair.b] * 12
            return await asyncio.gather(*(http.post(f"{server.url}/token", data=form) for server in servers))

    answers = asyncio.run(race())
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


def test_tokens_name_the_issuer_and_the_demo_api(pair: Pair) -> None:
    answer = httpx.post(
        f"{pair.b.url}/introspect", data={"token": pair.log_in(pair.a)["access_token"]}, auth=pair.service
    )
    assert (answer.json()["iss"], answer.json()["aud"]) == (ISSUER, API)
