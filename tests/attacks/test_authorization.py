"""Attacks on the authorization endpoint: nothing leads where it was not registered to lead, and nobody's browser
answers for anybody else."""

from __future__ import annotations

import time
from statistics import median
from typing import Any
from urllib.parse import urlencode

import pytest

from authserver.model.time import MINUTE, SECOND
from authserver.oauth.pkce import challenge_of
from authserver.verifier.testing_proof import ProofKey
from tests import people
from tests.browser import Page
from tests.browser_flow import (
    REDIRECT,
    Asker,
    asker,
    jwks_of,
    log_in,
    logged_in,
    public_app,
    request_object,
    web_app,
)
from tests.people import pass_time
from tests.site import ISSUER, PASSWORD, Site, claims_of

site = people.two_nodes
SESSION = "__Host-authserver"


def is_error_page(page: Page) -> bool:
    """On our own origin, in words, and it leads nowhere."""
    own = page.response.headers.get("content-type", "").startswith("text/html") and page.find("form_post") is None
    return own and (page.status, page.location) == (400, "")


# -- redirect_uri -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/callback/more",
        "https://app.example/callbac",
        "https://app.example/",
        "https://app.example",
        "https://evil.example/callback",
        "https://sub.app.example/callback",
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",
        "https://evil.example/?https://app.example/callback",
        "https://app.example/callback?more=1",
        "https://app.example/callback#x",
        "//app.example/callback",
    ],
)
async def test_what_only_resembles_the_redirect_uri_gets_no_redirect(site: Site, uri: str) -> None:
    one = await logged_in(site)
    assert is_error_page(await one.ask(redirect_uri=uri))


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/x/../callback",
        "https://app.example/%2e%2e/callback",
        "https://app.example/%252f..%252fcallback",
        "https://app.example/..;/callback",
        "https://app.example\\callback",
        "https://app.example/\tcallback",
        "https:///app.example/callback",
        "https://app.example//callback",
        "https://app.example/callback%00",
        "https://app.example/callback ",
        "\u2028https://app.example/callback",
    ],
)
async def test_no_spelling_leads_around_the_comparison(site: Site, uri: str) -> None:
    one = await logged_in(site)
    assert is_error_page(await one.ask(redirect_uri=uri))


@pytest.mark.parametrize(
    "uri", ["HTTPS://app.example/callback", "https://APP.example/callback", "https://app.example/Callback"]
)
async def test_case_counts_everywhere(site: Site, uri: str) -> None:
    one = await logged_in(site)
    assert is_error_page(await one.ask(redirect_uri=uri))


@pytest.mark.parametrize(
    ("asked", "goes"),
    [
        ("http://127.0.0.1:51234/cb?x=1", True),
        ("http://[::1]:51234/cb?x=1", True),
        ("http://127.0.0.1:51234/cb?x=2", False),
        ("http://127.0.0.1:51234/other?x=1", False),
        ("http://127.0.0.2:51234/cb?x=1", False),
        ("http://app.example:51234/cb?x=1", False),
        ("https://127.0.0.1:51234/cb?x=1", False),
    ],
)
async def test_on_ones_own_machine_the_port_may_vary_and_nothing_else(site: Site, asked: str, goes: bool) -> None:
    uris = ("http://127.0.0.1/cb?x=1", "http://[::1]:8000/cb?x=1")
    native = await public_app(site, first_party=True, application_type="native", redirect_uris=uris)
    one = await logged_in(site, native)
    page = await one.ask(redirect_uri=asked)
    if "consent" in page.forms:
        page = await one.browser.submit("consent", "allow")
    assert page.location.startswith(f"{asked}&code=") is goes
    assert is_error_page(page) is not goes


