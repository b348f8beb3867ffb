"""/account/login in a browser."""

from __future__ import annotations

import re

import pytest

from authserver.audit.events import EventType
from authserver.model.audit import SYSTEM, AuditEvent
from authserver.model.page import PageRequest
from authserver.model.session import Session
from authserver.model.time import HOUR, MINUTE, SECOND
from authserver.storage.interface import AuditFilter, SessionFilter
from tests.browser import Browser, Element
from tests.browser_flow import Asker, asker, log_in, public_app, web_app
from tests.people import pass_time
from tests.site import PASSWORD, Site

SESSION = "__Host-authserver"
WRONG = "Username or password is wrong."


async def _at_login(site: Site, username: str = "ada") -> Browser:
    await site.user(username)
    browser = Browser(site)
    await browser.get("/account/login")
    return browser


async def _living(site: Site) -> list[Session]:
    services = site.services
    page = await services.session_store.list(PageRequest(), SessionFilter(), now=services.now())
    return list(page.items)


async def _events(site: Site, kind: EventType) -> list[AuditEvent]:
    """Newest first."""
    return list((await site.services.audit_store.list(PageRequest(limit=200), AuditFilter(type=kind.value))).items)


# -- what it looks like -----------------------------------------------------------------------


def _labels(form: Element) -> dict[str, str]:
    return {label.attributes["for"]: label.text for label in form.all("label")}


async def test_the_form_is_one_that_password_managers_and_screen_readers_know(site: Site) -> None:
    page = await Browser(site).get("/account/login")
    form = page.forms["login"]
    inputs = {item.attributes["name"]: item.attributes for item in form.all("input")}
    assert page.status == 200
    assert page.document.all("html")[0].attributes["lang"] == "en"
    assert _labels(form) == {"username": "User name", "password": "Password"}
    assert (inputs["username"]["autocomplete"], inputs["password"]["autocomplete"]) == ("username", "current-password")
    assert inputs["password"]["type"] == "password"
    assert [heading.text for heading in page.document.all("h1")] == ["Log in"]
    assert {"log_in"} == set(form.buttons)


async def test_the_page_needs_no_script_and_has_no_style_of_its_own(site: Site) -> None:
    page = await Browser(site).get("/account/login")
    policy = page.response.headers["content-security-policy"]
    assert page.document.all("script", "style") == []
    assert not re.search(r"\son\w+=|\sstyle=|javascript:", page.response.text)
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.endswith("; form-action 'self'")
    assert page.response.headers.get_list("content-security-policy") == [policy], "one policy, not two"


async def test_the_style_sheet_may_be_kept_for_ever_and_pages_not_at_all(site: Site) -> None:
    browser = Browser(site)
    page = await browser.get("/account/login")
    href = next(link.attributes["href"] for link in page.document.all("link") if link.attributes["rel"] == "stylesheet")
    style = await browser.get(href)
    assert page.response.headers["cache-control"] == "no-store"
    assert style.status == 200
    assert style.response.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in style.response.headers["cache-control"]
    assert "prefers-color-scheme: dark" in style.response.text
    assert (await browser.get("/account/static/style.0.css")).status == 404


# -- logging in -------------------------------------------------------------------------------


async def test_a_right_password_leads_to_the_account(site: Site) -> None:
    browser = await _at_login(site)
    page = await browser.submit("login", username="ada", password=PASSWORD)
    assert (page.status, page.path) == (200, "/account")
    assert page.shown("username") == "ada"


async def test_the_answer_to_the_form_is_a_303(site: Site) -> None:
    browser = await _at_login(site)
    page = await browser.submit("login", username="ada", password=PASSWORD, follow=False)
    assert (page.status, page.location) == (303, "/account")


async def test_the_session_cookie_cannot_be_read_by_scripts_nor_set_by_subdomains(site: Site) -> None:
    browser = await _at_login(site)
    await browser.submit("login", username="ada", password=PASSWORD)
    assert set(browser.cookies) == {SESSION, f"{SESSION}-device", f"{SESSION}-flow"}
    for line in browser.set_cookies:
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= attributes, line


