"""People with browsers: helpers for tests of log-in and sessions, over the whole app on a migrated SQLite file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.site import ISSUER, PASSWORD, Party, Site, make_keys_dir, open_site

HERE = "192.0.2.7"
ELSEWHERE = "198.51.100.9"


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """One instance with an empty database."""
    async with open_site(sqlite_url, make_keys_dir(tmp_path)) as opened:
        yield opened


@pytest.fixture
async def two_nodes(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """Two instances on one database that do not hear of each other."""
    async with open_site(sqlite_url, make_keys_dir(tmp_path), instances=2) as opened:
        yield opened


class Browser:
    """Keeps cookies as a browser does, and sends the headers that one would.

    (The cookie jar of httpx holds `Secure` cookies back on http://127.0.0.1, where browsers send them.)
    """

    def __init__(self, site: Site, *, address: str = HERE, on: int = 0) -> None:
        self.cookies: dict[str, str] = {}
        self.csrf_token = ""
        self._at = [_client(site, address, node) for node in range(len(site.instances))]
        self._on = on

    async def log_in(self, username: str, client: Party, password: str = PASSWORD, **body: Any) -> httpx.Response:
        response = await self.post(
            "/login",
            json={"username": username, "password": password, "client_id": client.id, "mode": "session", **body},
        )
        if response.status_code == 200:
            self.csrf_token = response.json().get("csrf_token", "")
        return response

    async def get(self, path: str, on: int | None = None, **headers: str) -> httpx.Response:
        return await self._send("GET", path, on, headers)

    async def post(self, path: str, on: int | None = None, *, json: object = None, **headers: str) -> httpx.Response:
        return await self._send("POST", path, on, headers, json)

    async def delete(self, path: str, on: int | None = None, **headers: str) -> httpx.Response:
        return await self._send("DELETE", path, on, headers)

    async def _send(
        self, method: str, path: str, on: int | None, given: dict[str, str], json: object = None
    ) -> httpx.Response:
        """Headers are keyword arguments: `x_csrf_token="..."`; empty ones are left out."""
        headers = {"sec-fetch-site": "same-origin"} if method != "GET" else {}
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.csrf_token and method != "GET":
            headers["x-csrf-token"] = self.csrf_token
        headers |= {name.replace("_", "-"): value for name, value in given.items()}
        client = self._at[self._on if on is None else on]
        response = await client.request(
            method, path, headers={name: value for name, value in headers.items() if value}, json=json
        )
        self._keep(response)
        return response

    def _keep(self, response: httpx.Response) -> None:
        for line in response.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


def _client(site: Site, address: str, node: int) -> httpx.AsyncClient:
    app = site.instances[node].http._transport.app  # type: ignore[attr-defined]  # httpx does not name it
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 40001)), base_url=ISSUER, trust_env=False
    )


def pass_time(site: Site, milliseconds: int) -> None:
    """Move the clock of every instance, as if so much time had gone by."""
    for instance in site.instances:
        now = instance.services.now
        now.anchor(now() + milliseconds)