async def test_a_web_clients_port_does_not_vary(site: Site) -> None:
    one = await logged_in(site, redirect_uris=("http://127.0.0.1:8123/cb",))
    assert is_error_page(await one.ask(redirect_uri="http://127.0.0.1:8124/cb"))
    assert "code" in (await one.ask(redirect_uri="http://127.0.0.1:8123/cb")).answer


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/cb#fragment",
        "https://user@app.example/cb",
        "https://user:pw@app.example/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://app.example/cb",
        "app:/cb",
        "/cb",
    ],
)
async def test_what_could_lead_astray_is_not_registered(site: Site, uri: str) -> None:
    headers = await site.admin()
    body = {"client_id": "astray", "name": "x", "grant_types": ["authorization_code"], "redirect_uris": [uri]}
    answer = await site.http.post("/admin/clients", headers=headers, json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), answer.text


async def test_of_several_redirect_uris_one_has_to_be_named(site: Site) -> None:
    one = await logged_in(site, redirect_uris=(REDIRECT, "https://app.example/other"))
    assert is_error_page(await one.ask(redirect_uri=None))


# -- the client -------------------------------------------------------------------------------


async def test_an_unknown_client_is_an_error_page_in_about_the_same_time(site: Site) -> None:
    """Both ask the database once. The bound is loose: it finds a missing query, not a microsecond."""
    one = await logged_in(site)
    assert is_error_page(await one.ask(client_id="nobody"))
    requests = {"known": one.url(redirect_uri="https://evil.example/"), "unknown": one.url(client_id="nobody")}
    times: dict[str, list[float]] = {name: [] for name in requests}
    for _ in range(60):
        for name, url in requests.items():
            started = time.perf_counter()
            await site.http.get(url)
            times[name].append(time.perf_counter() - started)
    fast, slow = sorted(median(samples) for samples in times.values())
    assert slow < 4 * fast


# -- PKCE -------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [True, False])
async def test_no_client_goes_without_a_challenge_nor_with_a_plain_one(site: Site, secret: bool) -> None:
    one = await logged_in(site, secret=secret)
    none = await one.ask(code_challenge=None, code_challenge_method=None)
    plain = await one.ask(code_challenge="x" * 43, code_challenge_method="plain")
    unsaid = await one.ask(code_challenge_method=None)
    assert [page.answer["error"] for page in (none, plain, unsaid)] == ["invalid_request"] * 3


@pytest.mark.parametrize("verifier", [None, "w" * 43, "x" * 42, "x" * 129])
async def test_a_code_without_its_verifier_is_worth_nothing(site: Site, verifier: str | None) -> None:
    one = await logged_in(site)
    code = await one.code()
    answer = await one.trade(code, code_verifier=verifier)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await one.trade(code)).status_code == 200


@pytest.mark.parametrize("length", [42, 129])
async def test_a_verifier_of_the_wrong_length_proves_nothing_although_its_challenge_fits(
    site: Site, length: int
) -> None:
    one = await logged_in(site)
    one.verifier = "x" * length
    answer = await one.trade(await one.code(code_challenge=challenge_of(one.verifier)))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_a_verifier_for_a_request_without_a_challenge_is_refused(site: Site) -> None:
    """The downgrade: an attacker takes the challenge out of the victim's request (RFC 9700 section 4.8.2)."""
    one = await logged_in(site, require_pkce=False)
    code = await one.code(code_challenge=None, code_challenge_method=None)
    answer = await one.trade(code)
    # The code that OAuth 2.1 section 3.2.4 names for it.
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


# -- the answer -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["query", "form_post"])
async def test_every_answer_says_who_gives_it(site: Site, mode: str) -> None:
    one = await logged_in(site)
    good = await one.ask(response_mode=mode)
    bad = await one.ask(response_mode=mode, scope="nothing")
    early = await one.ask(response_mode="fragment")
    assert [page.answer["iss"] for page in (good, bad, early)] == [ISSUER] * 3


@pytest.mark.parametrize("asked", ["token", "id_token token", "id_token", "code token", "CODE", "none"])
async def test_only_codes_are_given(site: Site, asked: str) -> None:
    page = await (await logged_in(site)).ask(response_type=asked)
    assert page.answer["error"] == "unsupported_response_type"
    assert "access_token" not in page.location


