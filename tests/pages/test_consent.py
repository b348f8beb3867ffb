"""/account/consent in a browser."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authserver.model.time import HOUR
from tests.browser import Browser, Page
from tests.browser_flow import REDIRECT, Asker, asker, log_in, public_app, web_app
from tests.people import pass_time
from tests.site import PASSWORD, Party, Site


async def _asked(site: Site, client: Party | None = None, **changes: str | None) -> tuple[Asker, Page]:
    """Ada is logged in and looks at what a client asks for."""
    one = await asker(site, client)
    await log_in(one.browser, await site.user("ada"))
    return one, await one.ask(**changes)


def _scopes(page: Page) -> list[str]:
    found = page.find("scopes")
    assert found is not None
    return [item.text for item in found.all("li")]


# -- what it says -----------------------------------------------------------------------------


async def test_it_says_who_asks_whom_for_what_and_where_the_answer_goes(site: Site) -> None:
    client = await web_app(site, name="Cat Pictures", client_uri="https://cats.example/about")
    _, page = await _asked(site, client, scope="openid read offline_access")
    assert (page.status, page.path) == (200, "/account/consent")
    assert page.shown("client_name") == "Cat Pictures"
    assert page.shown("user") == "ada"
    assert page.shown("redirect_host") == "app.example"
    assert page.shown("client_site") == "cats.example"
    assert _scopes(page) == [
        "Know that it is you, by an identifier of your account",
        "read",
        "Keep its access while you are away, until you withdraw it",
    ]
    assert "https://api.example" in page.shown("resources")


async def test_nothing_is_loaded_from_elsewhere(site: Site) -> None:
    client = await web_app(site, logo_uri="https://evil.example/pixel.png", policy_uri="https://cats.example/policy")
    _, page = await _asked(site, client)
    assert page.document.all("img", "script", "iframe") == []
    assert "evil.example" not in page.response.text
    (link,) = [a.attributes for a in page.document.all("a") if a.attributes["href"].startswith("https:")]
    assert (link["href"], link["rel"]) == ("https://cats.example/policy", "noopener noreferrer nofollow")


async def test_a_link_that_is_no_web_address_is_left_out(site: Site) -> None:
    client = await web_app(site, tos_uri="javascript:alert(1)", policy_uri="data:text/html,x")
    _, page = await _asked(site, client)
    assert "javascript:" not in page.response.text
    assert "data:text" not in page.response.text


async def test_who_registered_itself_is_shown_by_what_it_cannot_choose(site: Site) -> None:
    client = await public_app(site, id="dcr-4711", name="Your Bank", origin="dynamic")
    _, page = await _asked(site, client)
    assert page.shown("client_id") == "dcr-4711"
    assert "Nobody here has checked" in page.shown("unvouched")


async def test_an_answer_to_a_program_of_this_device_is_warned_of(site: Site) -> None:
    for uri, host in (("http://127.0.0.1/cb", "127.0.0.1:4711"), ("com.example.app:/cb", "com.example.app:")):
        client = await public_app(site, redirect_uris=(uri,), application_type="native")
        one = await asker(site, client)
        await log_in(one.browser, await site.user())
        page = await one.ask(redirect_uri=uri.replace("127.0.0.1", "127.0.0.1:4711"))
        assert page.shown("redirect_host").startswith(host)
        assert "on this device" in page.shown("on_this_device")


async def test_an_answer_to_a_site_is_not_warned_of(site: Site) -> None:
    _, page = await _asked(site)
    assert page.find("on_this_device") is None
    assert page.find("unvouched") is None


async def test_details_are_shown_as_they_were_asked_for(site: Site) -> None:
    client = await web_app(site, authorization_details_types=("payment",))
    detail = {"type": "payment", "amount": "12.50 \u202eEUR", "to": "<b>Eve</b>"}
    _, page = await _asked(site, client, authorization_details=json.dumps([detail]))
    shown = " ".join(pre.text for pre in page.document.all("pre"))
    assert '"amount": "12.50 \ufffdEUR"' in shown
    assert '"to": "<b>Eve</b>"' in shown


async def test_single_claims_that_are_asked_for_are_listed(site: Site) -> None:
    claims = {"userinfo": {"email": None}, "id_token": {"birthdate": None, "acr": None}}
    _, page = await _asked(site, None, claims=json.dumps(claims))
    assert [text for text in _scopes(page) if "your profile" in text] == [
        "See birthdate of your profile",
        "See email of your profile",
    ]


# -- what it does -----------------------------------------------------------------------------


async def test_allowing_gives_the_application_a_code(site: Site) -> None:
    one, _ = await _asked(site)
    page = await one.browser.submit("consent", "allow")
    assert page.location.startswith(f"{REDIRECT}?")
    assert (await one.trade(page.answer["code"])).json()["scope"] == "openid read"


async def test_the_answer_to_the_form_is_a_303_to_ourselves(site: Site) -> None:
    one, _ = await _asked(site)
    page = await one.browser.submit("consent", "allow", follow=False)
    assert page.status == 303
    assert page.location.startswith("/authorize/continue?flow=")


async def test_what_was_allowed_is_not_asked_again_and_more_is(site: Site) -> None:
    one, _ = await _asked(site)
    await one.browser.submit("consent", "allow")
    assert "code" in (await one.ask()).answer
    assert (await one.ask(scope="openid read write")).path == "/account/consent"


async def test_denying_tells_the_application_and_is_not_remembered(site: Site) -> None:
    one, _ = await _asked(site)
    page = await one.browser.submit("consent", "deny")
    assert page.answer["error"] == "access_denied"
    assert "code" not in page.answer
    assert (await one.ask()).path == "/account/consent"


async def test_a_form_without_a_decision_decides_nothing(site: Site) -> None:
    one, page = await _asked(site)
    answer = await one.browser.post("/account/consent", **page.forms["consent"].fields)
    assert answer.status == 400
    assert (await one.ask()).path == "/account/consent"


@pytest.mark.parametrize("pushed", [False, True])
async def test_a_form_that_is_sent_twice_leads_to_one_code_however_many_answers_are_followed(
    site: Site, pushed: bool
) -> None:
    one = await asker(site)
    await log_in(one.browser, await site.user())
    page = await (one.pushed() if pushed else one.ask())
    fields = page.forms["consent"].fields | {"decision": "allow"}
    answers = [await one.browser.post("/account/consent", follow=False, **fields) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    ends = [await one.browser.get(answer.location) for answer in answers]
    assert ["code" in end.answer for end in ends] == [True, False]


async def test_somebody_else_may_log_in_and_is_asked_in_turn(site: Site) -> None:
    one, page = await _asked(site)
    await site.user("eve")
    link = page.find("switch")
    assert link is not None
    await one.browser.get(link.attributes["href"])
    page = await one.browser.submit("login", username="eve", password=PASSWORD)
    assert (page.path, page.shown("user")) == ("/account/consent", "eve")


# -- whose it is ------------------------------------------------------------------------------


async def test_a_page_of_another_browser_is_refused(site: Site) -> None:
    """An attacker's own request, opened in a victim's browser that is logged in."""
    attacker, page = await _asked(site)
    victim = Browser(site)
    await log_in(victim, await site.user("eve"))
    opened = await victim.get(page.url)
    assert opened.status == 400
    assert "another browser" in opened.alert
    assert opened.find("consent") is None
    sent = await victim.post("/account/consent", **(page.forms["consent"].fields | {"decision": "allow"}))
    assert sent.status in (400, 403)
    assert sent.answer == {}
    assert (await attacker.ask()).path == "/account/consent"


async def test_what_one_user_read_no_other_allows(site: Site) -> None:
    one, page = await _asked(site)
    await one.browser.get("/account/logout")
    await one.browser.submit("logout", "confirm")
    await log_in(one.browser, await site.user("eve"))
    sent = await one.browser.post("/account/consent", **(page.forms["consent"].fields | {"decision": "allow"}))
    assert sent.status == 403
    assert "not made for this log-in" in sent.alert
    assert (await one.ask()).path == "/account/consent"


async def test_after_the_log_out_nothing_is_allowed(site: Site) -> None:
    one, page = await _asked(site)
    fields = page.forms["consent"].fields | {"decision": "allow"}
    await one.browser.get("/account/logout")
    await one.browser.submit("logout", "confirm")
    sent = await one.browser.post("/account/consent", **fields)
    assert sent.status == 401
    assert "nothing was changed" in sent.alert


async def test_somebody_who_is_not_logged_in_logs_in_first(site: Site) -> None:
    one, page = await _asked(site)
    await one.browser.get("/account/logout")
    await one.browser.submit("logout", "confirm")
    assert (await one.browser.get(page.url)).path == "/account/login"
    back = await one.browser.submit("login", username="ada", password=PASSWORD)
    assert back.path == "/account/consent"


async def test_a_page_that_has_nothing_left_to_ask_goes_on(site: Site) -> None:
    """Two windows, one answer."""
    one, page = await _asked(site)
    await one.ask()
    await one.browser.submit("consent", "allow")
    other = await one.browser.get(page.url)
    assert other.location.startswith(f"{REDIRECT}?code=")


async def test_a_log_in_that_has_to_be_renewed_allows_nothing_before(site: Site) -> None:
    """The request is sealed for the log-in page, and sent to the consent page by a session that is too old for it."""
    one, page = await _asked(site)
    csrf = page.forms["consent"].fields["csrf"]
    renewing = await one.ask(prompt="login")
    flow = renewing.forms["login"].fields["flow"]
    assert (await one.browser.get(f"/account/consent?flow={flow}")).path == "/account/login"
    sent = await one.browser.post("/account/consent", flow=flow, csrf=csrf, decision="allow")
    assert (sent.path, sent.answer) == ("/account/login", {})
    assert (await one.ask()).path == "/account/consent", "nothing was remembered"


async def test_a_request_cannot_be_changed_between_the_page_and_the_answer(site: Site) -> None:
    """Fields besides the sealed request count for nothing."""
    one, page = await _asked(site)
    changed: dict[str, Any] = {
        "scope": "openid read write",
        "client_id": "other",
        "redirect_uri": "https://evil.example",
    }
    fields = page.forms["consent"].fields | {"decision": "allow"} | changed
    end = await one.browser.post("/account/consent", **fields)
    assert end.location.startswith(f"{REDIRECT}?")
    assert (await one.trade(end.answer["code"])).json()["scope"] == "openid read"


async def test_a_sealed_request_that_was_touched_is_refused(site: Site) -> None:
    one, page = await _asked(site)
    flow = page.forms["consent"].fields["flow"]
    touched = flow[:-8] + ("A" if flow[-8] != "A" else "B") + flow[-7:]
    sent = await one.browser.post(
        "/account/consent", **(page.forms["consent"].fields | {"decision": "allow", "flow": touched})
    )
    assert sent.status == 400
    assert sent.answer == {}


async def test_a_page_that_was_left_open_for_an_hour_is_refused(site: Site) -> None:
    one, page = await _asked(site)
    pass_time(site, HOUR - 1)
    sent = await one.browser.submit("consent", "allow")
    assert sent.status in (400, 401)
    assert "start again" in sent.text
    assert page.url != sent.location
