"""Log-in when TLS ends before this server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.site import PASSWORD, Party, Site, make_keys_dir, open_site

OUTSIDE = {"x-forwarded-proto": "https", "host": "auth.example"}


@pytest.fixture
async def trusting(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """Its callers' own address, 192.0.2.7, is that of a trusted proxy."""
    keys = make_keys_dir(tmp_path)
    async with open_site(sqlite_url, keys, trusted_proxies="192.0.2.0/24", login_address_limit=3) as opened:
        yield opened


@pytest.fixture
async def wary(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(sqlite_url, make_keys_dir(tmp_path)) as opened:
        yield opened


async def log_in(site: Site, app: Party, username: str, *, password: str = PASSWORD, **headers: str) -> httpx.Response:
    body = {"username": username, "password": password, "client_id": app.id, "mode": "session"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await site.http.post("/login", json=body, headers={**OUTSIDE, **named})


async def test_a_trusted_proxy_that_says_https_gets_cookies(trusting: Site) -> None:
    response = await log_in(trusting, await trusting.app(), (await trusting.user()).username)
    assert response.status_code == 200
    assert len(response.headers.get_list("set-cookie")) == 2


async def test_anybody_else_who_says_https_is_told_what_to_set(wary: Site) -> None:
    response = await log_in(wary, await wary.app(), (await wary.user()).username)
    assert response.status_code == 403
    assert "TRUSTED_PROXIES" in response.json()["error_description"]
    assert "set-cookie" not in response.headers


async def test_people_behind_the_proxy_are_told_apart(trusting: Site) -> None:
    app, user = await trusting.app(), await trusting.user()
    for number in range(3):
        await log_in(trusting, app, f"account-{number}", password="guess", x_forwarded_for="198.51.100.9")
    guesser = await log_in(trusting, app, user.username, x_forwarded_for="198.51.100.9")
    owner = await log_in(trusting, app, user.username, x_forwarded_for="203.0.113.4")
    assert (guesser.status_code, owner.status_code) == (429, 200)
    assert owner.json()["session"]["address"] == "203.0.113.4"


async def test_an_address_that_a_guesser_writes_himself_is_not_believed(trusting: Site) -> None:
    app = await trusting.app()
    statuses = [
        (await log_in(trusting, app, f"a-{n}", password="x", x_forwarded_for=f"10.9.8.{n}, 198.51.100.9")).status_code
        for n in range(5)
    ]
    assert statuses == [401, 401, 401, 429, 429]
