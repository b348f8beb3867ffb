"""A revocation that was acknowledged holds after kill -9: real server processes on SQLite."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import ServerProcess
from tests.site import ISSUER, PASSWORD, Site, open_site


@dataclass
class Crashing:
    """A server process that is killed and started again, and those who use it."""

    process: ServerProcess
    admin_auth: tuple[str, str]
    api_auth: tuple[str, str]
    username: str
    user_id: str
    app_id: str

    def crash(self) -> None:
        assert self.process.stop(signal.SIGKILL) == -signal.SIGKILL
        self.process.start()

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.process.url, timeout=30)

    async def admin(self, http: httpx.AsyncClient) -> dict[str, str]:
        answer = await http.post("/token", data={"grant_type": "client_credentials"}, auth=self.admin_auth)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def log_in(self, http: httpx.AsyncClient) -> dict[str, Any]:
        body = {"username": self.username, "password": PASSWORD, "client_id": self.app_id}
        answer = await http.post("/login", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def active(self, http: httpx.AsyncClient, token: str) -> bool:
        answer = await http.post("/introspect", data={"token": token}, auth=self.api_auth)
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["active"])


async def _crashing(site: Site, process: ServerProcess) -> Crashing:
    boss, api = await site.client(scopes=("admin",)), await site.resource_server()
    app, user = await site.app(), await site.user()
    assert boss.auth is not None
    assert api.auth is not None
    return Crashing(process, boss.auth, api.auth, user.username, user.id, app.id)


@pytest.fixture
async def server(sqlite_url: str, keys_dir: Path, tmp_path: Path) -> AsyncIterator[Crashing]:
    process = ServerProcess(
        tmp_path,
        issuer=ISSUER,
        database_url=sqlite_url,
        keys_dir=keys_dir,
        password_threads=1,
        key_rotation_interval="36500d",
    )
    try:
        async with open_site(sqlite_url, keys_dir) as site:
            crashing = await _crashing(site, process)
        process.start()
        yield crashing
    finally:
        process.clean_up()


async def test_each_level_of_revocation_holds_after_a_kill_in_the_moment_of_its_answer(server: Crashing) -> None:
    for level in ("access_token", "refresh_token", "user_id", "client_id", "all"):
        async with server.client() as http:
            admin, tokens = await server.admin(http), await server.log_in(http)
            body = {
                "access_token": {"token": tokens["access_token"]},
                "refresh_token": {"token": tokens["refresh_token"]},
                "user_id": {"user_id": server.user_id},
                "client_id": {"client_id": server.app_id},
                "all": {"all": True},
            }[level]
            assert await server.active(http, tokens["access_token"])
            answer = await http.post("/admin/revocations", json=body, headers=admin)
            assert answer.status_code == 200, answer.text
        server.crash()
        async with server.client() as http:
            assert not await server.active(http, tokens["access_token"]), level
            form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": server.app_id}
            refreshed = await http.post("/token", data=form)
            assert refreshed.status_code == (200 if level == "access_token" else 400), level


async def test_of_revocations_under_way_at_a_kill_every_acknowledged_one_holds(server: Crashing) -> None:
    async with server.client() as http:
        admin = await server.admin(http)
        first = await server.log_in(http)
        tokens = [first["access_token"]]
        refresh_token = first["refresh_token"]
        for _ in range(23):
            form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": server.app_id}
            answer = (await http.post("/token", data=form)).json()
            tokens.append(answer["access_token"])
            refresh_token = answer["refresh_token"]
        acknowledged: list[str] = []

        async def revoke(token: str) -> None:
            try:
                answer = await http.post("/admin/revocations", json={"token": token}, headers=admin)
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                acknowledged.append(token)
                if len(acknowledged) == 6:
                    server.process.running.send_signal(signal.SIGKILL)

        await asyncio.gather(*(revoke(token) for token in tokens))
    assert len(acknowledged) >= 6
    server.crash()
    async with server.client() as http:
        for token in acknowledged:
            assert not await server.active(http, token)