async def test_the_session_belongs_to_no_client_and_says_how_it_began(site: Site) -> None:
    browser = await _at_login(site)
    await browser.submit("login", username="ada", password=PASSWORD)
    (session,) = await _living(site)
    assert (session.kind, session.client_id) == ("browser", None)
    assert (session.amr, session.acr) == (("pwd",), "urn:authserver:acr:pwd")


async def test_a_session_of_no_client_is_known_everywhere_and_gives_no_token(site: Site) -> None:
    browser = await _at_login(site)
    await browser.submit("login", username="ada", password=PASSWORD)
    who = (await browser.get("/session", accept="application/json")).response
    asked = (await browser.get("/forward-auth", accept="*/*")).response
    listed = (await site.http.get("/admin/sessions", headers=await site.admin())).json()["items"]
    assert who.json()["session"]["client_id"] is None
    assert asked.status_code == 401
    assert "log in through the application" in asked.json()["error_description"]
    assert [item["client_id"] for item in listed] == [None]


async def test_logging_in_again_renews_the_session_of_the_browser(site: Site) -> None:
    one = await asker(site)
    await log_in(one.browser, await site.user("ada"))
    (before,), old = await _living(site), one.browser.cookies[SESSION]
    pass_time(site, 30 * SECOND)
    await one.ask(prompt="login")
    await one.browser.submit("login", username="ada", password=PASSWORD)
    (after,) = await _living(site)
    assert (after.id, after.created_at) == (before.id, before.created_at)
    moved = after.auth_time - before.auth_time
    assert moved >= 30 * SECOND
    assert (after.idle_until - before.idle_until, after.abs_until - before.abs_until) == (moved, moved)
    assert one.browser.cookies[SESSION] != old
    (last, _) = await _events(site, EventType.LOGIN_SUCCEEDED)
    assert (last.session_id, last.detail["renewed"]) == (after.id, True)


async def test_logging_in_as_somebody_else_ends_the_session_that_the_browser_had(site: Site) -> None:
    one = await asker(site)
    await log_in(one.browser, await site.user("ada"))
    await site.user("eve")
    (before,), old = await _living(site), one.browser.cookies[SESSION]
    await one.ask(prompt="login")
    await one.browser.submit("login", username="eve", password=PASSWORD)
    (after,) = await _living(site)
    assert after.id != before.id
    assert after.user_id != before.user_id
    assert one.browser.cookies[SESSION] != old


async def test_somebody_who_is_logged_in_is_not_asked_again(site: Site) -> None:
    browser = await _at_login(site)
    await browser.submit("login", username="ada", password=PASSWORD)
    assert (await browser.get("/account/login")).path == "/account"


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ("/account", "/account"),
        ("/account/device?user_code=WDJB-MJHT", "/account/device?user_code=WDJB-MJHT"),
        ("https://evil.example/", "/account"),
        ("//evil.example/", "/account"),
        ("/account/../admin", "/account"),
        ("/account\\@evil.example", "/account"),
        ("/account/device?user_code=x%0d%0aSet-Cookie:y", "/account"),
    ],
)
async def test_a_log_in_leads_to_our_own_pages_only(site: Site, asked: str, where: str) -> None:
    browser = await _at_login(site)
    page = browser.page
    form = page.forms["login"].fields | {"username": "ada", "password": PASSWORD, "next": asked}
    sent = await browser.post("/account/login", follow=False, **form)
    assert sent.location == where


# -- refusals ---------------------------------------------------------------------------------


def _but_for_names(text: str, *names: str) -> str:
    for name in names:
        text = text.replace(name, "NAME")
    return text


async def test_an_unknown_user_and_a_wrong_password_look_the_same(site: Site) -> None:
    browser = await _at_login(site)
    wrong = await browser.submit("login", username="ada", password="not it")
    unknown = await browser.submit("login", username="eve", password="not it")
    assert wrong.status == unknown.status == 401
    assert wrong.alert == unknown.alert == WRONG
    assert _but_for_names(wrong.response.text, "ada") == _but_for_names(unknown.response.text, "eve")


