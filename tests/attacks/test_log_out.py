"""Attacks on logging out by OpenID Connect, and with its tokens; each test is a line of the list of attacks.

What a browser meets at /end_session is in tests/endpoints/test_end_session.py, receivers that fail are in
tests/faults/test_backchannel_logout.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from authserver.model.time import MINUTE
from authserver.revocation.records import key_of
from authserver.tokens.logout_token import LogoutTokens
from tests.faults.receivers import receiving
from tests.openid import GOODBYE, openid_client, openid_log_in
from tests.site import API, Site, open_site

SESSION = "__Host-authserver"


@pytest.fixture
async def site(database_url: str, keys_dir: Path) -> AsyncIterator[Site]:
    """Two instances that share a database and nothing else, on each database in turn; receivers are on this machine."""
    async with open_site(database_url, keys_dir, instances=2, outgoing_allow_loopback=True) as opened:
        yield opened


async def logged(site: Site, *sids: str) -> None:
    """Until resource servers can read of it in the feed."""
    services = site.services
    wanted = {key_of("sid", services.issuer, sid) for sid in sids}
    async with asyncio.timeout(5):
        while True:
            head = await services.log_store.head()
            records = await services.log_store.records(head.log, after=0, limit=100)
            if wanted <= {each.record.key for each in records}:
                return
            await asyncio.sleep(0.02)


async def test_a_log_out_is_done_everywhere_or_comes_again_from_the_outbox(site: Site) -> None:
    async with receiving(status=503) as receiver:
        listener, other = await openid_client(site, backchannel_logout_uri=receiver.uri), await openid_client(site)
        here = await openid_log_in(site, listener)
        there = await openid_log_in(site, other, here.user, here.browser)
        cookie = here.browser.cookies[SESSION]
        await here.browser.get(f"/end_session?id_token_hint={there.id_token}")
        # The cookie, here and for whoever kept it; the session on both nodes; tokens and families of every client.
        assert SESSION not in here.browser.cookies
        for instance in site.instances:
            answer = await instance.http.get("/session", headers={"Cookie": f"{SESSION}={cookie}"})
            assert answer.status_code == 401
            for login in (here, there):
                assert (await instance.http.get("/userinfo", headers=login.bearer)).status_code == 401
                form = {"grant_type": "refresh_token", "refresh_token": login.tokens["refresh_token"]}
                refreshed = await instance.http.post("/token", data=form, auth=login.client.auth)
                assert refreshed.json()["error_reason"] == "session_ended"
        await logged(site, here.claims["sid"], there.claims["sid"])
        # The client that wants to know: its receiver could not, and is told again.
        await receiver.got(1)
        receiver.status = 200
        for instance in site.instances:
            await instance.services.logout_queue.settled()
            instance.services.now._anchor += MINUTE
            instance.services.logout_queue.wake()
        await receiver.got(2)
        assert {claims["sid"] for claims in receiver.claims} == {here.claims["sid"]}


async def test_a_logout_token_is_nothing_else(site: Site) -> None:
    login = await openid_log_in(site)
    services = site.services
    token = LogoutTokens(services.issuer, services.keys, services.now).token(
        login.client.record, jti="x", subject=login.user.id, sid=login.claims["sid"]
    )
    assert (await site.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})).status_code == 401
    assert not await site.active(token)
    page = await login.browser.get(f"/end_session?id_token_hint={token}&post_logout_redirect_uri={GOODBYE}")
    assert "logout" in page.forms
    assert (await site.http.get("/userinfo", headers=login.bearer)).status_code == 200


async def test_an_id_token_is_no_access_token_and_an_access_token_no_hint(site: Site) -> None:
    """Also for a client whose access tokens bear the type of an id token."""
    client = await openid_client(site, access_token_typ="JWT", resources=(API,))
    login = await openid_log_in(site, client)
    assert (await site.http.get("/userinfo", headers={"Authorization": f"Bearer {login.id_token}"})).status_code == 401
    assert not await site.active(login.id_token)
    page = await login.browser.get(f"/end_session?id_token_hint={login.tokens['access_token']}")
    assert "logout" in page.forms
    assert (await site.http.get("/userinfo", headers=login.bearer)).status_code == 200


async def test_without_a_hint_of_this_very_log_in_the_user_is_asked_and_nobody_is_sent_anywhere(site: Site) -> None:
    victim, other = await openid_log_in(site), await openid_log_in(site)
    foreign = {"id_token_hint": other.id_token, "post_logout_redirect_uri": GOODBYE}
    elsewhere = {"id_token_hint": victim.id_token, "post_logout_redirect_uri": "https://evil.example/bye"}
    client = {"client_id": victim.client.id, "post_logout_redirect_uri": GOODBYE}
    for asked in ({}, client, foreign):
        page = await victim.browser.get(f"/end_session?{urlencode(asked)}", sec_fetch_site="cross-site")
        assert (page.status, page.location, "logout" in page.forms) == (200, "", True)
    assert (await site.http.get("/userinfo", headers=victim.bearer)).status_code == 200
    page = await victim.browser.get(f"/end_session?{urlencode(elsewhere)}", sec_fetch_site="cross-site")
    assert (page.status, page.location, page.title) == (200, "", "You are logged out")


async def test_nobody_is_logged_out_by_an_image(site: Site) -> None:
    """A page that loads /end_session as an image: the browser sends the cookie to its own site only, and a link that
    it follows gets a question."""
    login = await openid_log_in(site)
    for path in ("/end_session", f"/end_session?client_id={login.client.id}", "/account/logout", "/logout"):
        await login.browser.get(path, sec_fetch_site="cross-site", sec_fetch_dest="image")
    assert (await site.http.get("/userinfo", headers=login.bearer)).status_code == 200


async def test_a_session_cannot_be_ended_with_the_hint_of_whoever_it_was_stolen_from(site: Site) -> None:
    """An id token leaks: without the browser it ends nothing, in another browser it ends nothing."""
    client = await openid_client(site)
    victim, thief = await openid_log_in(site, client), await openid_log_in(site, client)
    await site.http.get(f"/end_session?id_token_hint={victim.id_token}")
    await site.http.post("/end_session", data={"id_token_hint": victim.id_token})
    await thief.browser.get(f"/end_session?id_token_hint={victim.id_token}")
    await thief.browser.submit("logout", "confirm")
    assert (await site.http.get("/userinfo", headers=victim.bearer)).status_code == 200
    assert (await site.http.get("/userinfo", headers=thief.bearer)).status_code == 401
