"""POST /logout."""

from __future__ import annotations

from tests import people
from tests.people import Browser
from tests.site import Site

site = people.site


async def test_by_cookie_ends_the_session_and_clears_the_cookie(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    old = dict(browser.cookies)
    response = await browser.post("/logout")
    assert (response.status_code, response.content) == (204, b"")
    assert "__Host-authserver" not in browser.cookies
    browser.cookies = old
    assert (await browser.get("/session")).status_code == 401


async def test_the_device_stays_known_after_logging_out(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    await browser.post("/logout")
    assert "__Host-authserver-device" in browser.cookies


async def test_by_token_ends_session_family_and_token(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app())
    assert (await site.http.post("/logout", headers=login.bearer)).status_code == 204
    assert not await site.active(login.tokens["access_token"])
    assert (await site.refresh(login)).json()["error_reason"] == "session_ended"


async def test_it_says_where_in_the_revocation_log_it_stands(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app())
    response = await site.http.post("/logout", headers=login.bearer)
    assert int(response.headers["revocation-seq"]) > 0


async def test_other_devices_stay_logged_in(site: Site) -> None:
    app, user = await site.app(), await site.user()
    one, other = await site.log_in(user, app), await site.log_in(user, app)
    await site.http.post("/logout", headers=one.bearer)
    assert await site.active(other.tokens["access_token"])


async def test_twice_by_cookie_is_204_both_times(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    old = dict(browser.cookies)
    await browser.post("/logout")
    browser.cookies = old
    assert (await browser.post("/logout")).status_code == 204
    assert "__Host-authserver" not in browser.cookies


async def test_by_nobody_is_401(site: Site) -> None:
    assert (await site.http.post("/logout")).status_code == 401


async def test_by_a_dead_token_is_401(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app())
    await site.http.post("/logout", headers=login.bearer)
    response = await site.http.post("/logout", headers=login.bearer)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")


async def test_it_is_audited_with_who_did_it(site: Site) -> None:
    user = await site.user()
    login = await site.log_in(user, await site.app())
    await site.http.post("/logout", headers=login.bearer)
    events = (await site.http.get("/admin/audit?type=session.ended", headers=await site.admin())).json()["items"]
    assert [(event["actor"], event["user_id"], event["detail"]["reason"]) for event in events] == [
        (f"user:{user.id}", user.id, "logged out")
    ]