@pytest.mark.parametrize("mode", ["fragment", "web_message", "jwt", "query.jwt", "QUERY"])
async def test_only_listed_response_modes_are_used(site: Site, mode: str) -> None:
    page = await (await logged_in(site)).ask(response_mode=mode)
    assert page.answer["error"] == "invalid_request"
    assert "#" not in page.location
    assert "code" not in page.answer


@pytest.mark.parametrize("origin", ["dynamic", "document"])
async def test_a_bad_request_leads_to_a_client_that_came_by_itself_only_after_a_log_in(site: Site, origin: str) -> None:
    """OAuth 2.1 section 7.12.2: to register a client gives nobody a link at this server that leads to their page."""
    await site.user("ada")
    one = await asker(site, await public_app(site, origin=origin))
    page = await one.ask(response_type="token")
    assert (page.path, page.location) == ("/account/login", "")
    page = await one.browser.submit("login", username="ada", password=PASSWORD)
    assert page.location.startswith(REDIRECT)
    assert page.answer | {"error_description": ""} == {
        "error": "unsupported_response_type",
        "error_description": "",
        "state": "a state",
        "iss": ISSUER,
    }
    # Now somebody is logged in.
    assert (await one.ask(response_type="token")).answer["error"] == "unsupported_response_type"


async def test_no_log_in_comes_before_an_error_where_no_page_may_be_shown(site: Site) -> None:
    one = await asker(site, await public_app(site, origin="dynamic"))
    page = await one.ask(response_type="token", prompt="none")
    assert page.answer["error"] == "unsupported_response_type"


async def test_parameters_cannot_break_out_of_the_answer(site: Site) -> None:
    one = await logged_in(site)
    nasty = 'x\r\nSet-Cookie: a=b&code=forged#"><script>'
    assert (await one.ask(state=nasty)).answer["state"] == nasty
    page = await one.ask(state=nasty, response_mode="form_post")
    assert page.answer["state"] == nasty
    assert [form.id for form in page.forms.values()] == ["form_post"]
    assert "\n" not in (await one.ask(state=nasty)).location


# -- prompt=none, re-authentication, hints ----------------------------------------------------


async def test_prompt_none_never_shows_a_page(site: Site) -> None:
    one, user = await asker(site), await site.user()
    assert (await one.ask(prompt="none")).answer["error"] == "login_required"
    await log_in(one.browser, user)
    assert (await one.ask(prompt="none")).answer["error"] == "consent_required"
    pass_time(site, MINUTE)
    assert (await one.ask(prompt="none", max_age="1")).answer["error"] == "login_required"


async def test_max_age_zero_is_a_new_log_in_and_the_id_token_says_so(site: Site) -> None:
    user = await site.user()
    one = await logged_in(site, user=user)
    pass_time(site, MINUTE)
    before = site.services.now()
    assert (await one.ask(max_age="0")).path == "/account/login"
    page = await one.browser.submit("login", username=user.username, password=PASSWORD)
    claims = claims_of((await one.trade(page.answer["code"])).json()["id_token"])
    assert claims["auth_time"] >= before // SECOND


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "0"}])
async def test_who_cancels_a_second_log_in_stays_who_they_were_and_the_client_gets_no_code(
    site: Site, asked: dict[str, str]
) -> None:
    one = await logged_in(site)
    pass_time(site, MINUTE)
    before = one.browser.cookies[SESSION]
    login = await one.ask(**asked)
    page = await one.browser.submit("login", "cancel")
    assert page.answer["error"] == "access_denied"
    assert "code" not in page.answer
    assert one.browser.cookies[SESSION] == before
    assert "code" in (await one.ask()).answer
    # Nor does going on without logging in help.
    page = await one.browser.get(login.url.replace("/account/login", "/authorize/continue"))
    assert page.path == "/account/login"


