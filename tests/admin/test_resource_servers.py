"""Proof of effect: what resource servers report, and what administrators see of it."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx
import pytest

from authserver.background import count_resource_servers, purge
from authserver.model.time import DAY, MINUTE
from authserver.tokens.jwt import sign
from tests.feed_wire import checked, published, revoke_many, split
from tests.people import pass_time
from tests.site import Party, Site


@pytest.fixture(autouse=True)
async def _followed(site: Site) -> None:
    await published(site)


async def checkpoint(site: Site) -> str:
    return split((await site.http.get("/revocations/tail")).text)[0]


async def report(site: Site, by: Party, instance: str = "api-1", **body: object) -> httpx.Response:
    fields = {"instance": instance, "entries": 3, **body}
    if "checkpoint" not in fields:
        fields["checkpoint"] = await checkpoint(site)
    return await site.http.post("/revocations/applied", json=fields, auth=by.auth)


async def listed(site: Site, admin: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    response = await site.http.get(f"/admin/resource-servers{query}", headers=admin)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


async def test_a_report_is_seen_with_how_far_it_is(site: Site, admin: dict[str, str]) -> None:
    api = await site.resource_server()
    await revoke_many(site, 2)
    response = await report(site, api)
    assert (response.status_code, response.headers["cache-control"]) == (204, "no-store")
    (server,) = await listed(site, admin)
    log = (await checked(site, await checkpoint(site)))["log"]
    assert {name: server[name] for name in ("client_id", "instance", "address", "log", "seq", "lag", "entries")} == {
        "client_id": api.id, "instance": "api-1", "address": "192.0.2.7", "log": log, "seq": 2, "lag": 0, "entries": 3,
    }  # fmt: skip
    assert server["state"] == "current"
    assert server["reported_at"].endswith("Z")
    await revoke_many(site, 4)
    (server,) = await listed(site, admin)
    assert (server["state"], server["lag"]) == ("behind", 4)
    await report(site, api)
    (server,) = await listed(site, admin)
    assert (server["state"], server["lag"], server["seq"]) == ("current", 0, 6)


async def test_who_has_not_applied_a_revocation_is_found(site: Site, admin: dict[str, str]) -> None:
    api, other = await site.client(), await site.client()
    await revoke_many(site, 1)
    await report(site, api, "slow")
    await revoke_many(site, 2)
    await report(site, api, "quick")
    await report(site, other, "other")
    assert [server["instance"] for server in await listed(site, admin, "?behind=3")] == ["slow"]
    assert await listed(site, admin, "?behind=1") == []
    assert [server["instance"] for server in await listed(site, admin, f"?client_id={other.id}")] == ["other"]


async def test_a_number_that_the_log_has_not_reached_is_refused(site: Site, admin: dict[str, str]) -> None:
    await revoke_many(site, 2)
    await report(site, await site.client())
    assert await listed(site, admin, "?behind=2") == []
    response = await site.http.get("/admin/resource-servers?behind=3", headers=admin)
    assert response.status_code == 400
    assert "behind" in response.json()["error_description"]


async def test_pages_show_each_once(site: Site, admin: dict[str, str]) -> None:
    api = await site.client()
    names = [f"api {n} {'é' * n}" for n in range(5)]
    for name in names:
        await report(site, api, name)
    seen, query = [], "?limit=2"
    while True:
        body = (await site.http.get(f"/admin/resource-servers{query}", headers=admin)).json()
        seen += [server["instance"] for server in body["items"]]
        if body["next_cursor"] is None:
            break
        query = f"?limit=2&cursor={body['next_cursor']}"
    assert seen == names


async def test_one_that_is_silent_says_nothing_any_more_and_is_forgotten_after_a_day(
    site: Site, admin: dict[str, str]
) -> None:
    await report(site, await site.client())
    pass_time(site, 2 * MINUTE)
    headers = await site.admin()
    (server,) = await listed(site, headers)
    assert server["state"] == "silent"
    pass_time(site, DAY)
    await purge(site.services)
    assert await listed(site, await site.admin()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"instance": ""},
        {"instance": "x" * 201},
        {"instance": "a\nb"},
        {"entries": -1},
        {"entries": "3"},
        {"checkpoint": "nonsense"},
        {"checkpoint": 7},
        {"more": 1},
    ],
)
async def test_a_report_that_means_nothing_is_refused(site: Site, wrong: dict[str, object]) -> None:
    response = await report(site, await site.client(), **{"instance": "api-1", **wrong})
    assert response.status_code == 400


async def test_only_what_this_issuer_signed_is_a_report(site: Site, admin: dict[str, str]) -> None:
    api = await site.client()
    head, payload, signature = (await checkpoint(site)).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "seq": 99}).encode()).decode().rstrip("=")
    token = (await site.own_token(api))["access_token"]
    for text in (f"{head}.{forged}.{signature}", token):
        assert (await report(site, api, checkpoint=text)).status_code == 400
    assert await listed(site, admin) == []
    assert (await site.http.get("/readyz")).status_code == 200


async def test_only_confidential_clients_report(site: Site) -> None:
    app = await site.app()
    robot = await site.client()
    body = {"instance": "api-1", "entries": 0, "checkpoint": await checkpoint(site)}
    for auth in (None, (app.id, ""), (app.id, "x"), (robot.id, "wrong")):
        response = await site.http.post("/revocations/applied", json=body, auth=auth)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Basic ")


async def test_only_administrators_who_may_read_see_them(site: Site) -> None:
    for scope, status in (("admin:read", 200), ("admin:revoke", 200), ("admin:users", 403)):
        response = await site.http.get("/admin/resource-servers", headers=await site.admin(scope))
        assert response.status_code == status
    assert (await site.http.get("/admin/resource-servers")).status_code == 401


async def test_metrics_count_them(site: Site) -> None:
    api = await site.client()
    await report(site, api, "slow")
    await revoke_many(site, 7)
    await report(site, api, "quick")
    await count_resource_servers(site.services)
    text = (await site.http.get("/metrics")).text
    assert 'authserver_resource_servers{state="current"} 1.0' in text
    assert 'authserver_resource_servers{state="behind"} 1.0' in text
    assert "authserver_resource_server_max_lag 7.0" in text


# -- reports as evidence --------------------------------------------------------------------------------


def signed(site: Site, claims: dict[str, Any]) -> str:
    """What this issuer would have signed before its database lost something."""
    return sign(claims, site.services.keys.signing, "rev-checkpoint+jwt")


async def test_a_checkpoint_that_is_ahead_proves_that_commits_were_lost(site: Site) -> None:
    api = await site.client()
    claims = await checked(site, await checkpoint(site))
    lost = signed(site, {**claims, "seq": claims["seq"] + 1})
    assert (await report(site, api, checkpoint=lost)).status_code == 204
    await not_ready(site)
    assert (await site.services.log_store.head()).witness == lost


async def not_ready(site: Site) -> None:
    """Within a moment; it says which check fails and how it is cured."""
    for _ in range(100):
        response = await site.http.get("/readyz")
        if response.status_code == 503:
            assert "authserver log renew" in response.json()["checks"]["revocation_log"]
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the server is still ready")


@pytest.mark.parametrize("changed", [{"log": "fedcba9876543210"}, {"h": "A" * 43}])
async def test_so_does_one_of_another_log_or_another_chain(site: Site, changed: dict[str, str]) -> None:
    await revoke_many(site, 2)
    claims = await checked(site, await checkpoint(site))
    await report(site, await site.client(), checkpoint=signed(site, {**claims, **changed}))
    await not_ready(site)


async def test_an_old_checkpoint_of_ours_proves_nothing(site: Site) -> None:
    api = await site.client()
    old = await checkpoint(site)
    claims = await checked(site, old)
    await revoke_many(site, 3)
    ancient = signed(site, {**claims, "iat": claims["iat"] - 9000, "exp": claims["exp"] - 9000})
    for text in (old, ancient):
        assert (await report(site, api, checkpoint=text)).status_code == 204
    assert (await site.services.log_store.head()).witness is None
