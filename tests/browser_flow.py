"""Authorization requests of a client of tests, and what it does with the answers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from authserver.model.account import User
from authserver.model.time import SECOND
from authserver.oauth.pkce import challenge_of
from authserver.verifier.testing_proof import ProofKey
from tests.browser import Browser, Page
from tests.site import API, ISSUER, PASSWORD, Party, Site

REDIRECT = "https://app.example/callback"


async def web_app(site: Site, **fields: Any) -> Party:
    """A confidential client of the code flow; `fields` say what differs."""
    settled = {
        "grant_types": ("authorization_code", "refresh_token"),
        "redirect_uris": (REDIRECT,),
        "scopes": ("openid", "read", "write", "offline_access"),
        "resources": (API,),
        **fields,
    }
    return await site.client(**settled)


async def public_app(site: Site, **fields: Any) -> Party:
    """The same without a secret."""
    return await web_app(site, **{"secret": False, **fields})


@dataclass
class Asker:
    """A client that asks one browser for authorization, with a verifier of its own."""

    site: Site
    client: Party
    browser: Browser
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def parameters(self, **changes: str | None) -> dict[str, str]:
        """Of a valid request, but for `changes`; None takes one away."""
        valid: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": REDIRECT,
            "scope": "openid read",
            "state": "a state",
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in valid.items() if value is not None}

    def url(self, **changes: str | None) -> str:
        return f"/authorize?{urlencode(self.parameters(**changes))}"

    async def ask(self, **changes: str | None) -> Page:
        return await self.browser.get(self.url(**changes))

    async def code(self, **changes: str | None) -> str:
        """Of a request that needs no page: somebody is logged in, and nobody is to be asked."""
        page = await self.ask(**changes)
        assert "code" in page.answer, page.location or page.text
        return page.answer["code"]

    async def trade(
        self, code: str, on: int = 0, headers: Mapping[str, str] | None = None, **changes: str | None
    ) -> httpx.Response:
        """A right token request, but for `changes`."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": self.verifier,
            **changes,
        }
        return await self.post("/token", form, on, headers)

    async def refresh(
        self, refresh_token: str, on: int = 0, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return await self.post("/token", {"grant_type": "refresh_token", "refresh_token": refresh_token}, on, headers)

    async def push(self, headers: Mapping[str, str] | None = None, **changes: str | None) -> httpx.Response:
        return await self.post("/par", dict(self.parameters(**changes)), headers=headers)

    async def pushed(self, **changes: str | None) -> Page:
        """Push, then send the browser."""
        answer = await self.push(**changes)
        assert answer.status_code == 201, answer.text
        return await self.come(answer.json()["request_uri"])

    async def come(self, request_uri: str, **beside: str) -> Page:
        query = {"client_id": self.client.id, "request_uri": request_uri, **beside}
        return await self.browser.get(f"/authorize?{urlencode(query)}")

    async def post(
        self, path: str, form: Mapping[str, str | None], on: int = 0, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Of the client itself, which proves who it is."""
        sent = {name: value for name, value in form.items() if value is not None}
        http = self.site.instances[on].http
        if self.client.secret is None:
            sent.setdefault("client_id", self.client.id)
            return await http.post(path, data=sent, headers=headers)
        return await http.post(path, data=sent, auth=self.client.auth, headers=headers)


async def asker(site: Site, client: Party | None = None, **fields: Any) -> Asker:
    """A browser that nobody has logged in with yet."""
    return Asker(site, client or await web_app(site, **fields), Browser(site))


async def logged_in(site: Site, client: Party | None = None, user: User | None = None, **fields: Any) -> Asker:
    """Somebody is logged in, and the client is one of the house's own: nobody is asked anything."""
    client = client or await web_app(site, **{"first_party": True, **fields})
    one = await asker(site, client)
    await log_in(one.browser, user or await site.user())
    return one


async def log_in(browser: Browser, user: User) -> None:
    """On our own page, for no client in particular."""
    await browser.get("/account/login")
    await browser.submit("login", username=user.username, password=PASSWORD)
    assert "__Host-authserver" in browser.cookies, browser.page.text


# -- clients that sign ------------------------------------------------------------------------


def jwks_of(key: ProofKey) -> str:
    """The public half, as a client registers it."""
    return json.dumps({"keys": [{**key.jwk, "kid": "one", "alg": key.alg, "use": "sig"}]})


def request_object(
    one: Asker,
    key: ProofKey,
    *,
    header: Mapping[str, Any] | None = None,
    jwt: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """A right one, but for `changes` of its parameters, of its own claims (`jwt`) and of its `header`; None takes one
    away."""
    now = one.site.services.now() // SECOND
    claims = {"iss": one.client.id, "aud": ISSUER, "iat": now, "nbf": now, "exp": now + 60, **(jwt or {})}
    head = {"alg": key.alg, "kid": "one", "typ": "oauth-authz-req+jwt", **(header or {})}
    members = {**claims, **one.parameters(), **changes}
    return key.signed(_without_none(head), _without_none(members))


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
