"""GET /session, GET and DELETE /sessions, DELETE /sessions/{id}."""

from __future__ import annotations

import pytest

from authserver.model.time import DAY, HOUR, MINUTE
from tests import people
from tests.people import Browser, pass_time
from tests.site import Site

site = people.site


async def test_who_am_i_by_cookie(site: Site) -> None:
    user, browser = await site.user(), Browser(site)
    await browser.log_in(user.username, await site.app())
    response = await browser.get("/session", user_agent="Testbrowser 1.0")
    body = response.json()
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert body["user"] == {"user_id": user.id, "username": user.username}
    assert body["csrf_token"] == browser.csrf_token
    assert body["session"]["current"] is True
    assert (body["session"]["kind"], body["session"]["amr"]) == ("browser", ["pwd"])
    assert body["session"]["address"] == "192.0.2.7"


async def test_who_am_i_by_token_has_no_csrf_token(site: Site) -> None:
    user = await site.user()
    login = await site.log_in(user, await site.app())
    body = (await site.http.get("/session", headers=login.bearer)).json()
    assert body["user"]["user_id"] == user.id
    assert body["session"]["kind"] == "token"
    assert "csrf_token" not in body


@pytest.mark.parametrize("path", ["/session", "/sessions"])
async def test_nobody_is_401(site: Site, path: str) -> None:
    response = await site.http.get(path)
    assert (response.status_code, response.json()["error"]) == (401, "login_required")


@pytest.mark.parametrize("cookie", ["x", "A" * 88, "", "%00", "e30.e30.e30"])
async def test_a_forged_cookie_is_401(site: Site, cookie: str) -> None:
    response = await site.http.get("/session", headers={"cookie": f"__Host-authserver={cookie}"})
    assert response.status_code == 401


@pytest.mark.parametrize("token", ["x", "e30.e30.e30", "", "a b"])
async def test_a_forged_bearer_token_is_401_with_a_challenge(site: Site, token: str) -> None:
    response = await site.http.get("/session", headers={"authorization": f"Bearer {token}"})
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
    if token:
        assert 'error="invalid_token"' in response.headers["www-authenticate"]


async def test_two_bearer_tokens_are_none(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app())
    header = ("authorization", login.bearer["Authorization"])
    assert (await site.http.get("/session", headers=[header, header])).status_code == 401