async def test_what_was_typed_stays_except_the_password(site: Site) -> None:
    browser = await _at_login(site)
    page = await browser.submit("login", username="ada", password="my dog's name")
    assert page.forms["login"].fields["username"] == "ada"
    assert "my dog" not in page.response.text
    assert page.forms["login"].all("input")[-1].attributes["aria-describedby"] == "error"
    assert (await browser.submit("login", password=PASSWORD)).path == "/account"


async def test_an_empty_field_is_said_to_be_one(site: Site) -> None:
    browser = await _at_login(site)
    page = await browser.submit("login", username="ada")
    assert (page.status, page.alert) == (400, "Enter your user name and your password.")


async def test_a_disabled_user_is_told_what_everybody_is(site: Site) -> None:
    user = await site.user("ada")
    await site.services.directory.set_enabled(user.id, False, caller=SYSTEM)
    browser = Browser(site)
    await browser.get("/account/login")
    assert (await browser.submit("login", username="ada", password=PASSWORD)).alert == WRONG


async def test_guesses_are_slowed_down_by_the_limits_of_every_log_in(site: Site) -> None:
    app = await site.app()
    browser = await _at_login(site)
    for _ in range(10):
        body = {"username": "ada", "password": "not it", "client_id": app.id}
        assert (await site.http.post("/login", json=body)).status_code == 401
    page = await browser.submit("login", username="ada", password="not it")
    seconds = int(page.response.headers["retry-after"])
    assert page.status == 429
    assert page.alert == f"Too many log-in attempts, try again later (in {seconds} seconds)."
    assert page.forms["login"].fields["username"] == "ada"
    assert len(await _events(site, EventType.LOGIN_THROTTLED)) == 1
    pass_time(site, 2 * MINUTE)
    assert (await browser.submit("login", username="ada", password=PASSWORD)).path == "/account"


async def test_a_known_browser_gets_in_while_others_guess(site: Site) -> None:
    browser = await _at_login(site)
    await browser.submit("login", username="ada", password=PASSWORD)
    await browser.get("/account/logout")
    await browser.submit("logout", "confirm")
    stranger = Browser(site, address="198.51.100.9")
    await stranger.get("/account/login")
    for _ in range(11):
        await stranger.submit("login", username="ada", password="not it")
    assert stranger.page.status == 429
    await browser.get("/account/login")
    assert (await browser.submit("login", username="ada", password=PASSWORD)).path == "/account"


async def test_a_server_that_is_busy_says_so_on_the_page_and_counts_no_attempt(site: Site) -> None:
    browser = await _at_login(site)
    passwords = site.services.passwords
    enough, passwords._limit = passwords._limit, 0
    for _ in range(12):
        page = await browser.submit("login", username="ada", password=PASSWORD)
        assert (page.status, page.response.headers["retry-after"]) == (503, "2")
        assert page.alert == "Too many log-ins at once, try again."
    passwords._limit = enough
    assert (await browser.submit("login", username="ada", password=PASSWORD)).path == "/account"


async def test_every_attempt_is_in_the_audit_log(site: Site) -> None:
    browser = await _at_login(site)
    await browser.submit("login", username="ada", password="not it")
    await browser.submit("login", username="ada", password=PASSWORD)
    assert [len(await _events(site, kind)) for kind in (EventType.LOGIN_FAILED, EventType.LOGIN_SUCCEEDED)] == [1, 1]


async def test_over_plain_http_on_a_network_nobody_is_asked_for_a_password(site: Site) -> None:
    response = await site.http.get("http://auth.example/account/login", headers={"accept": "text/html"})
    assert response.status_code == 403
    assert "https" in response.text
    assert "set-cookie" not in response.headers
    assert 'name="password"' not in response.text


# -- for a request that is under way ----------------------------------------------------------


async def _asking(site: Site, **fields: object) -> Asker:
    await site.user("ada")
    return await asker(site, **{"first_party": True, "name": "Cat Pictures", **fields})


