"""Attacks on people through their browser: scripts in names, forged forms, frames, borrowed pages."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from tests import people
from tests.browser import Browser, Page
from tests.browser_flow import asker, log_in, public_app, web_app
from tests.site import PASSWORD, Site

site = people.site

SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{'Q'*9}}"


def _is_clean(page: Page) -> bool:
    """Nothing of it became markup, and templates were not run on it."""
    tags = {"script", "img"}
    return page.document.all(*tags) == [] and "QQQQQQQQQ" not in page.text and "onerror=" not in _attributes(page)


def _attributes(page: Page) -> str:
    return " ".join(f"{name}=" for element in _all(page.document) for name in element.attributes)


def _all(element: object) -> list[object]:
    children = element.children  # type: ignore[attr-defined]  # of an Element
    return [item for child in children for item in (child, *_all(child))]


async def test_the_name_of_an_application_is_text(site: Site) -> None:
    one = await asker(site, await web_app(site, name=SCRIPT))
    page = await one.ask()
    assert _is_clean(page)
    assert page.shown("client_name").startswith("\"'><script>alert(1)")
    await site.user("ada")
    page = await one.browser.submit("login", username="ada", password=PASSWORD)
    assert page.path == "/account/consent"
    assert _is_clean(page)
    await one.browser.submit("consent", "allow")
    assert _is_clean(await one.browser.get("/account"))


async def test_names_cannot_turn_the_text_around_them(site: Site) -> None:
    client = await public_app(site, name="evil\u202eelgooG\u2066 \u200bInc", origin="dynamic")
    page = await (await asker(site, client)).ask()
    assert page.shown("client_name") == "evil\ufffdelgooG\ufffd \ufffdInc"
    assert page.find("client_name").tag == "bdi"  # type: ignore[union-attr]  # None would fail here too


@pytest.mark.parametrize("name", ["login_hint", "state", "ui_locales", "nonce", "scope", "client_id", "redirect_uri"])
async def test_parameters_are_text(site: Site, name: str) -> None:
    one = await asker(site)
    page = await one.ask(**{name: SCRIPT})
    assert _is_clean(page)
    if page.forms:
        page = await one.browser.submit("login", username=SCRIPT, password="x")
        assert _is_clean(page)
        assert page.forms["login"].fields["username"] == SCRIPT


async def test_what_is_typed_into_an_address_is_text(site: Site) -> None:
    browser = Browser(site)
    for path in ("/account/login?flow=", "/account/login?next=", "/account/consent?flow=", "/account?done="):
        assert _is_clean(await browser.get(path + quote(SCRIPT)))


async def test_a_browsers_own_name_is_text(site: Site) -> None:
    browser = Browser(site)
    user = await site.user()
    await browser.get("/account/login")
    form = browser.page.forms["login"].fields | {"username": user.username, "password": PASSWORD}
    page = await browser.post("/account/login", headers={"user-agent": SCRIPT}, **form)
    assert page.path == "/account"
    assert _is_clean(page)


async def test_a_victim_cannot_be_logged_in_as_the_attacker(site: Site) -> None:
    """Log-in CSRF: the attacker's name and password, sent by the victim's browser from another site."""
    await site.user("attacker")
    attacker = Browser(site)
    await attacker.get("/account/login")
    form = attacker.page.forms["login"].fields | {"username": "attacker", "password": PASSWORD}
    victim = Browser(site)
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-origin"},
    ):
        page = await victim.post("/account/login", headers=headers, **form)
        assert page.status == 403
    await victim.get("/account/login")
    page = await victim.post("/account/login", **form)
    assert page.status == 403, "the token is the attacker's, the cookie the victim's"
    assert "__Host-authserver" not in victim.cookies


async def test_even_a_form_with_the_right_token_is_not_taken_from_another_site(site: Site) -> None:
    """Whatever leaked the token, the browser says where the form comes from."""
    await site.user("ada")
    browser = Browser(site)
    await browser.get("/account/login")
    form = browser.page.forms["login"].fields | {"username": "ada", "password": PASSWORD}
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "", "origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site", "origin": "null"},
    ):
        page = await browser.post("/account/login", headers=headers, **form)
        assert page.status == 403
        assert "pages of other sites" in page.alert
    assert (await browser.post("/account/login", **form)).path == "/account"


async def test_a_cookie_that_was_planted_beside_ours_counts_for_nothing(site: Site) -> None:
    browser = Browser(site)
    await log_in(browser, await site.user("ada"))
    real = browser.cookies["__Host-authserver"]
    page = await browser.get("/account", cookie=f"__Host-authserver={real}; __Host-authserver={real[:-4]}AAAA")
    assert page.path == "/account/login"


async def _pages(site: Site) -> list[Page]:
    """One of every kind."""
    one = await asker(site)
    pages = [await one.ask(), await one.ask(redirect_uri="https://evil.example")]
    await log_in(one.browser, await site.user())
    pages += [await one.ask(), await one.browser.get("/account"), await one.browser.get("/account/logout")]
    return pages


async def test_no_page_can_be_framed_kept_or_told_on(site: Site) -> None:
    for page in await _pages(site):
        headers = page.response.headers
        assert page.document.all("html"), page.url
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        assert not re.search(r"<[^>]*\sstyle=|<style", page.response.text)


async def test_no_page_shows_a_secret(site: Site) -> None:
    one = await asker(site)
    for page in await _pages(site):
        assert one.client.secret is not None
        assert one.client.secret not in page.response.text
        assert PASSWORD not in page.response.text
        assert all(value not in page.response.text for value in one.browser.cookies.values())