async def test_a_dead_token_is_not_saved_by_a_living_cookie(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    assert (await browser.get("/session", authorization="Bearer dead")).status_code == 401


async def test_a_token_of_a_program_belongs_to_no_session(site: Site) -> None:
    token = (await site.own_token(await site.client()))["access_token"]
    response = await site.http.get("/session", headers={"authorization": f"Bearer {token}"})
    assert (response.status_code, response.json()["error"]) == (401, "login_required")


async def test_a_client_that_is_no_longer_first_party_may_not_look(site: Site) -> None:
    app, user = await site.app(), await site.user()
    login = await site.log_in(user, app)
    admin = await site.admin()
    assert (await site.http.patch(f"/admin/clients/{app.id}", json={"first_party": False}, headers=admin)).is_success
    response = await site.http.get("/sessions", headers=login.bearer)
    assert (response.status_code, response.json()["error"]) == (403, "access_denied")


# -- deadlines --------------------------------------------------------------------------------


async def test_an_unused_session_ends_after_the_idle_time(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    pass_time(site, HOUR + 1)
    assert (await browser.get("/session")).status_code == 401


async def test_use_moves_the_idle_end_and_never_the_absolute_one(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    for _ in range(28):
        pass_time(site, 50 * MINUTE)
        assert (await browser.get("/session")).status_code == 200
    pass_time(site, 50 * MINUTE)  # 29 x 50 minutes: past 24 hours
    assert (await browser.get("/session")).status_code == 401


async def test_last_seen_is_written_at_most_once_a_minute(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    first = (await browser.get("/session")).json()["session"]["last_seen_at"]
    pass_time(site, 30_000)
    assert (await browser.get("/session")).json()["session"]["last_seen_at"] == first
    pass_time(site, 31_000)
    assert (await browser.get("/session")).json()["session"]["last_seen_at"] > first


async def test_a_token_session_lives_as_long_as_it_is_refreshed(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app())
    pass_time(site, 13 * DAY)
    assert (await site.refresh(login)).status_code == 200
    pass_time(site, 13 * DAY)
    assert (await site.refresh(login)).status_code == 200
    assert (await site.http.get("/session", headers=login.bearer)).status_code == 200
    pass_time(site, 5 * DAY)
    assert (await site.refresh(login)).status_code == 400


# -- the list ---------------------------------------------------------------------------------


async def test_all_devices_are_listed_newest_first_and_marked(site: Site) -> None:
    app, user, browser = await site.app(), await site.user(), Browser(site)
    await site.log_in(user, app)
    pass_time(site, 1000)
    await browser.log_in(user.username, app)
    sessions = (await browser.get("/sessions")).json()["sessions"]
    assert [(s["kind"], s["current"]) for s in sessions] == [("browser", True), ("token", False)]


async def test_other_peoples_sessions_are_not_listed(site: Site) -> None:
    app, mine = await site.app(), Browser(site)
    await site.log_in(await site.user(), app)
    await mine.log_in((await site.user()).username, app)
    assert len((await mine.get("/sessions")).json()["sessions"]) == 1


async def test_the_list_comes_in_pages(site: Site) -> None:
    app, user = await site.app(), await site.user()
    logins = [await site.log_in(user, app) for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        path = f"/sessions?limit=2{cursor and '&cursor=' + cursor}"
        body = (await site.http.get(path, headers=logins[0].bearer)).json()
        seen += [session["session_id"] for session in body["sessions"]]
        cursor = body["next_cursor"]
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=-1",
        "limit=9999999999",
        "limit=%C2%B2",
        "cursor=x",
        "cursor=%00",
        "cursor=eHg",
        "cursor=%C3%A9",
        "page=2",
    ],
)
async def test_a_bad_page_is_400(site: Site, query: str) -> None:
    login = await site.log_in(await site.user(), await site.app())
    response = await site.http.get(f"/sessions?{query}", headers=login.bearer)
    assert (response.status_code, response.json()["field"]) == (400, query.partition("=")[0])


# -- ending -----------------------------------------------------------------------------------


async def test_ending_one_ends_its_tokens_at_once(site: Site) -> None:
    app, user, browser = await site.app(), await site.user(), Browser(site)
    phone = await site.log_in(user, app)
    await browser.log_in(user.username, app)
    victim = next(s for s in (await browser.get("/sessions")).json()["sessions"] if not s["current"])
    ended = await browser.delete(f"/sessions/{victim['session_id']}")
    assert ended.status_code == 204
    assert int(ended.headers["revocation-seq"]) > 0
    assert not await site.active(phone.tokens["access_token"])
    refused = await site.refresh(phone)
    assert (refused.json()["error"], refused.json()["error_reason"]) == ("invalid_grant", "session_ended")
    assert (await browser.get("/session")).status_code == 200


async def test_ending_the_current_one_clears_the_cookie(site: Site) -> None:
    browser = Browser(site)
    body = (await browser.log_in((await site.user()).username, await site.app())).json()
    assert (await browser.delete(f"/sessions/{body['session']['session_id']}")).status_code == 204
    assert "__Host-authserver" not in browser.cookies
    assert (await browser.get("/session")).status_code == 401


@pytest.mark.parametrize("session_id", ["nope", "00000000-0000-7000-8000-000000000000", "%00", "a%27%20OR%201=1"])
async def test_ending_what_does_not_exist_is_404(site: Site, session_id: str) -> None:
    login = await site.log_in(await site.user(), await site.app())
    assert (await site.http.delete(f"/sessions/{session_id}", headers=login.bearer)).status_code == 404


async def test_ending_somebody_elses_is_404_and_ends_nothing(site: Site) -> None:
    app, mine, theirs = await site.app(), Browser(site), Browser(site)
    await mine.log_in((await site.user()).username, app)
    other = (await theirs.log_in((await site.user()).username, app)).json()["session"]["session_id"]
    assert (await mine.delete(f"/sessions/{other}")).status_code == 404
    assert (await theirs.get("/session")).status_code == 200


async def test_ending_twice_is_404_the_second_time(site: Site) -> None:
    app, user = await site.app(), await site.user()
    one, other = await site.log_in(user, app), await site.log_in(user, app)
    listed = (await site.http.get("/sessions", headers=one.bearer)).json()["sessions"]
    victim = next(s["session_id"] for s in listed if not s["current"])
    assert (await site.http.delete(f"/sessions/{victim}", headers=one.bearer)).status_code == 204
    assert (await site.http.delete(f"/sessions/{victim}", headers=one.bearer)).status_code == 404
    assert not await site.active(other.tokens["access_token"])


async def test_ending_all_others_leaves_this_one(site: Site) -> None:
    app, user, browser = await site.app(), await site.user(), Browser(site)
    others = [await site.log_in(user, app) for _ in range(3)]
    stranger = await site.log_in(await site.user(), app)
    await browser.log_in(user.username, app)
    response = await browser.delete("/sessions?except=current")
    assert response.json()["sessions"] == 3
    assert int(response.headers["revocation-seq"]) > 0
    assert [await site.active(other.tokens["access_token"]) for other in others] == [False] * 3
    assert await site.active(stranger.tokens["access_token"])
    assert (await browser.get("/session")).status_code == 200


@pytest.mark.parametrize("query", ["", "?except=", "?except=none", "?expect=current", "?except=current&except=x"])
async def test_ending_all_without_saying_so_is_400_and_ends_nothing(site: Site, query: str) -> None:
    app, user = await site.app(), await site.user()
    one, other = await site.log_in(user, app), await site.log_in(user, app)
    assert (await site.http.delete(f"/sessions{query}", headers=one.bearer)).status_code == 400
    assert await site.active(other.tokens["access_token"])
