"""GET and POST /authorize: what is asked, which pages come between, what the client is told."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from authserver.audit.events import EventType
from authserver.model.audit import SYSTEM
from authserver.model.time import HOUR, MINUTE, SECOND
from authserver.oauth.authorization import FLOW_LIFE
from tests import people
from tests.browser import Browser
from tests.browser_flow import REDIRECT, Asker, asker, log_in, logged_in, public_app, web_app
from tests.people import pass_time
from tests.site import ISSUER, PASSWORD, Site, claims_of

site = people.site
JSON = {"accept": "application/json"}


async def refused(one: Asker, **changes: str | None) -> dict[str, str]:
    """What the client is told."""
    page = await one.ask(**changes)
    assert page.location.startswith(REDIRECT), page.location or page.text
    return page.answer


# -- the way through --------------------------------------------------------------------------


async def test_log_in_consent_code_tokens(site: Site) -> None:
    one, user = await asker(site), await site.user("ada")
    page = await one.ask()
    assert page.path == "/account/login"
    page = await one.browser.submit("login", username="ada", password=PASSWORD)
    assert page.path == "/account/consent"
    page = await one.browser.submit("consent", "allow")
    assert page.response.status_code == 303
    assert page.location.startswith(f"{REDIRECT}?")
    assert page.answer.keys() == {"code", "state", "iss"}
    assert (page.answer["state"], page.answer["iss"]) == ("a state", ISSUER)
    answer = await one.trade(page.answer["code"])
    assert answer.status_code == 200, answer.text
    claims = claims_of(answer.json()["access_token"])
    assert (claims["sub"], claims["client_id"], claims["scope"]) == (user.id, one.client.id, "openid read")
    assert claims_of(answer.json()["id_token"])["aud"] == one.client.id


async def test_somebody_who_is_logged_in_and_agreed_before_sees_no_page(site: Site) -> None:
    one, user = await asker(site), await site.user()
    await log_in(one.browser, user)
    assert (await one.ask()).path == "/account/consent"
    await one.browser.submit("consent", "allow")
    assert "code" in (await one.ask()).answer
    assert "code" in (await one.ask(prompt="none")).answer
    assert (await one.ask(scope="openid read write")).path == "/account/consent"


async def test_a_no_is_told_to_the_client_and_remembered_nowhere(site: Site) -> None:
    one = await asker(site)
    await log_in(one.browser, await site.user())
    await one.ask()
    page = await one.browser.submit("consent", "deny")
    assert page.answer["error"] == "access_denied"
    assert (page.answer["state"], page.answer["iss"]) == ("a state", ISSUER)
    assert (await one.ask()).path == "/account/consent"


async def test_what_was_allowed_can_be_taken_back_and_is_asked_again(site: Site) -> None:
    one, user = await asker(site), await site.user()
    await log_in(one.browser, user)
    await one.ask()
    page = await one.browser.submit("consent", "allow")
    code = page.answer["code"]
    await site.services.remembered_consents.withdraw(user.id, one.client.id, SYSTEM)
    assert (await one.trade(code)).json()["error"] == "invalid_grant"
    assert (await one.ask()).path == "/account/consent"


async def test_an_answer_may_come_as_a_form(site: Site) -> None:
    one = await logged_in(site)
    page = await one.ask(response_mode="form_post")
    form = page.forms["form_post"]
    assert page.status == 200
    assert (form.action, form.attributes["method"].lower()) == (REDIRECT, "post")
    assert form.fields.keys() == {"code", "state", "iss"}
    assert (await one.ask(response_mode="form_post", scope="nothing")).answer["error"] == "invalid_scope"


async def test_a_query_that_was_registered_is_kept(site: Site) -> None:
    uri = "https://app.example/cb?tenant=7"
    one = await logged_in(site, redirect_uris=(uri,))
    location = (await one.ask(redirect_uri=uri)).location
    assert location.startswith(f"{uri}&code=")
    assert parse_qs(urlsplit(location).query)["tenant"] == ["7"]


async def test_the_code_and_consent_stand_in_the_audit_log_and_the_code_does_not(site: Site) -> None:
    one = await asker(site)
    await log_in(one.browser, await site.user())
    await one.ask()
    code = (await one.browser.submit("consent", "allow")).answer["code"]
    await one.trade(code)
    headers = await site.admin()
    events = (await site.http.get("/admin/audit?limit=200", headers=headers)).json()["items"]
    kinds = [event["type"] for event in events]
    for kind in (EventType.CONSENT_GRANTED, EventType.CODE_ISSUED, EventType.CODE_REDEEMED):
        assert kind.value in kinds
    assert code not in json.dumps(events)


# -- POST -------------------------------------------------------------------------------------


async def test_a_request_that_a_page_of_the_client_posts_goes_on_as_a_get_with_the_same_parameters(site: Site) -> None:
    one = await logged_in(site)
    parameters = one.parameters(resource="https://api.example")
    answer = await site.http.post("/authorize", data=parameters, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 303
    path, _, query = answer.headers["location"].partition("?")
    assert path == "/authorize"
    assert parse_qs(query) == {name: [value] for name, value in parameters.items()}
    page = await one.browser.post("/authorize", **parameters)
    assert "code" in page.answer


async def test_a_posted_request_that_fits_no_url_is_answered_if_its_user_is_logged_in(site: Site) -> None:
    one = await logged_in(site)
    long = json.dumps({"userinfo": {"x" * 90 + str(n): None for n in range(30)}})
    parameters = one.parameters(claims=long, state="s" * 2000, nonce="n" * 500, login_hint="h" * 500)
    assert len(urlencode(parameters)) > 6000
    assert "code" in (await one.browser.post("/authorize", **parameters)).answer
    answer = await site.http.post("/authorize", data=parameters)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_body_that_is_no_form_is_refused(site: Site) -> None:
    answer = await site.http.post("/authorize", json={})
    assert answer.status_code == 415


# -- what stays here --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"client_id": None}, "client_id is missing"),
        ({"client_id": "nobody"}, "no client"),
        ({"redirect_uri": "https://evil.example/"}, "redirect_uri is not registered"),
        ({"redirect_uri": "https://app.example/callback/"}, "redirect_uri is not registered"),
        ({"redirect_uri": None, "scope": "openid read", "client": "two"}, "redirect_uri is missing"),
    ],
)
async def test_what_cannot_be_redirected_is_an_error_page(site: Site, changes: dict[str, Any], word: str) -> None:
    uris = (REDIRECT, "https://app.example/other") if changes.pop("client", None) else (REDIRECT,)
    one = await logged_in(site, redirect_uris=uris)
    page = await one.ask(**changes)
    assert (page.status, page.location) == (400, "")
    assert page.response.headers["content-type"].startswith("text/html")
    assert word in page.text
    answer = await site.http.get(one.url(**changes), headers=JSON)
    assert answer.status_code == 400
    assert word in answer.json()["error_description"]


async def test_a_disabled_client_looks_like_an_unknown_one(site: Site) -> None:
    one = await logged_in(site)
    known = await site.http.get(one.url(client_id="nobody"), headers=JSON)
    event = site.services.audit.event(EventType.CLIENT_DISABLED, SYSTEM)
    await site.services.clients.set_enabled(one.client.id, False, at=site.services.now(), event=event)
    assert (await site.http.get(one.url(), headers=JSON)).json() == known.json()


async def test_a_client_without_the_grant_is_told_on_a_page(site: Site) -> None:
    one = await logged_in(site, grant_types=("client_credentials",))
    answer = await site.http.get(one.url(), headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope", "nonce", "code_challenge", "prompt"])
async def test_a_repeated_parameter_is_refused(site: Site, name: str) -> None:
    one = await logged_in(site)
    answer = await site.http.get(f"{one.url()}&{name}=one&{name}=other", headers=JSON)
    if name in ("client_id", "redirect_uri"):
        assert answer.status_code == 400
        return
    told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert told["error"] == ["invalid_request"]
    assert f"{name} is repeated" in told["error_description"][0]
    assert ("state" in told) is (name != "state")


async def test_an_empty_parameter_counts_as_left_out_and_an_unknown_one_is_ignored(site: Site) -> None:
    one = await logged_in(site)
    page = await one.ask(nonce="", max_age="", claims="", display="popup", utm_source="mail", response_mode="")
    assert "code" in page.answer


# -- what the client is told ------------------------------------------------------------------

OTHER_STATE = {"state": "another state"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "none"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "query.jwt"}, "invalid_request"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"scope": " "}, "invalid_scope"),
        ({"scope": "read " * 2100}, "invalid_scope"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"resource": "not a uri"}, "invalid_target"),
        ({"resource": "https://api.example#x"}, "invalid_target"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"nonce": "n" * 513}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"id_token_hint": "e30.e30.e30"}, "invalid_request"),
        ({"login_hint": "x" * 513}, "invalid_request"),
        ({"authorization_details": '[{"type":"payment"}]'}, "invalid_authorization_details"),
        ({"dpop_jkt": "short"}, "invalid_request"),
        ({"acr_values": " ".join(str(n) for n in range(21))}, "invalid_request"),
        ({"request_uri": "https://app.example/request"}, "request_uri_not_supported"),
        ({"request": "e30.e30.e30"}, "invalid_request_object"),
    ],
)
async def test_every_mistake_has_its_code_and_comes_with_state_and_issuer(
    site: Site, changes: dict[str, Any], error: str
) -> None:
    one = await logged_in(site)
    told = await refused(one, **(OTHER_STATE | changes))
    assert told["error"] == error, told
    assert (told["state"], told["iss"]) == ("another state", ISSUER)
    assert told["error_description"].isascii()
    assert "code" not in told


async def test_a_state_too_long_is_not_repeated(site: Site) -> None:
    told = await refused(await logged_in(site), state="s" * 2049)
    assert told["error"] == "invalid_request"
    assert "state" not in told


async def test_a_confidential_client_may_be_excused_from_pkce_and_a_public_one_not(site: Site) -> None:
    without = {"code_challenge": None, "code_challenge_method": None}
    one = await logged_in(site, require_pkce=False)
    assert "code" in (await one.ask(**without)).answer
    public = await logged_in(site, await public_app(site, first_party=True, require_pkce=False))
    assert (await refused(public, **without))["error"] == "invalid_request"


async def test_a_client_must_name_openid_and_offline_access_to_get_them(site: Site) -> None:
    one = await logged_in(site)
    answer = await one.trade(await one.code(scope=None))
    assert answer.json()["scope"] == "read write"
    assert "id_token" not in answer.json()


async def test_a_single_redirect_uri_may_be_left_out_but_not_with_openid(site: Site) -> None:
    one = await logged_in(site)
    page = await one.ask(redirect_uri=None, scope="read")
    assert page.location.startswith(f"{REDIRECT}?code=")
    assert (await one.trade(page.answer["code"], redirect_uri=None)).status_code == 200
    assert (await refused(one, redirect_uri=None))["error"] == "invalid_request"


async def test_details_of_the_clients_types_are_carried_to_the_token(site: Site) -> None:
    one = await logged_in(site, authorization_details_types=("payment",))
    details = [{"type": "payment", "amount": "12"}, {"type": "payment", "amount": "13"}]
    code = await one.code(authorization_details=json.dumps(details))
    answer = (await one.trade(code, authorization_details=json.dumps(details[:1]))).json()
    assert answer["authorization_details"] == details[:1]
    assert claims_of(answer["access_token"])["authorization_details"] == details[:1]


# -- prompt, max_age, hints -------------------------------------------------------------------


async def test_prompt_login_asks_for_the_password_although_somebody_is_logged_in(site: Site) -> None:
    user = await site.user("ada")
    one = await logged_in(site, user=user)
    pass_time(site, MINUTE)
    before = one.browser.cookies["__Host-authserver"]
    assert (await one.ask(prompt="login")).path == "/account/login"
    page = await one.browser.submit("login", username="ada", password=PASSWORD)
    assert "code" in page.answer
    assert one.browser.cookies["__Host-authserver"] != before
    id_token = claims_of((await one.trade(page.answer["code"])).json()["id_token"])
    assert id_token["auth_time"] * SECOND > site.services.now() - 30 * SECOND


async def test_an_old_log_in_is_renewed_when_max_age_says_so(site: Site) -> None:
    one = await logged_in(site, user=await site.user("ada"))
    pass_time(site, 30 * MINUTE)
    assert "code" in (await one.ask(max_age="3600")).answer
    assert (await one.ask(max_age="600")).path == "/account/login"
    assert "code" in (await one.browser.submit("login", username="ada", password=PASSWORD)).answer


async def test_the_clients_own_max_age_counts_where_the_request_has_none(site: Site) -> None:
    one = await logged_in(site, default_max_age=600)
    pass_time(site, 30 * MINUTE)
    assert (await one.ask()).path == "/account/login"
    assert "code" in (await one.ask(max_age="3600")).answer


async def test_an_expired_id_token_still_says_who_is_meant(site: Site) -> None:
    ada, bob = await site.user("ada"), await site.user("bob")
    one = await logged_in(site, user=ada)
    hint = (await one.trade(await one.code())).json()["id_token"]
    pass_time(site, HOUR // 2)
    assert "code" in (await one.ask(prompt="none", id_token_hint=hint)).answer
    other = await logged_in(site, one.client, bob)
    assert (await other.ask(prompt="none", id_token_hint=hint)).answer["error"] == "login_required"
    assert (await other.ask(id_token_hint=hint)).path == "/account/login"
    page = await other.browser.submit("login", username="bob", password=PASSWORD)
    assert page.answer["error"] == "login_required"


async def test_a_hint_for_another_client_is_refused(site: Site) -> None:
    one = await logged_in(site)
    hint = (await one.trade(await one.code())).json()["id_token"]
    other = await logged_in(site, await web_app(site, first_party=True))
    assert (await refused(other, id_token_hint=hint))["error"] == "invalid_request"


async def test_an_access_token_is_no_hint(site: Site) -> None:
    one = await logged_in(site)
    token = (await one.trade(await one.code())).json()["access_token"]
    assert (await refused(one, id_token_hint=token))["error"] == "invalid_request"


async def test_the_login_hint_stands_in_the_form(site: Site) -> None:
    one = await asker(site)
    page = await one.ask(login_hint="ada@example.org")
    assert page.forms["login"].fields["username"] == "ada@example.org"


# -- the request under way --------------------------------------------------------------------


async def test_two_requests_in_one_browser_do_not_get_in_each_others_way(site: Site) -> None:
    one, user = await asker(site, first_party=True), await site.user()
    two = Asker(site, one.client, one.browser)
    first = (await one.ask(state="one")).url
    await two.ask(state="two")
    page = await one.browser.submit("login", username=user.username, password=PASSWORD)
    assert page.answer["state"] == "two"
    page = await one.browser.get(first.replace("/account/login", "/authorize/continue"))
    assert page.answer["state"] == "one"


async def test_a_page_left_open_for_too_long_says_so(site: Site) -> None:
    one, user = await asker(site), await site.user()
    page = await one.ask()
    pass_time(site, FLOW_LIFE)
    page = await one.browser.get(page.url.replace("/account/login", "/authorize/continue"))
    assert page.status == 400
    assert "left open for too long" in page.text
    assert user.username not in page.text


async def test_a_request_under_way_ends_when_its_client_changes_its_mind(site: Site) -> None:
    one = await asker(site)
    page = await one.ask()
    event = site.services.audit.event(EventType.CLIENT_DISABLED, SYSTEM)
    await site.services.clients.set_enabled(one.client.id, False, at=site.services.now(), event=event)
    page = await one.browser.get(page.url.replace("/account/login", "/authorize/continue"))
    assert page.status == 400
    assert "not ask for authorization any more" in page.text


async def test_a_flow_from_nowhere_is_refused(site: Site) -> None:
    for query in ("", "?flow=", "?flow=AAAA", "?flow=" + "A" * 5000, "?flow=%C3%A4", "?flow=a&flow=b"):
        answer = await site.http.get(f"/authorize/continue{query}", headers=JSON)
        assert answer.status_code == 400, query


async def test_a_request_that_fits_no_page_is_to_be_pushed(site: Site) -> None:
    one = await asker(site)
    long = json.dumps({"userinfo": {"x" * 90 + str(n): None for n in range(38)}})
    told = await refused(one, claims=long, state="s" * 1500, nonce="n" * 500, login_hint="h" * 500)
    assert (told["error"], "RFC 9126" in told["error_description"]) == ("invalid_request", True)


async def test_answers_are_kept_by_nobody(site: Site) -> None:
    one = await logged_in(site)
    for changes in ({}, {"scope": "nothing"}, {"response_mode": "form_post"}, {"client_id": "nobody"}):
        headers = (await one.ask(**changes)).response.headers
        assert headers["cache-control"] == "no-store", changes
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"


async def test_the_flow_cookie_is_the_browsers_own_and_kept(site: Site) -> None:
    one = await asker(site)
    await one.ask()
    value = one.browser.cookies["__Host-authserver-flow"]
    assert len(value) >= 32
    line = next(line for line in one.browser.set_cookies if line.startswith("__Host-authserver-flow="))
    assert "HttpOnly" in line
    assert "SameSite=lax" in line
    await one.ask()
    assert one.browser.cookies["__Host-authserver-flow"] == value
    other = Browser(site)
    await other.get(one.url())
    assert other.cookies["__Host-authserver-flow"] != value
