"""A device asks, a person answers in a browser, the device gets its tokens (RFC 8628)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from authserver.model.time import SECOND
from authserver.oauth.device import DEVICE_CODE
from tests.attacks.conftest import keys_dir, site
from tests.browser import Browser
from tests.site import API, PASSWORD, Party, Site, claims_of

__all__ = ["keys_dir", "site"]

READ = "openid read"


@pytest.fixture
async def television(site: Site) -> Party:
    return await site.client(
        secret=False,
        name="Television",
        grant_types=(DEVICE_CODE, "refresh_token"),
        scopes=("openid", "read", "write"),
        resources=(API,),
    )


async def ask(site: Site, device: Party, **form: str) -> dict[str, Any]:
    answer = await site.http.post("/device_authorization", data={"client_id": device.id, "scope": READ, **form})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


async def poll(site: Site, device: Party, device_code: str, on: int = 0) -> httpx.Response:
    form = {"grant_type": DEVICE_CODE, "device_code": device_code, "client_id": device.id}
    return await site.instances[on].http.post("/token", data=form)


async def person(site: Site) -> Browser:
    """Somebody who is logged in."""
    user, browser = await site.user(), Browser(site)
    await browser.get("/account/login")
    await browser.submit("login", username=user.username, password=PASSWORD)
    return browser


async def answer(browser: Browser, user_code: str, button: str) -> None:
    await browser.get("/device")
    await browser.submit("device", user_code=user_code)
    await browser.submit("device_confirm", button)


async def test_a_person_allows_it_and_the_device_gets_tokens(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    assert asked["verification_uri_complete"] == f"{asked['verification_uri']}?user_code={asked['user_code']}"
    assert (asked["interval"], asked["expires_in"]) == (5, 600)
    assert (await poll(site, television, asked["device_code"])).json()["error"] == "authorization_pending"
    browser = await person(site)
    await browser.get("/device")
    await browser.submit("device", user_code=asked["user_code"].lower().replace("-", " "))
    assert "Television" in browser.page.text
    await browser.submit("device_confirm", "allow")
    tokens = (await poll(site, television, asked["device_code"])).json()
    assert tokens["scope"] == READ
    assert claims_of(tokens["access_token"])["aud"] == API
    assert claims_of(tokens["id_token"])["aud"] == television.id
    again = await site.http.post(
        "/token",
        data={
            "grant_type": "refresh_token",
            "refresh_token": tokens["refresh_token"],
            "client_id": television.id,
        },
    )
    assert again.status_code == 200, again.text


async def test_logging_out_of_the_browser_leaves_the_device_logged_in(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    browser = await person(site)
    await answer(browser, asked["user_code"], "allow")
    tokens = (await poll(site, television, asked["device_code"])).json()
    await browser.get("/account/logout")
    await browser.submit("logout")
    assert await site.active(tokens["access_token"])


async def test_its_client_is_told_when_the_device_is_logged_out_and_not_when_the_browser_is(site: Site) -> None:
    device = await site.client(
        secret=False,
        grant_types=(DEVICE_CODE, "refresh_token"),
        scopes=("openid", "read"),
        resources=(API,),
        backchannel_logout_uri="https://television.example/logout",
    )
    asked = await ask(site, device)
    browser = await person(site)
    await answer(browser, asked["user_code"], "allow")
    tokens = (await poll(site, device, asked["device_code"])).json()
    sid = claims_of(tokens["id_token"])["sid"]
    assert sid == claims_of(tokens["access_token"])["sid"]
    await browser.get("/account/logout")
    await browser.submit("logout")
    assert await to_be_told(site) == 0
    headers = await site.admin()
    sessions = (await site.http.get(f"/admin/sessions?client_id={device.id}", headers=headers)).json()["items"]
    assert len(sessions) == 1
    await site.http.delete(f"/admin/sessions/{sessions[0]['session_id']}", headers=headers)
    assert await to_be_told(site) == 1


async def to_be_told(site: Site) -> int:
    """How many ends of log-ins clients have still to be told."""
    while await site.services.logouts.expand(limit=100, now=site.services.now()):
        pass
    return await site.services.logouts.waiting()


async def test_a_person_says_no(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    await answer(await person(site), asked["user_code"], "deny")
    assert (await poll(site, television, asked["device_code"])).json()["error"] == "access_denied"


async def test_whoever_polls_too_fast_is_slowed_down(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    errors = [(await poll(site, television, asked["device_code"])).json()["error"] for _ in range(3)]
    assert errors == ["authorization_pending", "slow_down", "slow_down"]


async def test_a_device_code_is_used_once_however_many_ask(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    await answer(await person(site), asked["user_code"], "allow")
    polls = await asyncio.gather(*(poll(site, television, asked["device_code"], on=n % 2) for n in range(10)))
    assert sorted(each.status_code for each in polls) == [200] + [400] * 9
    assert {each.json()["error"] for each in polls if each.status_code == 400} == {"invalid_grant"}


async def test_a_device_code_of_another_client_is_not_valid(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    other = await site.client(secret=False, grant_types=(DEVICE_CODE,), scopes=("read",))
    assert (await poll(site, other, asked["device_code"])).json()["error"] == "invalid_grant"
    assert (await poll(site, television, asked["device_code"])).json()["error"] == "authorization_pending"


@pytest.mark.parametrize("code", ["", "made-up", "A" * 68])
async def test_a_made_up_device_code_is_not_valid(site: Site, television: Party, code: str) -> None:
    error = (await poll(site, television, code)).json()["error"]
    assert error == ("invalid_grant" if code else "invalid_request")


async def test_a_code_that_nobody_answered_expires(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    now = site.services.now
    now.anchor(now() + 601 * SECOND, 0)
    assert (await poll(site, television, asked["device_code"])).json()["error"] == "expired_token"
    browser = await person(site)
    await browser.get("/device")
    await browser.submit("device", user_code=asked["user_code"])
    assert "no device waiting" in browser.page.alert


async def test_the_session_that_approved_is_over_before_the_device_asks(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    browser = await person(site)
    await answer(browser, asked["user_code"], "allow")
    await browser.get("/account/logout")
    await browser.submit("logout")
    assert (await poll(site, television, asked["device_code"])).json()["error"] == "invalid_grant"


async def test_guessing_user_codes_is_stopped_also_for_the_right_one(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    browser = await person(site)
    statuses = []
    for _ in range(12):
        await browser.get("/device")
        await browser.submit("device", user_code="BBBB-BBBB")
        statuses.append(browser.page.status)
    assert statuses == [400] * 10 + [429] * 2
    await browser.get("/device")
    await browser.submit("device", user_code=asked["user_code"])
    assert browser.page.status == 429
    assert int(browser.page.response.headers["retry-after"]) > 60


async def test_a_scope_that_the_client_may_not_have_is_refused(site: Site, television: Party) -> None:
    refused = await site.http.post("/device_authorization", data={"client_id": television.id, "scope": "admin"})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


async def test_a_client_that_is_not_registered_for_devices_is_refused(site: Site) -> None:
    app = await site.app()
    refused = await site.http.post("/device_authorization", data={"client_id": app.id})
    assert refused.json()["error"] == "unauthorized_client"


async def test_a_link_with_the_code_does_not_decide_anything(site: Site, television: Party) -> None:
    """RFC 10027: whoever opens a link that an attacker sent still has to press the button, and is told who asks."""
    asked = await ask(site, television)
    browser = await person(site)
    await browser.get(f"/device?user_code={asked['user_code']}")
    assert browser.page.forms["device"].fields["user_code"] == asked["user_code"]
    assert (await poll(site, television, asked["device_code"])).json()["error"] == "authorization_pending"
