"""/account in a browser: sessions, applications, log out."""

from __future__ import annotations

import pytest

from authserver.model.time import MINUTE
from tests.browser import Browser
from tests.browser_flow import asker, log_in, public_app, web_app
from tests.people import pass_time
from tests.site import PASSWORD, Site

SESSION = "__Host-authserver"


async def _logged_in(site: Site, username: str = "ada") -> Browser:
    browser = Browser(site)
    await log_in(browser, await site.user(username))
    return browser


async def test_nobody_is_led_to_the_log_in(site: Site) -> None:
    page = await Browser(site).get("/account")
    assert page.path == "/account/login"


async def test_it_says_who_one_is(site: Site) -> None:
    user = await site.user("ada")
    browser = Browser(site)
    await log_in(browser, user)
    page = await browser.get("/account")
    assert (page.shown("username"), page.shown("user_id")) == ("ada", user.id)


async def test_every_log_in_is_listed_this_browser_first(site: Site) -> None:
    user = await site.user("ada")
    await site.log_in(user, await site.app(name="Mail on the phone"))
    pass_time(site, MINUTE)
    browser = Browser(site)
    await log_in(browser, user)
    sessions = [item.text for item in (await browser.get("/account")).document.all("ul")[0].all("li")]
    assert len(sessions) == 2
    assert "(this browser)" in sessions[0]
    assert "Mail on the phone" in sessions[1]
    assert "(this browser)" not in sessions[1]


async def test_one_session_can_be_ended_and_only_that_one(site: Site) -> None:
    user = await site.user("ada")
    app = await site.app()
    first, second = await site.log_in(user, app), await site.log_in(user, app)
    browser = Browser(site)
    await log_in(browser, user)
    page = await browser.get("/account")
    (form,) = [f for f in page.forms if f == f"end-{await _session_of(site, first.bearer)}"]
    page = await browser.submit(form)
    assert page.shown("done") == "That session has ended."
    assert not await site.active(first.tokens["access_token"])
    assert await site.active(second.tokens["access_token"])


async def _session_of(site: Site, bearer: dict[str, str]) -> str:
    return str((await site.http.get("/session", headers=bearer)).json()["session"]["session_id"])


async def test_another_users_session_is_not_there(site: Site) -> None:
    other = await site.log_in(await site.user("eve"), await site.app())
    browser = await _logged_in(site)
    csrf = await _csrf(browser)
    theirs = await _session_of(site, other.bearer)
    page = await browser.post(f"/account/sessions/{theirs}/end", csrf=csrf)
    assert page.status == 404
    assert page.title == "There is nothing here"
    assert await site.active(other.tokens["access_token"])


async def _csrf(browser: Browser) -> str:
    await browser.get("/account/logout")
    return browser.page.forms["logout"].fields["csrf"]


async def test_everywhere_else_can_be_ended_at_once(site: Site) -> None:
    user = await site.user("ada")
    app = await site.app()
    others = [await site.log_in(user, app) for _ in range(3)]
    browser = Browser(site)
    await log_in(browser, user)
    await browser.get("/account")
    page = await browser.submit("end_others")
    assert page.shown("done") == "You are logged out everywhere else."
    assert [await site.active(other.tokens["access_token"]) for other in others] == [False] * 3
    assert "end_others" not in page.forms


async def test_applications_are_listed_with_what_they_may(site: Site) -> None:
    one = await asker(site, await web_app(site, name="Cat Pictures"))
    await log_in(one.browser, await site.user("ada"))
    await one.ask()
    await one.browser.submit("consent", "allow")
    page = await one.browser.get("/account")
    assert "Cat Pictures" in page.shown("app-1")
    assert "identifier of your account; read" in page.shown("app-1")