async def test_no_hint_switches_the_user_without_a_log_in(site: Site) -> None:
    ada, bob = await site.user("ada"), await site.user("bob")
    bobs = await logged_in(site, user=bob)
    hint = (await bobs.trade(await bobs.code())).json()["id_token"]
    adas = await logged_in(site, bobs.client, ada)
    page = await adas.ask(login_hint="bob")
    assert claims_of((await adas.trade(page.answer["code"])).json()["id_token"])["sub"] == ada.id
    assert (await adas.ask(id_token_hint=hint)).path == "/account/login"
    assert (await adas.ask(id_token_hint=hint, prompt="none")).answer["error"] == "login_required"


# -- request objects and pushed requests ------------------------------------------------------


@pytest.mark.parametrize(
    "different",
    [
        {"header": {"alg": "none"}},
        {"header": {"alg": "HS256"}},
        {"jwt": {"iss": "somebody-else"}},
        {"jwt": {"aud": "https://other.example"}},
        {"jwt": {"aud": ["https://other.example/token"]}},
        {"jwt": {"exp": 1_700_000_000}},
        {"header": {"jwk": {"kty": "EC"}}},
        {"client_id": "somebody-else"},
    ],
)
async def test_a_request_object_that_is_not_right_is_refused(site: Site, different: dict[str, Any]) -> None:
    key = ProofKey()
    one = await logged_in(site, jwks=jwks_of(key))
    query = {"client_id": one.client.id, "request": request_object(one, key, **different)}
    page = await one.browser.get(f"/authorize?{urlencode(query)}")
    assert "code" not in page.answer
    assert "invalid_request_object" in page.location or "invalid_request_object" in page.text


async def test_nothing_beside_a_request_object_changes_it(site: Site) -> None:
    key = ProofKey()
    one = await logged_in(site, jwks=jwks_of(key), redirect_uris=(REDIRECT, "https://app.example/other"))
    beside = {"redirect_uri": "https://app.example/other", "scope": "openid write", "state": "mine"}
    query = {"client_id": one.client.id, "request": request_object(one, key), **beside}
    page = await one.browser.get(f"/authorize?{urlencode(query)}")
    assert page.location.startswith(f"{REDIRECT}?")
    assert page.answer["state"] == "a state"
    assert (await one.trade(page.answer["code"])).json()["scope"] == "openid read"


async def test_a_pushed_request_is_good_once_for_its_client_and_for_a_minute(site: Site) -> None:
    one = await logged_in(site)
    uri = (await one.push()).json()["request_uri"]
    other = Asker(site, await web_app(site, first_party=True), one.browser)
    assert "invalid_request_uri" in (await other.come(uri)).text
    assert "code" in (await one.come(uri)).answer
    assert "invalid_request_uri" in (await one.come(uri)).text
    late = (await one.push()).json()["request_uri"]
    pass_time(site, 60 * SECOND)
    page = await one.come(late)
    assert is_error_page(page)
    assert "invalid_request_uri" in page.text


@pytest.mark.parametrize("uri", ["https://evil.example/r", "http://169.254.169.254/", "file:///etc/passwd", "urn:x:y"])
async def test_nothing_is_fetched_for_a_request_uri(site: Site, uri: str) -> None:
    page = await (await logged_in(site)).ask(request_uri=uri)
    assert page.answer["error"] == "request_uri_not_supported"


# -- the browser ------------------------------------------------------------------------------


async def test_a_password_is_never_sent_on(site: Site) -> None:
    one, user = await asker(site, first_party=True), await site.user()
    await one.ask()
    page = await one.browser.submit("login", username=user.username, password=PASSWORD, follow=False)
    assert page.status == 303
    page = await one.browser.get(page.location, follow=False)
    assert page.status == 303
    assert PASSWORD not in page.location
    answer = await site.http.post("/authorize", data=one.parameters())
    assert answer.status_code == 303


@pytest.mark.parametrize("changes", [{}, {"client_id": "nobody"}, {"scope": "nothing"}, {"response_mode": "form_post"}])
async def test_no_answer_can_be_framed_read_by_other_origins_or_told_on(site: Site, changes: dict[str, str]) -> None:
    one = await logged_in(site)
    headers = (await one.browser.get(one.url(**changes), origin="https://evil.example")).response.headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert not [name for name in headers if name.startswith("access-control")]