async def test_the_page_says_who_asks(site: Site) -> None:
    one = await _asking(site)
    page = await one.ask()
    assert (page.status, page.path) == (200, "/account/login")
    assert page.shown("client_name") == "Cat Pictures"
    assert page.shown("redirect_host") == "app.example"


async def test_after_the_log_in_the_request_goes_on(site: Site) -> None:
    one = await _asking(site)
    await one.ask()
    page = await one.browser.submit("login", username="ada", password=PASSWORD)
    assert page.location.startswith("https://app.example/callback?")
    assert {"code", "state", "iss"} == set(page.answer)
    assert (await one.trade(page.answer["code"])).status_code == 200


async def test_a_wrong_password_does_not_lose_the_request(site: Site) -> None:
    one = await _asking(site)
    await one.ask()
    await one.browser.submit("login", username="ada", password="not it")
    assert one.browser.page.shown("client_name") == "Cat Pictures"
    page = await one.browser.submit("login", username="ada", password=PASSWORD)
    assert "code" in page.answer


async def test_a_form_may_lead_to_the_application_and_where_that_goes_on_to(site: Site) -> None:
    policy = (await (await _asking(site)).ask()).response.headers["content-security-policy"]
    assert policy.endswith("; form-action 'self' https://app.example https:")


async def test_the_hint_of_the_application_stands_in_the_field(site: Site) -> None:
    page = await (await _asking(site)).ask(login_hint="ada")
    assert page.forms["login"].fields["username"] == "ada"


async def test_cancelling_tells_the_application(site: Site) -> None:
    one = await _asking(site)
    await one.ask()
    page = await one.browser.submit("login", "cancel")
    assert page.location.startswith("https://app.example/callback?")
    assert page.answer["error"] == "access_denied"
    assert page.answer["state"] == "a state"
    assert SESSION not in one.browser.cookies


async def test_cancelling_a_second_log_in_leaves_the_session_as_it_was(site: Site) -> None:
    one = await _asking(site)
    await one.browser.get("/account/login")
    await one.browser.submit("login", username="ada", password=PASSWORD)
    before, cookie = await _living(site), one.browser.cookies[SESSION]
    page = await one.ask(prompt="login")
    assert page.path == "/account/login"
    page = await one.browser.submit("login", "cancel")
    assert page.answer["error"] == "access_denied"
    assert await _living(site) == before
    assert one.browser.cookies[SESSION] == cookie


async def test_who_logs_in_again_sees_their_name_and_may_be_somebody_else(site: Site) -> None:
    one = await _asking(site)
    await site.user("eve")
    await one.browser.get("/account/login")
    await one.browser.submit("login", username="ada", password=PASSWORD)
    page = await one.ask(prompt="login")
    assert page.forms["login"].fields["username"] == "ada"
    assert page.find("again") is not None
    page = await one.browser.submit("login", username="eve", password=PASSWORD)
    assert "code" in page.answer
    assert (await one.browser.get("/account")).shown("username") == "eve"


async def test_a_page_that_was_left_open_for_an_hour_says_what_to_do(site: Site) -> None:
    one = await _asking(site)
    await one.ask()
    form = one.browser.page.forms["login"]
    pass_time(site, HOUR)
    for page in (
        await one.browser.get(one.browser.page.url),
        await one.browser.post("/account/login", **(form.fields | {"username": "ada", "password": PASSWORD})),
    ):
        assert page.status == 400
        assert page.alert.startswith("this page belongs to another browser, or was left open for too long")
        assert page.shown("request_id") == page.response.headers["x-request-id"]
        assert SESSION not in one.browser.cookies


async def test_clients_of_strangers_are_shown_with_their_id(site: Site) -> None:
    client = await public_app(site, id="dcr-4711", name="Your Bank", origin="dynamic")
    page = await (await asker(site, client)).ask()
    assert page.shown("client_name") == "Your Bank"
    assert page.shown("client_id") == "dcr-4711"
    assert "registered itself" in page.shown("unvouched")


async def test_clients_of_administrators_are_not_suspected(site: Site) -> None:
    page = await (await asker(site, await web_app(site))).ask()
    assert page.find("unvouched") is None
