"""Authorization requests of a client of tests, and what it does with the answers."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from authserver.model.account import User
from authserver.oauth.pkce import challenge_of
from tests.browser import Browser, Page
from tests.site import API, PASSWORD, Party, Site

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

    async def trade(self, code: str, on: int = 0, **changes: str | None) -> httpx.Response:
        """A right token request, but for `changes`."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": self.verifier,
            **changes,
        }
        return await self.token(on, **form)

    async def token(self, on: int = 0, **form: str | None) -> httpx.Response:
        sent = {name: value for name, value in form.items() if value is not None}
        if self.client.secret is None:
            sent.setdefault("client_id", self.client.id)
            return await self.site.instances[on].http.post("/token", data=sent)
        return await self.site.instances[on].http.post("/token", data=sent, auth=self.client.auth)

    async def push(self, **changes: str | None) -> httpx.Response:
        form = self.parameters(**changes)
        if self.client.secret is None:
            return await self.site.http.post("/par", data=form)
        return await self.site.http.post("/par", data=form, auth=self.client.auth)


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