async def test_there_is_no_preflight_for_the_authorization_endpoint(site: Site) -> None:
    for path in ("/authorize", "/authorize/continue", "/par"):
        answer = await site.http.options(path, headers={"origin": "https://evil.example"})
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_consent_page_opened_in_the_victims_browser_is_refused(site: Site) -> None:
    attacker, client = await site.user("attacker"), await web_app(site)
    one = await logged_in(site, client, attacker)
    captured = (await one.ask()).url
    victim = await logged_in(site, client, await site.user("victim"))
    await victim.ask()  # so that the victim's browser has a flow cookie of its own
    for path in (captured, captured.replace("/account/consent", "/authorize/continue")):
        page = await victim.browser.get(path)
        assert is_error_page(page)
        assert "belongs to another browser" in page.text


async def test_a_yes_of_the_attacker_is_worth_nothing_in_the_victims_browser(site: Site) -> None:
    """Not even of a victim who has allowed the client before."""
    client = await web_app(site)
    one = await logged_in(site, client, await site.user("attacker"))
    await one.ask(prompt="consent")
    agreed = (await one.browser.submit("consent", "allow", follow=False)).location
    victim = await logged_in(site, client, await site.user("victim"))
    await victim.ask()
    assert "code" in (await victim.browser.submit("consent", "allow")).answer
    assert is_error_page(await victim.browser.get(agreed))
    # Even with the attacker's flow cookie planted: the yes names the user who said it.
    victim.browser.cookies["__Host-authserver-flow"] = one.browser.cookies["__Host-authserver-flow"]
    page = await victim.browser.get(agreed)
    assert page.path == "/account/consent"
    assert "code" not in page.answer


async def test_what_the_user_read_cannot_be_swapped_before_the_answer(site: Site) -> None:
    one = await asker(site)
    await log_in(one.browser, await site.user())
    page = await one.ask()
    sent = page.forms["consent"].fields | {"decision": "allow"}
    swapped = sent | {
        "client_id": "somebody-else",
        "scope": "openid read write",
        "redirect_uri": "https://evil.example",
    }
    page = await one.browser.post("/account/consent", **swapped)
    assert page.location.startswith(f"{REDIRECT}?")
    assert (await one.trade(page.answer["code"])).json()["scope"] == "openid read"
    await one.ask(scope="openid read write")
    sent = one.browser.page.forms["consent"].fields | {"decision": "allow"}
    flow = sent["flow"]
    at = len(flow) // 2
    touched = flow[:at] + ("A" if flow[at] != "A" else "B") + flow[at + 1 :]
    assert is_error_page(await one.browser.post("/account/consent", **(sent | {"flow": touched})))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": "openid read admin"}, "invalid_scope"),
        ({"scope": " "}, "invalid_scope"),
        ({"scope": "x" * 10_240}, "invalid_scope"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"resource": "https://api.example/"}, "invalid_target"),
        ({"resource": " "}, "invalid_target"),
        ({"resource": "https://api.example/" + "x" * 10_240}, "invalid_target"),
    ],
)
async def test_nothing_beyond_the_registration_is_granted(site: Site, changes: dict[str, str], error: str) -> None:
    page = await (await logged_in(site)).ask(**changes)
    assert page.answer["error"] == error


async def test_a_browser_without_a_session_learns_nothing_about_users(site: Site) -> None:
    one = await asker(site)
    await site.user("ada")
    known, unknown = await one.ask(login_hint="ada"), await one.ask(login_hint="nobody")
    assert known.text.replace("ada", "") == unknown.text.replace("nobody", "")


async def test_over_plain_http_on_a_network_nothing_begins(site: Site) -> None:
    one = await logged_in(site)
    answer = await site.http.get(f"http://as.example{one.url()}")
    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert "set-cookie" not in answer.headers
