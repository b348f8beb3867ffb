"""A server that has clients and users, and what the scenarios need to know of it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import httpx

from benchmarks.load.plan import Plan
from benchmarks.loader import loading

FORM = "application/x-www-form-urlencoded"
RESOURCE = "https://api.example"
SCOPE = "api:read"
REDIRECT = "https://app.example/callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    port: int
    service_id: str
    """A confidential client: gets tokens for itself, and is the resource server that introspects."""
    service_secret: str
    admin_token: str
    app_id: str
    """A public first-party client: logs users in and refreshes."""
    web_id: str
    """A confidential first-party client of the authorization code flow."""
    web_secret: str
    usernames: tuple[str, ...]
    password: str

    @property
    def basic(self) -> str:
        return _basic(self.service_id, self.service_secret)

    @property
    def service_headers(self) -> dict[str, str]:
        return {"Authorization": self.basic, "Content-Type": FORM}

    @property
    def web_headers(self) -> dict[str, str]:
        return {"Authorization": _basic(self.web_id, self.web_secret), "Content-Type": FORM}

    def login_body(self, username: str) -> dict[str, str]:
        return {
            "username": username,
            "password": self.password,
            "client_id": self.app_id,
            "scope": SCOPE,
            "resource": RESOURCE,
            "mode": "token",
        }

    def refresh_plan(self, connections: int, *, keep: int = 0) -> Plan:
        """One family a connection; each was begun by a log-in."""
        return Plan(
            port=self.port,
            connections=connections,
            kind="refresh",
            path="/token",
            headers={"Content-Type": FORM},
            bodies=[urlencode({"grant_type": "refresh_token", "client_id": self.app_id, "refresh_token": ""})],
            refresh_tokens=list(self._log_in_times(connections)),
            keep=keep,
        )

    def access_tokens(self, count: int) -> list[str]:
        """Distinct living access tokens of users: as many refreshes as it takes."""
        with loading(self.refresh_plan(16, keep=count)) as load:
            return load.window(120.0, at_most=count).access_tokens

    def _log_in_times(self, times: int) -> Iterable[str]:
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}") as http:
            for number in range(times):
                username = self.usernames[number % len(self.usernames)]
                answer = http.post("/login", json=self.login_body(username)).raise_for_status()
                yield answer.json()["refresh_token"]


def _basic(client_id: str, secret: str) -> str:
    pair = f"{quote(client_id)}:{quote(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
