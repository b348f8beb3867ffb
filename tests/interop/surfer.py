"""Somebody in front of a browser: opens a link of an application, logs in, agrees, and is led back to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from tests.browser import Form, Page
from tests.interop.provider import PASSWORD, USERNAME, Provider

MOST_PAGES = 12


@dataclass
class Surfer:
    provider: Provider
    http: httpx.Client

    def follow(self, url: str, *, press: str | None = None) -> str:
        """Where the application's link leads in the end: the first address that is not the provider's. `press`: the
        button (by id) on the page that asks for consent, or else the first one."""
        page = self._open(url)
        for _ in range(MOST_PAGES):
            if page.location and not self._is_ours(urljoin(page.url, page.location)):
                return urljoin(page.url, page.location)
            page = self._open(urljoin(page.url, page.location)) if page.location else self._answer(page, press)
        raise AssertionError(f"round and round at {page.url}")

    def _answer(self, page: Page, press: str | None) -> Page:
        assert page.status == 200, f"{page.status} at {page.url}: {page.text}"
        form = next(iter(page.forms.values()), None)
        assert form is not None, f"no form at {page.url}: {page.text}"
        typed = {"username": USERNAME, "password": PASSWORD} if "password" in form.fields else {}
        return self._submit(page, form, typed, press if press in form.buttons else None)

    def _submit(self, page: Page, form: Form, typed: dict[str, str], press: str | None) -> Page:
        pressed = form.buttons[press] if press else next(iter(form.buttons.values()), None)
        data = form.fields | typed | (dict([pressed]) if pressed else {})
        target = urljoin(page.url, form.action)
        origin = {"origin": self.provider.issuer, "sec-fetch-site": "same-origin"}
        return self._page(self.http.post(target, data=data, headers=origin))

    def _open(self, url: str) -> Page:
        return self._page(self.http.get(url))

    def _page(self, response: httpx.Response) -> Page:
        return Page(response, str(response.url))

    def _is_ours(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self.provider.issuer)[:2]


@contextmanager
def surfing(provider: Provider) -> Iterator[Surfer]:
    """A browser without a past."""
    headers = {"accept": "text/html,*/*;q=0.8", "sec-fetch-site": "none"}
    with httpx.Client(verify=provider.trust, headers=headers, trust_env=False, timeout=20) as http:
        yield Surfer(provider, http)