async def test_withdrawing_ends_what_the_application_had(site: Site) -> None:
    one = await asker(site, await web_app(site))
    await log_in(one.browser, await site.user("ada"))
    await one.ask()
    code = (await one.browser.submit("consent", "allow")).answer["code"]
    tokens = (await one.trade(code)).json()
    await one.browser.get("/account")
    page = await one.browser.submit("withdraw-1")
    assert page.shown("done") == "That application has no access any more."
    assert "You have allowed no application anything." in page.text
    assert not await site.active(tokens["access_token"])
    assert (await one.ask()).path == "/account/consent"


async def test_an_application_whose_id_is_no_word_can_be_withdrawn(site: Site) -> None:
    client = await public_app(site, id="urn:app//client?a=b&c", origin="dynamic", name="Your Bank")
    one = await asker(site, client)
    await log_in(one.browser, await site.user("ada"))
    await one.ask()
    await one.browser.submit("consent", "allow")
    page = await one.browser.get("/account")
    assert "urn:app//client?a=b&c" in page.shown("app-1")
    page = await one.browser.submit("withdraw-1")
    assert "You have allowed no application anything." in page.text


async def test_logging_out_ends_the_session_and_clears_its_cookie(site: Site) -> None:
    browser = await _logged_in(site)
    cookie = browser.cookies[SESSION]
    await browser.get("/account/logout")
    page = await browser.submit("logout", "confirm")
    assert page.title == "You are logged out"
    assert SESSION not in browser.cookies
    browser.cookies[SESSION] = cookie
    assert (await browser.get("/account")).path == "/account/login"


async def test_opening_the_log_out_page_ends_nothing(site: Site) -> None:
    browser = await _logged_in(site)
    await browser.get("/account/logout")
    page = await browser.submit("logout", "stay")
    assert (page.path, page.shown("username")) == ("/account", "ada")


async def test_a_log_out_after_the_end_says_that_it_is_over(site: Site) -> None:
    assert (await Browser(site).get("/account/logout")).title == "You are logged out"


async def test_ending_the_session_of_this_browser_is_logging_out(site: Site) -> None:
    browser = await _logged_in(site)
    session_id = (await browser.get("/session", accept="application/json")).response.json()["session"]["session_id"]
    page = await browser.post(f"/account/sessions/{session_id}/end", csrf=await _csrf(browser))
    assert page.path == "/account/logout"


PATHS = ["/account/sessions/end-others", "/account/consents/withdraw", "/account/logout", "/account/consent"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_form_without_the_token_of_this_session_changes_nothing(site: Site, path: str) -> None:
    browser, other = await _logged_in(site), await _logged_in(site, "eve")
    form = {"client_id": "x", "decision": "logout"}
    for csrf in (await _csrf(other), "", "x"):
        page = await browser.post(path, **form, csrf=csrf)
        assert page.status == 403
        assert page.title == "This is not allowed"
    assert (await browser.get("/account")).shown("username") == "ada"


@pytest.mark.parametrize("path", PATHS)
async def test_a_form_of_another_site_changes_nothing(site: Site, path: str) -> None:
    browser = await _logged_in(site)
    form = {"client_id": "x", "decision": "logout", "csrf": await _csrf(browser)}
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "", "origin": "https://evil.example"},
    ):
        page = await browser.post(path, headers=headers, **form)
        assert page.status == 403
        assert "pages of other sites" in page.alert
    assert (await browser.get("/account")).shown("username") == "ada"


async def test_a_browser_without_fetch_metadata_sends_no_origin_from_our_pages_and_is_let_in(site: Site) -> None:
    """Our pages send no referrer, and then Origin is "null"; the token of the form stands for it."""
    browser = await _logged_in(site)
    csrf = await _csrf(browser)
    page = await browser.post(
        "/account/logout", headers={"sec-fetch-site": "", "origin": "null"}, csrf=csrf, decision="logout"
    )
    assert page.title == "You are logged out"


async def test_the_password_of_the_browsers_session_is_not_asked_twice(site: Site) -> None:
    browser = await _logged_in(site)
    assert (await browser.get("/account/login?next=/account")).path == "/account"
    assert PASSWORD not in browser.page.response.text
