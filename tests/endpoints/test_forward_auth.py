"""GET /forward-auth: what a reverse proxy is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from authserver.model.audit import SYSTEM
from authserver.model.time import MINUTE
from tests import people
from tests.people import Browser, pass_time
from tests.site import API, Site, claims_of

site = people.site
two_nodes = people.two_nodes

OTHER = "https://other.example"


def token_of(response: Any) -> str:
    scheme, _, token = response.headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    return str(token)


async def test_a_cookie_passes_as_its_user(site: Site) -> None:
    user, browser = await site.user(), Browser(site)
    session = (await browser.log_in(user.username, await site.app())).json()["session"]
    response = await browser.get("/forward-auth")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-auth-subject"] == user.id
    assert response.headers["x-auth-scope"] == "read write"
    assert response.headers["x-auth-session"] == session["session_id"]


async def test_the_token_of_a_cookie_is_one_that_resource_servers_accept(site: Site) -> None:
    user, browser = await site.user(), Browser(site)
    app = await site.app()
    await browser.log_in(user.username, app, scope="read")
    token = token_of(await browser.get("/forward-auth"))
    claims = claims_of(token)
    assert (claims["sub"], claims["aud"], claims["scope"], claims["client_id"]) == (user.id, API, "read", app.id)
    assert claims["exp"] - claims["iat"] <= 300
    assert await site.active(token)


async def test_a_bearer_token_passes_as_it_is(site: Site) -> None:
    user = await site.user()
    login = await site.log_in(user, await site.app())
    response = await site.http.get("/forward-auth", headers=login.bearer)
    assert response.status_code == 200
    assert token_of(response) == login.tokens["access_token"]
    assert response.headers["x-auth-subject"] == user.id


async def test_a_program_passes_as_its_client_without_a_session(site: Site) -> None:
    client = await site.client(scopes=("jobs",))
    token = (await site.own_token(client))["access_token"]
    response = await site.http.get("/forward-auth", headers={"authorization": f"Bearer {token}"})
    assert response.headers["x-auth-subject"] == client.id
    assert response.headers["x-auth-session"] == ""


async def test_nobody_is_401(site: Site) -> None:
    assert (await site.http.get("/forward-auth")).status_code == 401


async def test_basic_credentials_meant_for_the_application_are_ignored(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    assert (await browser.get("/forward-auth", authorization="Basic YTpi")).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_it_answers_every_method_alike(site: Site, method: str) -> None:
    login = await site.log_in(await site.user(), await site.app())
    assert (await site.http.request(method, "/forward-auth", headers=login.bearer)).status_code == 200


async def test_a_page_with_fifty_assets_costs_one_signature(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    answers = await asyncio.gather(*(browser.get("/forward-auth") for _ in range(50)))
    assert len({token_of(answer) for answer in answers}) == 1


async def test_the_kept_token_is_replaced_before_it_runs_out(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    first = token_of(await browser.get("/forward-auth"))
    pass_time(site, 2 * MINUTE)
    assert token_of(await browser.get("/forward-auth")) == first
    pass_time(site, MINUTE)
    assert token_of(await browser.get("/forward-auth")) != first


# -- at once ----------------------------------------------------------------------------------


async def test_logging_out_closes_it_at_once_on_every_node_and_for_the_token(two_nodes: Site) -> None:
    site, browser = two_nodes, Browser(two_nodes)
    await browser.log_in((await site.user()).username, await site.app())
    cookies = dict(browser.cookies)
    tokens = [token_of(await browser.get("/forward-auth", on=node)) for node in (0, 1)]
    await browser.post("/logout", on=0)
    browser.cookies = cookies
    assert [(await browser.get("/forward-auth", on=node)).status_code for node in (0, 1)] == [401, 401]
    assert [await site.active(token, on=1) for token in tokens] == [False, False]


@pytest.mark.parametrize("level", ["session", "user", "client", "all"])
async def test_each_level_of_revocation_closes_it_at_once(site: Site, level: str) -> None:
    app, user, browser = await site.app(), await site.user(), Browser(site)
    session = (await browser.log_in(user.username, app)).json()["session"]["session_id"]
    token_of(await browser.get("/forward-auth"))
    target: dict[str, Any] = {
        "session": {"session_id": session},
        "user": {"user_id": user.id},
        "client": {"client_id": app.id},
        "all": {"all": True},
    }[level]
    admin = await site.admin()
    revoked = await site.http.post("/admin/revocations", json={**target, "reason": "test"}, headers=admin)
    assert revoked.is_success, revoked.text
    assert (await browser.get("/forward-auth")).status_code == 401


async def test_revoking_one_token_leaves_the_session_which_gets_another(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    token = token_of(await browser.get("/forward-auth"))
    admin = await site.admin()
    await site.http.post("/admin/revocations", json={"token": token, "reason": "leaked"}, headers=admin)
    response = await browser.get("/forward-auth")
    assert response.status_code == 200
    assert token_of(response) != token
    assert not await site.active(token)


async def test_a_disabled_user_is_out_at_once(site: Site) -> None:
    user, browser = await site.user(), Browser(site)
    await browser.log_in(user.username, await site.app())
    assert (await browser.get("/forward-auth")).status_code == 200
    await site.services.directory.set_enabled(user.id, False, caller=SYSTEM)
    assert (await browser.get("/forward-auth")).status_code == 401


async def test_an_idle_session_is_closed_and_a_used_one_stays_open(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    for _ in range(3):
        pass_time(site, 50 * MINUTE)
        assert (await browser.get("/forward-auth")).status_code == 200
    pass_time(site, 60 * MINUTE + 1)
    assert (await browser.get("/forward-auth")).status_code == 401


async def test_no_token_outlives_the_session(site: Site) -> None:
    browser = Browser(site)
    await browser.log_in((await site.user()).username, await site.app())
    for _ in range(28):
        pass_time(site, 51 * MINUTE)
        assert (await browser.get("/forward-auth")).status_code == 200
    pass_time(site, 9 * MINUTE)  # 23 h 57 min
    claims = claims_of(token_of(await browser.get("/forward-auth")))
    assert claims["exp"] - claims["iat"] <= 180


# -- for one application ----------------------------------------------------------------------


async def test_a_bearer_token_for_another_resource_is_401(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app())
    assert (await site.http.get(f"/forward-auth?resource={API}", headers=login.bearer)).status_code == 200
    response = await site.http.get(f"/forward-auth?resource={OTHER}", headers=login.bearer)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")


async def test_a_session_gets_a_token_for_the_one_resource_that_asks(site: Site) -> None:
    browser, app = Browser(site), await site.app(resources=(API, OTHER))
    await browser.log_in((await site.user()).username, app, resource=[API, OTHER])
    assert claims_of(token_of(await browser.get(f"/forward-auth?resource={OTHER}")))["aud"] == OTHER
    assert claims_of(token_of(await browser.get("/forward-auth")))["aud"] == [API, OTHER]


async def test_a_session_that_was_not_granted_the_resource_is_401(site: Site) -> None:
    browser, app = Browser(site), await site.app(resources=(API, OTHER))
    await browser.log_in((await site.user()).username, app, resource=API)
    assert (await browser.get(f"/forward-auth?resource={OTHER}")).status_code == 401


async def test_a_missing_scope_is_403(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app())
    assert (await site.http.get("/forward-auth?scope=read+write", headers=login.bearer)).status_code == 200
    response = await site.http.get("/forward-auth?scope=read+delete", headers=login.bearer)
    assert (response.status_code, response.json()["error"]) == (403, "insufficient_scope")


async def test_a_scope_taken_from_the_client_is_gone_from_new_tokens(site: Site) -> None:
    browser, app = Browser(site), await site.app()
    await browser.log_in((await site.user()).username, app)
    admin = await site.admin()
    await site.http.patch(f"/admin/clients/{app.id}", json={"scopes": ["read"]}, headers=admin)
    response = await browser.get("/forward-auth")
    assert response.headers["x-auth-scope"] == "read"
