"""/account/device in a browser (RFC 8628 section 3.3, with the warnings of RFC 10027)."""

from __future__ import annotations

from typing import Any

import pytest

from authserver.oauth.device import DEVICE_CODE
from tests.browser import Browser
from tests.browser_flow import log_in
from tests.site import API, PASSWORD, Party, Site

UNKNOWN = "There is no device waiting with this code: check it, or start again on the device."


async def _television(site: Site, **fields: Any) -> Party:
    settled = {"name": "Television", "grant_types": (DEVICE_CODE,), "scopes": ("openid", "read"), "resources": (API,)}
    return await site.client(secret=False, **{**settled, **fields})


async def _waiting(site: Site, **fields: Any) -> dict[str, Any]:
    """A device that has just asked, from the address of the site's own client."""
    client = await _television(site, **fields)
    answer = await site.http.post("/device_authorization", data={"client_id": client.id, "scope": "openid read"})
    return {"client": client, **answer.json()}


async def _person(site: Site, name: str = "ada") -> Browser:
    browser = Browser(site, address="198.51.100.9")
    await log_in(browser, await site.user(name))
    return browser


async def _state(site: Site, asked: dict[str, Any]) -> str:
    form = {"grant_type": DEVICE_CODE, "device_code": asked["device_code"], "client_id": asked["client"].id}
    body = (await site.http.post("/token", data=form)).json()
    return str(body.get("error", "tokens"))


async def test_the_page_says_who_asks_from_where_and_when_to_stop(site: Site) -> None:
    asked, browser = await _waiting(site), await _person(site)
    page = await browser.get("/device")
    assert page.path == "/account/device"
    assert "If somebody sent you a code or a link with one, stop here" in page.text
    page = await browser.submit("device", user_code=asked["user_code"])
    assert page.shown("client_name") == "Television"
    assert page.shown("client_id") == asked["client"].id
    assert page.shown("user") == "ada"
    assert page.shown("shown_code") == asked["user_code"]
    assert page.shown("address") == "192.0.2.7", "the device's, not the browser's"
    assert "only if the device is in front of you" in page.shown("stop")
    assert "read" in page.shown("scopes")
    assert API in page.shown("resources")
    assert page.response.headers["content-security-policy"].endswith("; form-action 'self'")


async def test_the_short_address_takes_the_code_too(site: Site) -> None:
    asked, browser = await _waiting(site), await _person(site)
    csrf = (await browser.get("/device")).forms["device"].fields["csrf"]
    page = await browser.post("/device", csrf=csrf, user_code=asked["user_code"])
    assert page.shown("client_name") == "Television"
    assert (await browser.post("/device", csrf="x", user_code=asked["user_code"])).status == 403


@pytest.mark.parametrize(
    ("button", "title", "state"),
    [("allow", "Device connected", "tokens"), ("deny", "Device refused", "access_denied")],
)
async def test_the_answer_reaches_the_device(site: Site, button: str, title: str, state: str) -> None:
    asked, browser = await _waiting(site), await _person(site)
    await browser.get("/account/device")
    await browser.submit("device", user_code=asked["user_code"])
    page = await browser.submit("device_confirm", button)
    assert (page.status, page.title) == (200, title)
    assert await _state(site, asked) == state


async def test_a_link_with_a_code_fills_in_the_field_and_decides_nothing(site: Site) -> None:
    asked, browser = await _waiting(site), await _person(site)
    page = await browser.get(asked["verification_uri_complete"])
    assert page.forms["device"].fields["user_code"] == asked["user_code"]
    assert page.find("allow") is None
    assert await _state(site, asked) == "authorization_pending"


async def test_who_is_not_logged_in_logs_in_first_and_keeps_the_code(site: Site) -> None:
    asked, browser = await _waiting(site), Browser(site)
    user = await site.user()
    page = await browser.get(asked["verification_uri_complete"])
    assert page.path == "/account/login"
    page = await browser.submit("login", username=user.username, password=PASSWORD)
    assert page.path == "/account/device"
    assert page.forms["device"].fields["user_code"] == asked["user_code"]


@pytest.mark.parametrize("code", ["BBBB-BBBB", "x", "\"'><script>alert(1)</script>", "é" * 30])
async def test_a_wrong_code_is_told_on_the_page_and_can_be_corrected(site: Site, code: str) -> None:
    browser = await _person(site)
    await browser.get("/account/device")
    page = await browser.submit("device", user_code=code)
    assert (page.status, page.alert) == (400, UNKNOWN)
    assert page.forms["device"].fields["user_code"] == code
    assert page.document.all("script") == []


async def test_a_link_cannot_put_anything_but_a_code_into_the_field(site: Site) -> None:
    browser = await _person(site)
    for code in ("%22%3E%3Cscript%3E", "a%0d%0ab", "x" * 50):
        page = await browser.get(f"/device?user_code={code}")
        assert page.forms["device"].fields["user_code"] == ""


async def test_guesses_are_limited(site: Site) -> None:
    browser = await _person(site)
    await browser.get("/account/device")
    for _ in range(11):
        page = await browser.submit("device", user_code="BBBB-BBBB")
    assert page.status == 429
    assert int(page.response.headers["retry-after"]) > 0
    assert page.alert == "Too many wrong codes, try again later."


async def test_what_was_decided_once_is_not_decided_again(site: Site) -> None:
    asked, browser = await _waiting(site), await _person(site)
    await browser.get("/account/device")
    confirm = (await browser.submit("device", user_code=asked["user_code"])).forms["device_confirm"].fields
    await browser.submit("device_confirm", "deny")
    page = await browser.post("/account/device", **confirm, decision="allow")
    assert (page.status, page.alert) == (400, UNKNOWN)
    assert await _state(site, asked) == "access_denied"


async def test_a_forged_form_connects_no_device(site: Site) -> None:
    """An attacker's device, and a victim who is logged in here and visits the attacker's site."""
    asked, victim, attacker = await _waiting(site), await _person(site), await _person(site, "eve")
    await attacker.get("/account/device")
    form = {"user_code": asked["user_code"], "decision": "allow", "csrf": attacker.page.forms["device"].fields["csrf"]}
    assert (await victim.post("/account/device", headers={"sec-fetch-site": "cross-site"}, **form)).status == 403
    assert (await victim.post("/account/device", **form)).status == 403
    assert await _state(site, asked) == "authorization_pending"
