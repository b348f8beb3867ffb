"""/admin/sessions and /admin/keys."""

from __future__ import annotations

import pytest

from tests.site import Site

SOMEBODY = "01890000-0000-7000-8000-000000000000"


async def test_every_device_of_every_user_is_listed(site: Site, admin: dict[str, str]) -> None:
    app, other = await site.app(), await site.app()
    ada, bob = await site.user(), await site.user()
    first, _, third = await site.log_in(ada, app), await site.log_in(ada, other), await site.log_in(bob, app)
    await site.log_in(bob, app, mode="session")

    async def count(query: str = "") -> int:
        body = (await site.http.get(f"/admin/sessions{query}", headers=admin)).json()
        return len(body["items"])

    assert await count() == 4
    assert await count(f"?user_id={ada.id}") == 2
    assert await count(f"?client_id={app.id}") == 3
    assert await count(f"?user_id={bob.id}&client_id={app.id}") == 2
    assert await count(f"?user_id={SOMEBODY}") == 0
    assert first.user == ada
    assert third.user == bob


async def test_a_session_shows_where_it_comes_from_and_no_secret(site: Site, admin: dict[str, str]) -> None:
    app, ada = await site.app(), await site.user()
    await site.log_in(ada, app, mode="session")
    (session,) = (await site.http.get("/admin/sessions", headers=admin)).json()["items"]
    assert (session["user_id"], session["client_id"], session["kind"]) == (ada.id, app.id, "browser")
    assert session["address"] == "192.0.2.7"
    assert "secret_hash" not in session
    response = await site.http.get(f"/admin/sessions/{session['session_id']}", headers=admin)
    assert response.json() == session


async def test_an_ended_session_leaves_the_list_and_only_that_one(site: Site, admin: dict[str, str]) -> None:
    app, ada = await site.app(), await site.user()
    one, two = await site.log_in(ada, app), await site.log_in(ada, app)
    newest = (await site.http.get("/admin/sessions", headers=admin)).json()["items"][0]["session_id"]
    path = f"/admin/sessions/{newest}"
    response = await site.http.delete(path, headers=admin)
    assert response.status_code == 204
    assert int(response.headers["revocation-seq"]) > 0
    assert not await site.active(two.tokens["access_token"])
    assert await site.active(one.tokens["access_token"])
    assert (await site.http.get(path, headers=admin)).status_code == 404
    listed = (await site.http.get("/admin/sessions?include_dead=true", headers=admin)).json()["items"]
    ended = next(session for session in listed if session["session_id"] == newest)
    assert ended["ended_at"] is not None
    assert ended["ended_reason"] == "ended by an administrator"
    again = await site.http.delete(path, headers=admin)
    assert again.status_code == 204
    assert "revocation-seq" not in again.headers


async def test_a_session_ended_by_a_revocation_of_its_user_is_shown_as_over(site: Site, admin: dict[str, str]) -> None:
    app, ada = await site.app(), await site.user()
    await site.log_in(ada, app)
    await site.http.post("/admin/revocations", headers=admin, json={"user_id": ada.id})
    (session,) = (await site.http.get("/admin/sessions?include_dead=true", headers=admin)).json()["items"]
    assert (session["alive"], session["ended_at"], session["ended_reason"]) == (False, None, "revoked")


@pytest.mark.parametrize("named", [SOMEBODY, "nobody", "%00", "x" * 500])
async def test_an_unknown_session_is_404(site: Site, admin: dict[str, str], named: str) -> None:
    for method in ("GET", "DELETE"):
        response = await site.http.request(method, f"/admin/sessions/{named}", headers=admin)
        assert response.status_code == 404


# -- keys ----------------------------------------------------------------------------------------


async def states(site: Site, admin: dict[str, str]) -> dict[str, str]:
    body = (await site.http.get("/admin/keys", headers=admin)).json()
    return {key["kid"]: key["state"] for key in body["items"]}


async def published(site: Site) -> set[str]:
    return {key["kid"] for key in (await site.http.get("/.well-known/jwks.json")).json()["keys"]}


async def test_keys_are_listed_without_their_private_part(site: Site, admin: dict[str, str]) -> None:
    response = await site.http.get("/admin/keys", headers=admin)
    (key,) = response.json()["items"]
    assert key["state"] == "active"
    assert key["kid"] in await published(site)
    assert "private" not in response.text


async def test_keys_come_in_pages_oldest_first(site: Site, admin: dict[str, str]) -> None:
    for body in ({"now": True}, {}):
        await site.http.post("/admin/keys/rotate", json=body, headers=admin)
    whole = (await site.http.get("/admin/keys", headers=admin)).json()
    assert [key["state"] for key in whole["items"]] == ["retired", "active", "announced"]
    assert whole["next_cursor"] is None
    first = (await site.http.get("/admin/keys?limit=2", headers=admin)).json()
    rest = (await site.http.get(f"/admin/keys?limit=2&cursor={first['next_cursor']}", headers=admin)).json()
    assert (first["items"] + rest["items"], rest["next_cursor"]) == (whole["items"], None)


async def test_a_rotation_announces_the_next_key(site: Site, admin: dict[str, str]) -> None:
    old = next(iter(await states(site, admin)))
    response = await site.http.post("/admin/keys/rotate", headers=admin)
    assert response.status_code == 200
    new = response.json()["key"]["kid"]
    assert await states(site, admin) == {old: "active", new: "announced"}
    assert await published(site) == {old, new}


async def test_a_rotation_now_keeps_the_tokens_of_the_old_key(site: Site, admin: dict[str, str]) -> None:
    old = next(iter(await states(site, admin)))
    response = await site.http.post("/admin/keys/rotate", json={"now": True, "reason": "drill"}, headers=admin)
    new = response.json()["key"]["kid"]
    assert response.json()["sequence"] is None
    assert await states(site, admin) == {old: "retired", new: "active"}
    assert (await site.http.get("/admin/keys", headers=admin)).status_code == 200


async def test_an_emergency_withdraws_the_old_key_with_its_tokens(site: Site, admin: dict[str, str]) -> None:
    old = next(iter(await states(site, admin)))
    other = await site.client(scopes=("admin",))
    body = {"revoke": True, "reason": "key on a stolen disk"}
    response = await site.http.post("/admin/keys/rotate", json=body, headers=admin)
    assert response.status_code == 200
    assert response.headers["revocation-seq"] == str(response.json()["sequence"])
    assert (await site.http.get("/admin/keys", headers=admin)).status_code == 401
    fresh = {"Authorization": f"Bearer {(await site.own_token(other))['access_token']}"}
    assert await states(site, fresh) == {old: "revoked", response.json()["key"]["kid"]: "active"}
    assert old not in await published(site)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"now": "yes"}, "now"),
        ({"revoke": 1}, "revoke"),
        ({"revoke": True, "now": False}, "now"),
        ({"reason": "x" * 201}, "reason"),
        ({"kid": "mine"}, "kid"),
    ],
)
async def test_a_bad_rotation_makes_no_key(
    site: Site, admin: dict[str, str], body: dict[str, object], field: str
) -> None:
    response = await site.http.post("/admin/keys/rotate", json=body, headers=admin)
    assert response.status_code == 400
    assert response.json()["field"] == field
    assert len(await states(site, admin)) == 1
