"""Attacks on sessions and their cookies; each test is a line of the list of attacks. Two nodes, both databases."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from authserver.ids import uuid7
from authserver.model.audit import SYSTEM
from authserver.model.time import HOUR, MINUTE
from authserver.revocation.records import key_of
from tests import people
from tests.people import Browser, pass_time
from tests.site import PASSWORD, Site, claims_of

SESSION = "__Host-authserver"
lone_site = people.site


async def test_logout_ends_cookie_session_families_and_tells_the_log(site: Site) -> None:
    app, user, browser = await site.app(), await site.user(), Browser(site)
    session_id = (await browser.log_in(user.username, app)).json()["session"]["session_id"]
    cookies = dict(browser.cookies)
    await browser.post("/logout", on=0)
    assert SESSION not in browser.cookies
    browser.cookies = cookies
    assert [(await browser.get("/session", on=node)).status_code for node in (0, 1)] == [401, 401]
    family = await site.services.families.get(session_id)
    assert family is not None
    assert family.dead_at is not None
    services = site.services
    if not services.feed.state or not services.feed.state.seq:
        async with asyncio.timeout(5):
            await services.feed.grown()
    logged = await services.log_store.records((await services.log_store.head()).log, after=0, limit=9)
    key = key_of("sid", services.issuer, session_id)
    assert [(each.record.kind, each.record.key) for each in logged] == [("sid", key)]


async def test_logout_of_a_token_ends_it_on_the_other_node_at_once(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app(), on=0)
    assert (await site.instances[1].http.post("/logout", headers=login.bearer)).status_code == 204
    assert not await site.active(login.tokens["access_token"], on=0)
    assert (await site.refresh(login, on=0)).json()["error"] == "invalid_grant"


async def test_a_log_in_makes_a_new_session_id_and_the_old_cookie_is_dead(site: Site) -> None:
    app, user, browser = await site.app(), await site.user(), Browser(site)
    first = (await browser.log_in(user.username, app)).json()
    old = dict(browser.cookies), browser.csrf_token
    second = (await browser.log_in(user.username, app)).json()
    assert first["session"]["session_id"] != second["session"]["session_id"]
    assert first["csrf_token"] != second["csrf_token"]
    assert (await browser.get("/session", on=1)).status_code == 200
    browser.cookies, browser.csrf_token = old
    assert (await browser.get("/session", on=1)).status_code == 401


async def test_a_session_id_fixed_before_the_log_in_is_not_taken_over(site: Site) -> None:
    app, victim, attacker = await site.app(), Browser(site), Browser(site)
    await attacker.log_in((await site.user()).username, app)
    victim.cookies = dict(attacker.cookies)
    user = await site.user()
    await victim.log_in(user.username, app)
    assert (await attacker.get("/session")).status_code == 401
    assert (await victim.get("/session")).json()["user"]["user_id"] == user.id


async def test_a_cookie_planted_by_a_subdomain_is_ignored(site: Site) -> None:
    """A subdomain can set neither the prefixed name nor, beside the genuine one, a second of that name unnoticed."""
    browser, attacker, app = Browser(site), Browser(site), await site.app()
    await attacker.log_in((await site.user()).username, app)
    planted = attacker.cookies[SESSION]
    for name in ("authserver", "__Secure-authserver", "session", "__host-authserver", " __Host-authserver-"):
        browser.cookies = {name: planted}
        assert (await browser.get("/session")).status_code == 401
    await browser.log_in((await site.user()).username, app)
    genuine = f"{SESSION}={browser.cookies[SESSION]}"
    for header in (f"{SESSION}={planted}; {genuine}", f"{genuine}; {SESSION}={planted}"):
        assert (await site.http.get("/session", headers={"cookie": header})).status_code == 401


async def test_a_guessed_session_id_is_useless_without_its_secret(site: Site) -> None:
    browser, app = Browser(site), await site.app()
    session_id = (await browser.log_in((await site.user()).username, app)).json()["session"]["session_id"]
    stored = await site.services.session_store.get(session_id, now=site.services.now())
    assert stored is not None
    guesses = [session_id, session_id.replace("-", ""), uuid7(site.services.now()), (stored.secret_hash or b"").hex()]
    for guess in guesses:
        for headers in ({"cookie": f"{SESSION}={guess}"}, {"authorization": f"Bearer {guess}"}):
            assert (await site.http.get("/session", headers=headers)).status_code == 401


async def test_a_changed_cookie_never_reaches_the_database(site: Site) -> None:
    """Its tag is wrong. (A flipped bit that left the value as it is would be another spelling; there is none.)"""
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    value = browser.cookies[SESSION]
    for position in range(len(value)):
        other = "B" if value[position] == "A" else "A"
        changed = value[:position] + other + value[position + 1 :]
        response = await site.http.get("/session", headers={"cookie": f"{SESSION}={changed}"})
        assert (response.status_code, response.json()["error_description"]) == (401, "the session cookie is not valid")


async def test_the_list_shows_all_devices_and_killing_one_kills_only_that(site: Site) -> None:
    app, user, laptop = await site.app(), await site.user(), Browser(site)
    await laptop.log_in(user.username, app)
    tablet = Browser(site)
    lost = (await tablet.log_in(user.username, app)).json()["session"]["session_id"]
    phone = await site.log_in(user, app)
    listed = (await laptop.get("/sessions", on=1)).json()["sessions"]
    assert len(listed) == 3
    assert (await laptop.delete(f"/sessions/{lost}", on=1)).status_code == 204
    assert (await tablet.get("/session", on=0)).status_code == 401
    assert (await laptop.get("/session", on=0)).status_code == 200
    assert (await site.refresh(phone)).status_code == 200


async def test_killing_a_session_by_somebody_elses_hand_is_404(site: Site) -> None:
    app, mine, theirs = await site.app(), Browser(site), Browser(site)
    await mine.log_in((await site.user()).username, app)
    other = (await theirs.log_in((await site.user()).username, app)).json()["session"]["session_id"]
    assert (await mine.delete(f"/sessions/{other}")).status_code == 404
    assert (await theirs.get("/session")).status_code == 200


async def test_idle_and_activity_on_two_nodes_never_shorten_or_stretch_the_bound(site: Site) -> None:
    """A use may be unwritten for a minute: the idle end lies between `idle - 1 min` and `idle` after the last use."""
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    for step in range(12):
        pass_time(site, 10 * MINUTE + 50_000 * (step % 2))
        assert (await browser.get("/session", on=step % 2)).status_code == 200
    pass_time(site, HOUR - MINUTE - 1000)
    assert (await browser.get("/session", on=0)).status_code == 200
    pass_time(site, HOUR + 1)
    assert [(await browser.get("/session", on=node)).status_code for node in (0, 1)] == [401, 401]


@pytest.mark.parametrize("change", ["disabled", "password set", "removed"])
async def test_of_a_user_who_was_shut_out_no_session_survives(site: Site, change: str) -> None:
    app, user, browser = await site.app(), await site.user(), Browser(site)
    await browser.log_in(user.username, app)
    phone = await site.log_in(user, app)
    directory = site.instances[1].services.directory
    if change == "disabled":
        await directory.set_enabled(user.id, False, caller=SYSTEM)
        await directory.set_enabled(user.id, True, caller=SYSTEM)
    elif change == "removed":
        await directory.remove(user.id, caller=SYSTEM)
    else:
        await directory.set_password(user.id, "another horse entirely", caller=SYSTEM)
    assert (await browser.get("/session")).status_code == 401
    assert (await browser.get("/forward-auth")).status_code == 401
    assert not await site.active(phone.tokens["access_token"])
    assert (await site.refresh(phone)).status_code == 400


async def test_a_password_change_that_races_log_ins_leaves_no_session_of_the_old_one(site: Site) -> None:
    app, user = await site.app(), await site.user()
    body = {"username": user.username, "password": PASSWORD, "client_id": app.id}
    directory = site.services.directory
    log_ins = [site.instances[n % 2].http.post("/login", json=body) for n in range(8)]
    answers = await asyncio.gather(*log_ins, directory.set_password(user.id, "another horse entirely", caller=SYSTEM))
    tokens = [answer.json()["access_token"] for answer in answers[:8] if answer and answer.status_code == 200]
    old = [token for token in tokens if claims_of(token)["rv"] == "0.0.0"]
    assert old == tokens  # nobody is born under the new version with the old password
    assert [await site.active(token) for token in tokens] == [False] * len(tokens)


async def test_every_cookie_is_host_only_secure_httponly_and_lax(site: Site) -> None:
    user = await site.user()
    response = await site.http.post(
        "/login",
        json={"username": user.username, "password": PASSWORD, "client_id": (await site.app()).id, "mode": "session"},
    )
    lines = response.headers.get_list("set-cookie")
    morsels = [morsel for line in lines for morsel in SimpleCookie(line).values()]
    assert {morsel.key for morsel in morsels} == {SESSION, f"{SESSION}-device"}
    for morsel in morsels:
        assert morsel.key.startswith("__Host-")
        assert (morsel["secure"], morsel["httponly"], morsel["path"], morsel["domain"]) == (True, True, "/", "")
        assert morsel["samesite"].lower() == "lax"


@pytest.mark.parametrize("mode", ["token", "session"])
async def test_over_plain_http_no_cookie_is_set(site: Site, mode: str) -> None:
    user = await site.user()
    response = await site.http.post(
        "http://auth.example/login",
        json={"username": user.username, "password": PASSWORD, "client_id": (await site.app()).id, "mode": mode},
    )
    assert response.status_code == (200 if mode == "token" else 403)
    assert "set-cookie" not in response.headers


# -- CSRF -------------------------------------------------------------------------------------


async def test_the_csrf_token_of_another_session_a_fixed_one_and_none_are_refused(site: Site) -> None:
    app, mine, other = await site.app(), Browser(site), Browser(site)
    user = await site.user()
    await mine.log_in(user.username, app)
    await other.log_in(user.username, app)
    right = mine.csrf_token
    for wrong in (other.csrf_token, "", "0" * 43, right[:-1], right + "A", right.swapcase()):
        mine.csrf_token = wrong
        for answer in (await mine.post("/logout"), await mine.delete("/sessions?except=current")):
            assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert (await other.get("/session")).status_code == 200
    mine.csrf_token = right
    assert (await mine.delete("/sessions?except=current")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "", "origin": "https://evil.example"},
        {"sec_fetch_site": "", "origin": "null"},
        {"sec_fetch_site": "", "origin": "http://127.0.0.1:8001"},
        {"sec_fetch_site": "", "origin": "https://127.0.0.1:8000"},
        {"sec_fetch_site": "", "origin": "http://127.0.0.1:8000.evil.example"},
    ],
)
async def test_an_unsafe_request_from_another_site_is_refused_even_with_the_token(
    site: Site, headers: dict[str, str]
) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    assert (await browser.post("/logout", **headers)).status_code == 403
    assert (await browser.get("/session")).status_code == 200


async def test_no_endpoint_of_sessions_lets_another_origin_read_it(site: Site) -> None:
    for path in ("/login", "/logout", "/session", "/sessions", "/forward-auth"):
        for method in ("GET", "POST", "OPTIONS"):
            response = await site.http.request(method, path, headers={"origin": "https://evil.example"})
            assert not [name for name in response.headers if name.startswith("access-control-")]


# -- what is stored ---------------------------------------------------------------------------


async def test_a_dump_of_the_database_holds_no_usable_credential(lone_site: Site, tmp_path: Path) -> None:
    site, browser = lone_site, Browser(lone_site)
    user, app = await site.user(), await site.app()
    await browser.log_in(user.username, app)
    tokens = (await site.log_in(user, app)).tokens
    copy = sqlite3.connect(f"file:{tmp_path / 'authserver.db'}?mode=ro", uri=True)
    dump = "\n".join(copy.iterdump())
    copy.close()
    credentials = [
        *browser.cookies.values(),
        browser.csrf_token,
        tokens["access_token"],
        tokens["refresh_token"],
        PASSWORD,
    ]
    for credential in credentials:
        assert credential not in dump
        assert credential.encode().hex().upper() not in dump
    assert hashlib.sha256(PASSWORD.encode()).hexdigest().upper() not in dump
