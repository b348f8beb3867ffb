"""Attacks on what lies between a request and its tokens: consent, pages sent twice, things taken back on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from authserver.accounts.login import Login
from authserver.model.account import User
from authserver.model.time import HOUR, SECOND
from authserver.oauth.device import DEVICE_CODE
from authserver.oauth.public_limit import AT_ONCE
from tests.browser import Browser
from tests.browser_flow import Asker, asker, log_in, logged_in, public_app, web_app
from tests.people import pass_time
from tests.site import PASSWORD, TEST, Site, claims_of

SESSION = "__Host-authserver"
NATIVE = "http://127.0.0.1/cb"


async def consented(site: Site, **asked: str) -> Asker:
    """Somebody is logged in, and has allowed the client this before."""
    one = await asker(site)
    claims = {"email": "ada@example.org", "name": "Ada"}
    user = await site.services.directory.create("ada", PASSWORD, claims=claims, caller=TEST)
    await log_in(one.browser, user)
    await one.ask(**asked)
    await one.browser.submit("consent", "allow")
    return one


# -- more than the user has seen --------------------------------------------------------------


@pytest.mark.parametrize("place", ["userinfo", "id_token"])
async def test_a_consent_to_one_thing_tells_no_claim_that_is_asked_for_by_name(site: Site, place: str) -> None:
    one = await consented(site, scope="openid")
    email, name = (json.dumps({place: {claim: None}}) for claim in ("email", "name"))
    assert "code" in (await one.ask(scope="openid")).answer
    page = await one.ask(scope="openid", claims=email)
    assert page.path == "/account/consent"
    assert "email" in page.shown("scopes")
    await one.browser.submit("consent", "allow")
    assert (await one.ask(scope="openid", claims=name)).path == "/account/consent"
    assert (await one.ask(scope="openid", claims=email, prompt="none")).answer["error"] == "consent_required"


async def test_a_claim_that_an_allowed_scope_tells_anyway_is_not_asked_about(site: Site) -> None:
    one = await asker(site, await web_app(site, scopes=("openid", "email")))
    await log_in(one.browser, await site.user())
    await one.ask(scope="openid email")
    await one.browser.submit("consent", "allow")
    claims = json.dumps({"id_token": {"email": None, "acr": None, "sub": None}, "userinfo": {"email": None}})
    assert "code" in (await one.ask(scope="openid email", claims=claims)).answer
    assert (await one.ask(scope="openid", claims=claims)).path == "/account/consent"


async def test_a_program_that_poses_as_one_of_the_house_gets_nothing_unseen(site: Site) -> None:
    """RFC 8252 section 8.6: anything on the machine can take the answer that goes to a loopback address."""
    native = await public_app(site, first_party=True, application_type="native", redirect_uris=(NATIVE,))
    user = await site.user()
    one = await logged_in(site, native, user)
    asked = NATIVE.replace("127.0.0.1", "127.0.0.1:5000")
    assert (await one.ask(redirect_uri=asked)).path == "/account/consent"
    assert (await one.ask(redirect_uri=asked, prompt="none")).answer["error"] == "consent_required"
    # Who has just logged in for it knows of it.
    await one.ask(redirect_uri=asked, prompt="login")
    page = await one.browser.submit("login", username=user.username, password=PASSWORD)
    assert page.location.startswith(f"{asked}?code=")


async def test_nothing_of_what_is_allowed_hides_behind_something_long(site: Site) -> None:
    one = await asker(site, await web_app(site, authorization_details_types=("payment",)))
    await log_in(one.browser, await site.user())
    detail = {"type": "payment", "a": [1] * 900, "b": "x" * 1000 + "everything", "c": "the whole account"}
    page = await one.pushed(authorization_details=json.dumps([detail]))
    (shown,) = [pre.text for pre in page.document.all("pre")]
    assert "everything" in shown
    assert "the whole account" in shown


# -- the same page twice ----------------------------------------------------------------------


async def test_one_request_gives_one_code_however_often_its_page_is_sent(site: Site) -> None:
    one, user = await asker(site), await site.user()
    await log_in(one.browser, user)
    await one.ask()
    way = (await one.browser.submit("consent", "allow", follow=False)).location
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in one.browser.cookies.items())}
    nodes = [instance.http for instance in site.instances]
    answers = await asyncio.gather(*(nodes[n % len(nodes)].get(way, headers=headers) for n in range(10)))
    assert sum("code=" in answer.headers.get("location", "") for answer in answers) == 1
    assert sorted({answer.status_code for answer in answers}) == [303, 400]
    again = await one.browser.get(way)
    assert "answered already" in again.alert


# -- taken back on the way --------------------------------------------------------------------


async def _revoke(site: Site, client_id: str) -> None:
    asked = {"client_id": client_id, "reason": "its secret is known"}
    assert (await site.http.post("/admin/revocations", json=asked, headers=await site.admin())).status_code == 200


async def _off_and_on(site: Site, client_id: str) -> None:
    for enabled in (False, True):
        await site.services.client_directory.set_enabled(client_id, enabled, caller=TEST)


@pytest.mark.parametrize("end", [_revoke, _off_and_on])
async def test_no_code_survives_what_ends_everything_its_client_has(
    site: Site, end: Callable[[Site, str], Awaitable[None]]
) -> None:
    one = await logged_in(site)
    code = await one.code(scope="openid offline_access read")
    await end(site, one.client.id)
    answer = await one.trade(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await one.trade(await one.code())).status_code == 200


async def test_nor_does_a_device_that_was_approved_and_has_not_come_yet(site: Site) -> None:
    client = await site.client(secret=False, grant_types=(DEVICE_CODE, "refresh_token"), scopes=("read",))
    asked = (await site.http.post("/device_authorization", data={"client_id": client.id})).json()
    browser = Browser(site)
    await log_in(browser, await site.user())
    await browser.get("/device")
    await browser.submit("device", user_code=asked["user_code"])
    await browser.submit("device_confirm", "allow")
    await _revoke(site, client.id)
    form = {"grant_type": DEVICE_CODE, "device_code": asked["device_code"], "client_id": client.id}
    assert (await site.http.post("/token", data=form)).json()["error"] == "access_denied"


async def test_a_code_without_a_challenge_needs_the_redirect_uri_that_it_was_sent_to(site: Site) -> None:
    """RFC 6749 section 4.1.3: it is all that ties such a code to its request."""
    one = await logged_in(site, await web_app(site, first_party=True, require_pkce=False))
    without = {"code_challenge": None, "code_challenge_method": None}
    answer = await one.trade(await one.code(**without), code_verifier=None, redirect_uri=None)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await one.trade(await one.code(**without), code_verifier=None)).status_code == 200


@pytest.mark.parametrize("where", ["/authorize", "/end_session"])
async def test_whoever_only_looks_gets_no_code_and_ends_nothing(site: Site, where: str) -> None:
    """Each of these by GET would give a code, and end the session, without a question."""
    one = await logged_in(site)
    hint = (await one.trade(await one.code())).json()["id_token"]
    query = one.url().partition("?")[2] if where == "/authorize" else f"id_token_hint={hint}"
    cookies = "; ".join(f"{name}={value}" for name, value in one.browser.cookies.items())
    answer = await site.http.request("HEAD", f"{where}?{query}", headers={"Cookie": cookies})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "location" not in answer.headers
    assert "code" in (await one.ask()).answer
    await one.browser.get(f"{where}?{query}")
    assert ("code" in (await one.ask()).answer) is (where == "/authorize")


# -- logging in once more ---------------------------------------------------------------------


async def test_who_logged_in_too_long_ago_logs_in_again_and_the_client_is_told_when(site: Site) -> None:
    user = await site.user()
    one = await logged_in(site, user=user)
    pass_time(site, 30 * SECOND)
    now = site.services.now() // SECOND
    assert (await one.ask(max_age="20")).path == "/account/login"
    page = await one.browser.submit("login", username=user.username, password=PASSWORD)
    assert claims_of((await one.trade(page.answer["code"])).json()["id_token"])["auth_time"] >= now
    assert "code" in (await one.ask(max_age="20")).answer


async def _again(one: Asker, username: str, **asked: str) -> Browser:
    """Log in once more where somebody is logged in; the browser as it was before."""
    before = Browser(one.site)
    before.cookies = dict(one.browser.cookies)
    await one.ask(prompt="login", **asked)
    page = await one.browser.submit("login", username=username, password=PASSWORD)
    assert "code" in page.answer
    return before


async def test_a_second_log_in_gives_a_new_cookie_and_what_the_first_gave_goes_on(site: Site) -> None:
    """Other applications of this browser are not logged out because one of them asked for the password again."""
    user = await site.user()
    one = await logged_in(site, user=user)
    code, tokens = await one.code(), (await one.trade(await one.code())).json()
    thief = await _again(one, user.username)
    assert one.browser.cookies[SESSION] != thief.cookies[SESSION]
    assert (await thief.get("/account")).path == "/account/login"
    assert (await one.trade(code)).status_code == 200
    assert (await one.refresh(tokens["refresh_token"])).status_code == 200
    page = await one.browser.get("/account")
    assert [form for form in page.forms if form.startswith("end-")] == []


async def test_one_log_out_ends_what_came_before_and_after_a_second_log_in(site: Site) -> None:
    user = await site.user()
    one = await logged_in(site, user=user)
    first = (await one.trade(await one.code())).json()
    await _again(one, user.username)
    second = (await one.trade(await one.code())).json()
    await one.browser.get("/account/logout")
    await one.browser.submit("logout")
    for tokens in (first, second):
        assert (await one.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
        assert not await site.active(tokens["access_token"])


async def test_what_was_given_before_a_second_log_in_does_not_say_that_it_is_fresh(site: Site) -> None:
    user = await site.user()
    one = await logged_in(site, user=user)
    first = (await one.trade(await one.code())).json()
    pass_time(site, 30 * SECOND)
    await _again(one, user.username)
    after = claims_of((await one.trade(await one.code())).json()["id_token"])["auth_time"]
    refreshed = (await one.refresh(first["refresh_token"])).json()
    before = claims_of(first["id_token"])["auth_time"]
    assert {claims_of(refreshed[kind])["auth_time"] for kind in ("id_token", "access_token")} == {before}
    assert after - before >= 30


async def test_a_second_log_in_as_somebody_else_leaves_nothing_of_the_first(site: Site) -> None:
    one = await logged_in(site, user=await site.user())
    code, tokens = await one.code(), (await one.trade(await one.code())).json()
    eve = await site.user("eve")
    thief = await _again(one, eve.username)
    assert (await thief.get("/account")).path == "/account/login"
    assert (await one.trade(code)).json()["error"] == "invalid_grant"
    assert (await one.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_who_comes_back_to_a_browser_that_was_left_goes_on_in_the_same_session(site: Site) -> None:
    """So that the next log-out ends what was begun before the break too."""
    user = await site.user()
    one = await logged_in(site, user=user)
    tokens = (await one.trade(await one.code())).json()
    pass_time(site, 2 * HOUR)
    await log_in(one.browser, user)
    assert (await one.refresh(tokens["refresh_token"])).status_code == 200
    await one.browser.get("/account/logout")
    await one.browser.submit("logout")
    assert (await one.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_log_in_form_that_is_sent_twice_leaves_one_session(site: Site) -> None:
    user = await site.user()
    one = await logged_in(site, user=user)
    tokens = (await one.trade(await one.code())).json()
    page = await one.ask(prompt="login")
    before, fields = dict(one.browser.cookies), page.forms["login"].fields
    sent = {**fields, "username": user.username, "password": PASSWORD}
    await one.browser.post("/account/login", follow=False, **sent)
    one.browser.cookies = before
    await one.browser.post("/account/login", **sent)
    await one.browser.get("/account/logout")
    await one.browser.submit("logout")
    assert (await one.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_hash_that_is_renewed_meanwhile_ends_no_session(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    user = await site.user()
    one = await logged_in(site, user=user)
    tokens = (await one.trade(await one.code())).json()
    proven = Login._proven

    async def proven_just_before_another_log_in(self: Login, *given: Any) -> User:
        monkeypatch.setattr(Login, "_proven", proven)
        found = await proven(self, *given)
        await site.services.users.rehash_password(
            found.id, found.password_hash or "", await site.services.passwords.hash(PASSWORD)
        )
        return found

    monkeypatch.setattr(Login, "_proven", proven_just_before_another_log_in)
    await _again(one, user.username)
    assert (await one.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_cookie_of_an_ended_session_brings_nothing_back(site: Site) -> None:
    user = await site.user()
    one = await logged_in(site, user=user)
    tokens = (await one.trade(await one.code())).json()
    kept = dict(one.browser.cookies)
    await one.browser.get("/account/logout")
    await one.browser.submit("logout")
    one.browser.cookies = kept
    await log_in(one.browser, user)
    assert (await one.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert "code" in (await one.ask()).answer


async def test_a_user_who_is_shut_out_between_two_pages_gets_no_further(site: Site) -> None:
    user, admin = await site.user(), await site.admin()
    one = await asker(site)
    await log_in(one.browser, user)
    asked = await one.ask()
    allowed = await one.browser.submit("consent", "allow", follow=False)
    await site.http.patch(f"/admin/users/{user.id}", json={"enabled": False}, headers=admin)
    assert (await one.browser.get(allowed.location)).path == "/account/login"
    assert (await one.browser.submit("login", username=user.username, password=PASSWORD)).status == 401
    fields = asked.forms["consent"].fields | {"decision": "allow"}
    assert (await one.browser.post("/account/consent", **fields)).status == 401


# -- a browser that was left ------------------------------------------------------------------


async def test_who_logs_out_everywhere_else_ends_log_ins_whose_browser_was_left_long_ago(site: Site) -> None:
    """The cookie of a browser is over after an hour without use; what an application got under it goes on."""
    user = await site.user()
    one = await logged_in(site, user=user)
    tokens = (await one.trade(await one.code())).json()
    pass_time(site, 2 * HOUR)
    assert (await one.browser.get("/account")).path == "/account/login"
    here = Browser(site)
    await log_in(here, user)
    page = await here.get("/account")
    assert len([form for form in page.forms if form.startswith("end-")]) == 1
    await here.submit("end_others")
    assert (await one.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await site.active(tokens["access_token"])


async def test_and_it_can_be_ended_alone(site: Site) -> None:
    user = await site.user()
    one = await logged_in(site, user=user)
    tokens = (await one.trade(await one.code())).json()
    pass_time(site, 2 * HOUR)
    here = Browser(site)
    await log_in(here, user)
    page = await here.get("/account")
    (form,) = [form for form in page.forms if form.startswith("end-")]
    assert (await here.submit(form)).shown("done") == "That session has ended."
    assert (await one.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_browser_that_was_left_and_gave_nothing_that_lasts_is_not_shown(site: Site) -> None:
    user = await site.user()
    one = await logged_in(site, user=user, grant_types=("authorization_code",))
    await one.trade(await one.code())
    pass_time(site, 2 * HOUR)
    here = Browser(site)
    await log_in(here, user)
    assert not [form for form in (await here.get("/account")).forms if form.startswith("end-")]


# -- filling tables ---------------------------------------------------------------------------


async def test_nobody_fills_a_table_with_pushed_requests_of_clients_that_prove_nothing(site: Site) -> None:
    one, other = await logged_in(site, await public_app(site)), await logged_in(site, await public_app(site))
    answers = [(await one.push()).status_code for _ in range(AT_ONCE)]
    while set(answers) == {201} and len(answers) < 3 * AT_ONCE:  # one in half a second goes on
        answers.append((await one.push()).status_code)
    assert (answers[-1], set(answers[:-1])) == (429, {201})
    others = await asyncio.gather(*(other.push() for _ in range(20)))
    assert [answer.headers["retry-after"] for answer in others if answer.status_code == 429][:1] == ["1"]
    confidential = await logged_in(site)
    assert (await confidential.push()).status_code == 201
    pass_time(site, 10 * SECOND)
    assert (await one.push()).status_code == 201
