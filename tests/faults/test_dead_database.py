"""PostgreSQL goes away under a running server: 503 and Retry-After, never a false success, and back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic

import httpx
import pytest

from tests.browser import Browser
from tests.servers import PostgresServer, postgres
from tests.site import PASSWORD, Party, Site, make_keys_dir, open_site

BOUND = 8.0
"""Seconds within which even "not now" must be said: a statement may take 5, where the database is frozen."""


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """A server of this module's own: these tests stop and freeze it."""
    with postgres() as server:
        yield server


@pytest.fixture
async def site(own_postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[Site]:
    from authserver.storage.sql import migrate

    name = f"site_{tmp_path.name[-20:].replace('-', '_')}"
    url = own_postgres.create_database(name)
    await migrate(url)
    async with open_site(url, make_keys_dir(tmp_path / "keys"), database_pool_size=4) as made:
        yield made


async def asked(site: Site, client: Party, token: str) -> dict[str, httpx.Response]:
    """One request of each kind that needs the database, each answered within the bound."""
    login = {"username": "nobody", "password": "some password", "client_id": "app"}
    requests = {
        "token": site.http.post("/token", data={"grant_type": "client_credentials"}, auth=client.auth),
        "introspect": site.http.post("/introspect", data={"token": token}, auth=client.auth),
        "revoke": site.http.post("/revoke", data={"token": token}, auth=client.auth),
        "login": site.http.post("/login", json=login),
        "session": site.http.get("/session", headers={"Authorization": f"Bearer {token}"}),
        "admin": site.http.get("/admin/users", headers={"Authorization": f"Bearer {token}"}),
    }
    started = monotonic()
    answers = await asyncio.gather(*requests.values())
    assert monotonic() - started < BOUND
    return dict(zip(requests, answers, strict=True))


def assert_unavailable(answers: dict[str, httpx.Response], but: tuple[str, ...] = ()) -> None:
    for name, answer in answers.items():
        if name in but:
            continue
        assert answer.status_code == 503, f"{name}: {answer.status_code} {answer.text}"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["error"] == "temporarily_unavailable"
        assert "postgres" not in answer.text.lower()


async def until_ready(site: Site, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while (await site.http.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - there is nothing to wait on
            await asyncio.sleep(0.1)


async def until_cache_steps_aside(site: Site) -> None:
    """Clients are served from memory only for as long as the database confirms them."""
    await asyncio.sleep(2.5)


@pytest.mark.parametrize("how", ["stopped", "frozen"])
async def test_it_is_told_and_it_comes_back(site: Site, own_postgres: PostgresServer, how: str) -> None:
    client = await site.client(audiences=("https://api.example",), resources=("https://api.example",))
    token = (await site.own_token(client))["access_token"]
    assert (await site.http.post("/introspect", data={"token": token}, auth=client.auth)).json()["active"] is True

    own_postgres.kill() if how == "stopped" else own_postgres.pause()
    try:
        await until_cache_steps_aside(site)
        assert_unavailable(await asked(site, client, token))
        ready = await site.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"] != "ok"
        assert (await site.http.get("/healthz")).status_code == 200
        assert (await site.http.get("/.well-known/jwks.json")).status_code == 200
    finally:
        own_postgres.start() if how == "stopped" else own_postgres.resume()

    await until_ready(site)
    answers = await asked(site, client, token)
    assert answers["token"].status_code == 200
    assert answers["login"].status_code != 503


async def test_a_revocation_that_could_not_be_stored_is_never_called_done(
    site: Site, own_postgres: PostgresServer
) -> None:
    client = await site.client(audiences=("https://api.example",), resources=("https://api.example",))
    token = (await site.own_token(client))["access_token"]
    own_postgres.kill()
    try:
        refused = await site.http.post("/revoke", data={"token": token}, auth=client.auth)
        assert refused.status_code == 503
    finally:
        own_postgres.start()
    await until_ready(site)
    alive = await site.http.post("/introspect", data={"token": token}, auth=client.auth)
    assert alive.json()["active"] is True, "it was down before it was asked"
    assert (await site.http.post("/revoke", data={"token": token}, auth=client.auth)).status_code == 200
    dead = await site.http.post("/introspect", data={"token": token}, auth=client.auth)
    assert dead.json() == {"active": False}


async def test_people_are_told_on_a_page_and_go_on_from_it(site: Site, own_postgres: PostgresServer) -> None:
    user, browser = await site.user(), Browser(site)
    await browser.get("/account/login")
    own_postgres.kill()
    try:
        page = await browser.submit("login", username=user.username, password=PASSWORD)
        assert (page.status, page.alert) == (503, "The server cannot check this at the moment.")
        assert int(page.response.headers["retry-after"]) >= 1
        assert page.forms["login"].fields["username"] == user.username
    finally:
        own_postgres.start()
    await until_ready(site)
    browser.page = page
    assert (await browser.submit("login", username=user.username, password=PASSWORD)).path == "/account"
