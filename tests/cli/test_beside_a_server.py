"""A server that runs follows what the command line does to its database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.cli.conftest import PASSWORD, Desk
from tests.processes import ServerProcess

SOON = 2.0
"""Seconds; a tenth of one on an idle machine."""


@pytest.fixture
def server(cli: Desk) -> Iterator[httpx.Client]:
    process = ServerProcess(cli.directory, database_url=cli.database_url, keys_dir=cli.directory / "keys")
    process.start()
    try:
        with httpx.Client(base_url=process.url) as http:
            yield http
    finally:
        process.stop()


def becomes_true(question: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_disabled_client_gets_no_more_tokens(cli: Desk, server: httpx.Client) -> None:
    secret = cli.program("robot")

    def status() -> int:
        form = {"grant_type": "client_credentials"}
        return server.post("/token", data=form, auth=("robot", secret)).status_code

    assert becomes_true(lambda: status() == 200)
    cli("clients", "disable", "robot")
    assert becomes_true(lambda: status() == 401)


def test_a_new_key_is_published_and_the_withdrawn_one_gone(cli: Desk, server: httpx.Client) -> None:
    def published() -> set[str]:
        return {key["kid"] for key in server.get("/.well-known/jwks.json").json()["keys"]}

    (before,) = published()
    after = cli.json("keys", "rotate", "--now", "--revoke", "--yes")["kid"]
    assert after != before
    assert becomes_true(lambda: published() == {after})


def test_a_revoked_user_is_out_at_the_next_request(cli: Desk, server: httpx.Client) -> None:
    cli.user("ada")
    cli.app("app")
    login = {"username": "ada", "password": PASSWORD, "client_id": "app"}
    tokens = server.post("/login", json=login).json()
    me = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert server.get("/session", headers=me).status_code == 200
    cli("revoke", "user", "ada", "--yes")
    assert server.get("/session", headers=me).status_code == 401
    form = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": tokens["refresh_token"]}
    assert server.post("/token", data=form).json()["error_reason"] == "revoked"
    story = cli.try_("token", "explain", "--json", typed=tokens["refresh_token"]).json
    assert [refusal["rule"] for refusal in story["refused_by"]] == ["subject"]


def test_declared_clients_are_followed_without_a_restart(cli: Desk, server: httpx.Client) -> None:
    file = cli.directory / "clients.toml"

    def declare(*fields: str) -> dict[str, Any]:
        file.write_text("\n".join(["[[clients]]", 'id = "robot"', *fields]))
        return dict(cli.json("apply", str(file)))

    def answer(scope: str) -> tuple[int, object]:
        form = {"grant_type": "client_credentials", "scope": scope}
        got = server.post("/token", data=form, auth=("robot", secret))
        return got.status_code, got.json().get("expires_in")

    secret = declare('scopes = ["read"]')["new"][0]["client_secret"]
    assert becomes_true(lambda: answer("read") == (200, 300))
    assert answer("write")[0] == 400
    declare('scopes = ["read", "write"]', 'access_token_ttl = "1m"')
    assert becomes_true(lambda: answer("write") == (200, 60))
    declare('scopes = ["read", "write"]', "enabled = false")
    assert becomes_true(lambda: answer("read")[0] == 401)
