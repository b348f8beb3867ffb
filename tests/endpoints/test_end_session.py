"""GET and POST /end_session (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests import people
from tests.browser import Browser, Page
from tests.openid import GOODBYE, OpenIdLogIn, openid_client, openid_log_in
from tests.site import Site

site = people.site

CROSS_SITE = {"sec-fetch-site": "cross-site", "origin": "https://app.example"}


async def end(login: OpenIdLogIn, browser: Browser | None = None, **parameters: str) -> Page:
    return await (browser or login.browser).get(f"/end_session?{urlencode(parameters)}", sec_fetch_site="cross-site")


async def is_alive(site: Site, login: OpenIdLogIn) -> bool:
    return (await site.http.get("/userinfo", headers=login.bearer)).status_code == 200


async def test_a_hint_of_this_very_session_ends_it_at_once(site: Site) -> None:
    login = await openid_log_in(site)
    page = await end(login, id_token_hint=login.id_token, post_logout_redirect_uri=GOODBYE, state="a b&c")
    assert (page.status, page.location.partition("?")[0]) == (303, GOODBYE)
    assert parse_qs(urlsplit(page.location).query) == {"state": ["a b&c"]}
    assert "__Host-authserver" not in login.browser.cookies
    assert not await is_alive(site, login)
    form = {"grant_type": "refresh_token", "refresh_token": login.tokens["refresh_token"]}
    refreshed = await site.http.post("/token", data=form, auth=login.client.auth)
    assert refreshed.json()["error"] == "invalid_grant"


async def test_the_end_is_in_the_revocation_log_and_in_the_audit_log(site: Site) -> None:
    login, admin = await openid_log_in(site), await site.admin()
    before = (await site.services.log_store.head()).seq
    await end(login, id_token_hint=login.id_token)
    head = await site.services.log_store.head()
    assert head.seq > before or head.pending
    assert "session.ended" in await site.audit_types(admin)


async def test_without_a_redirect_uri_the_browser_stays_here(site: Site) -> None:
    login = await openid_log_in(site)
    page = await end(login, id_token_hint=login.id_token, state="x")
    assert (page.status, page.title) == (200, "You are logged out")
    assert page.response.headers["cache-control"] == "no-store"
    assert not await is_alive(site, login)


async def test_an_expired_hint_is_as_good(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    login = await openid_log_in(site)
    monkeypatch.setattr(
        site.services.now, "_anchor", site.services.now() + 20 * 60_000
    )  # past the token's five minutes
    page = await end(login, id_token_hint=login.id_token, post_logout_redirect_uri=GOODBYE)
    assert page.location == GOODBYE


async def test_offline_access_outlives_the_log_out(site: Site) -> None:
    login = await openid_log_in(site, scope="openid offline_access")
    assert (await end(login, id_token_hint=login.id_token)).status == 200
    form = {"grant_type": "refresh_token", "refresh_token": login.tokens["refresh_token"]}
    assert (await site.http.post("/token", data=form, auth=login.client.auth)).status_code == 200


async def test_without_a_hint_the_user_is_asked_and_then_sent_back(site: Site) -> None:
    login = await openid_log_in(site)
    asked = await end(login, client_id=login.client.id, post_logout_redirect_uri=GOODBYE, state="s")
    assert asked.status == 200
    assert login.user.username in asked.text
    assert login.client.record.name in asked.text
    assert "https://app.example" in asked.response.headers["content-security-policy"]
    assert await is_alive(site, login)
    done = await login.browser.submit("logout", "confirm")
    assert (done.status, done.location) == (303, f"{GOODBYE}?state=s")
    assert not await is_alive(site, login)


async def test_who_stays_stays(site: Site) -> None:
    login = await openid_log_in(site)
    await end(login, client_id=login.client.id, post_logout_redirect_uri=GOODBYE)
    page = await login.browser.submit("logout", "stay")
    assert page.path == "/account"
    assert await is_alive(site, login)


async def test_with_no_parameters_at_all_the_user_is_asked(site: Site) -> None:
    login = await openid_log_in(site)
    assert "logout" in (await end(login)).forms
    done = await login.browser.submit("logout", "confirm")
    assert (done.status, done.title) == (200, "You are logged out")


async def test_a_hint_of_another_user_asks_first(site: Site) -> None:
    client = await openid_client(site)
    mine, theirs = await openid_log_in(site, client), await openid_log_in(site, client)
    page = await end(mine, id_token_hint=theirs.id_token, post_logout_redirect_uri=GOODBYE)
    assert "logout" in page.forms
    assert await is_alive(site, mine)
    assert await is_alive(site, theirs)
    assert (await mine.browser.submit("logout", "confirm")).location == GOODBYE
    assert await is_alive(site, theirs), "it was never this browser's to end"


async def test_a_hint_of_another_session_of_the_same_user_asks_first(site: Site) -> None:
    client, user = await openid_client(site), await site.user()
    here, there = await openid_log_in(site, client, user), await openid_log_in(site, client, user)
    assert "logout" in (await end(here, id_token_hint=there.id_token)).forms
    assert await is_alive(site, here)
    assert await is_alive(site, there)


async def test_a_hint_of_another_client_in_the_same_session_is_good(site: Site) -> None:
    first = await openid_log_in(site)
    second = await openid_log_in(site, await openid_client(site), first.user, first.browser)
    assert (await end(first, id_token_hint=second.id_token, post_logout_redirect_uri=GOODBYE)).location == GOODBYE
    assert not await is_alive(site, first)


async def test_a_pairwise_hint_is_recognised(site: Site) -> None:
    client = await openid_client(site, subject_type="pairwise", access_token_format="opaque")
    login = await openid_log_in(site, client)
    assert (await end(login, id_token_hint=login.id_token, post_logout_redirect_uri=GOODBYE)).location == GOODBYE


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        GOODBYE + "/",
        GOODBYE + "?x=1",
        GOODBYE.upper(),
        "https://app.example:443/bye",
        "https://app.example/bye#x",
        "//app.example/bye",
        "https://app.example/cb",
        "",
    ],
)
async def test_an_unregistered_address_is_never_redirected_to(site: Site, uri: str) -> None:
    login = await openid_log_in(site)
    done = await end(login, id_token_hint=login.id_token, post_logout_redirect_uri=uri)
    assert (done.status, done.location) == (200, "")
    again = await end(login, id_token_hint=login.id_token, post_logout_redirect_uri=uri)
    assert (again.status, again.location) == (200, "")


async def test_the_address_of_one_client_is_not_that_of_another(site: Site) -> None:
    other = await openid_client(site, post_logout_redirect_uris=("https://other.example/bye",))
    login = await openid_log_in(site)
    uri = "https://other.example/bye"
    page = await end(login, id_token_hint=login.id_token, client_id=other.id, post_logout_redirect_uri=uri)
    assert "logout" in page.forms
    assert (await login.browser.submit("logout", "confirm")).location == ""


@pytest.mark.parametrize("damage", ["signature", "alg none", "nonsense", "access token"])
async def test_a_hint_that_is_not_ours_asks_first_and_redirects_nowhere(site: Site, damage: str) -> None:
    login = await openid_log_in(site)
    header, payload, signature = login.id_token.split(".")
    hint = {
        "signature": f"{header}.{payload}.{signature[::-1]}",
        "alg none": f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.",
        "nonsense": "x",
        "access token": login.tokens["access_token"],
    }[damage]
    page = await end(login, id_token_hint=hint, client_id=login.client.id, post_logout_redirect_uri=GOODBYE)
    assert "logout" in page.forms
    assert "app.example" not in page.response.headers["content-security-policy"]
    assert await is_alive(site, login)
    assert (await login.browser.submit("logout", "confirm")).location == ""


async def test_a_hint_under_a_withdrawn_key_vouches_for_nothing(site: Site) -> None:
    login, admin = await openid_log_in(site), await site.admin()
    kid = site.services.keys.signing.kid
    assert (await site.http.post("/admin/revocations", json={"kid": kid}, headers=admin)).status_code == 200
    assert "logout" in (await end(login, id_token_hint=login.id_token, post_logout_redirect_uri=GOODBYE)).forms


async def test_a_disabled_client_gets_nobody_sent_back(site: Site) -> None:
    login, admin = await openid_log_in(site), await site.admin()
    await site.http.patch(f"/admin/clients/{login.client.id}", json={"enabled": False}, headers=admin)
    page = await end(login, client_id=login.client.id, post_logout_redirect_uri=GOODBYE)
    assert "logout" in page.forms
    assert (await login.browser.submit("logout", "confirm")).location == ""


async def test_a_browser_without_a_session_is_sent_back_at_once(site: Site) -> None:
    login = await openid_log_in(site)
    nobody = Browser(site)
    page = await end(login, nobody, id_token_hint=login.id_token, post_logout_redirect_uri=GOODBYE, state="s")
    assert page.location == f"{GOODBYE}?state=s"
    assert await is_alive(site, login), "a hint is no credential: it ends nothing from elsewhere"
    assert (await end(login, nobody)).title == "You are logged out"


async def test_a_form_of_the_application_works_though_the_browser_holds_the_cookie_back(site: Site) -> None:
    """SameSite=Lax: no cookie with a cross-site POST, the cookie with the GET that follows it."""
    login = await openid_log_in(site)
    form = {"id_token_hint": login.id_token, "post_logout_redirect_uri": GOODBYE, "state": "s"}
    kept, login.browser.cookies = login.browser.cookies, {}
    bounced = await login.browser.post("/end_session", follow=False, headers=CROSS_SITE, **form)
    assert bounced.status == 303
    login.browser.cookies = kept
    page = await login.browser.get(bounced.location, sec_fetch_site="cross-site")
    assert page.location == f"{GOODBYE}?state=s"
    assert not await is_alive(site, login)


async def test_a_form_that_comes_with_the_cookie_is_answered_itself(site: Site) -> None:
    login = await openid_log_in(site)
    form = {"id_token_hint": login.id_token, "post_logout_redirect_uri": GOODBYE}
    page = await login.browser.post("/end_session", follow=False, headers=CROSS_SITE, **form)
    assert page.location == GOODBYE


@pytest.mark.parametrize("what", ["no token", "another token", "another site"])
async def test_nobody_else_can_press_the_button(site: Site, what: str) -> None:
    login = await openid_log_in(site)
    asked = await end(login)
    fields = asked.forms["logout"].fields | {"decision": "logout"}
    if what == "no token":
        fields.pop("csrf")
    elif what == "another token":
        other = await openid_log_in(site)
        fields["csrf"] = (await end(other)).forms["logout"].fields["csrf"]
    headers = CROSS_SITE if what == "another site" else {}
    refused = await login.browser.post("/end_session", headers=headers, **fields)
    assert refused.status == 403
    assert await is_alive(site, login)


async def test_to_look_ends_nothing(site: Site) -> None:
    login = await openid_log_in(site)
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in login.browser.cookies.items())}
    answer = await site.http.head(f"/end_session?id_token_hint={login.id_token}", headers=cookie)
    assert (answer.status_code, answer.content) == (200, b"")
    assert await is_alive(site, login)


async def test_a_repeated_parameter_is_refused_on_a_page(site: Site) -> None:
    login = await openid_log_in(site)
    page = await login.browser.get("/end_session?state=a&state=b")
    assert (page.status, page.response.headers["content-type"].partition(";")[0]) == (400, "text/html")
    assert await is_alive(site, login)


async def test_what_is_shown_is_escaped_and_framed_nowhere(site: Site) -> None:
    client = await openid_client(site, name="<script>alert(1)</script>")
    login = await openid_log_in(site, client)
    page = await end(login, client_id=client.id, state='"><script>alert(2)</script>')
    assert "<script" not in page.response.text
    assert page.forms["logout"].fields["state"] == '"><script>alert(2)</script>'
    assert "frame-ancestors 'none'" in page.response.headers["content-security-policy"]
    assert page.response.headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in page.response.headers


@pytest.mark.parametrize("origin", ["dynamic", "document"])
async def test_nobody_makes_a_redirector_of_this_server_by_registering_a_client(site: Site, origin: str) -> None:
    client = await openid_client(site, first_party=False, origin=origin)
    stranger = await Browser(site).get(f"/end_session?client_id={client.id}&post_logout_redirect_uri={GOODBYE}")
    assert (stranger.status, stranger.location, stranger.title) == (200, "", "You are logged out")
    login = await openid_log_in(site, await openid_client(site, origin=origin))
    back = await end(login, id_token_hint=login.id_token, post_logout_redirect_uri=GOODBYE)
    assert back.location == GOODBYE
