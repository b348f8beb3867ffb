"""/admin/users."""

from __future__ import annotations

import pytest

from tests.site import PASSWORD, Site

SOMEBODY = "01890000-0000-7000-8000-000000000000"


async def test_a_new_account_can_log_in(site: Site, admin: dict[str, str]) -> None:
    created = await site.http.post("/admin/users", json={"username": "Ada", "password": PASSWORD}, headers=admin)
    assert created.status_code == 201
    user = created.json()
    assert created.headers["location"] == f"/admin/users/{user['user_id']}"
    assert (user["username"], user["enabled"], user["has_password"]) == ("Ada", True, True)
    app = await site.app()
    body = {"username": "ada", "password": PASSWORD, "client_id": app.id}
    assert (await site.http.post("/login", json=body)).status_code == 200
    assert (await site.http.get(created.headers["location"], headers=admin)).json() == user


async def test_an_account_without_a_password_gets_one_later(site: Site, admin: dict[str, str]) -> None:
    user = (await site.http.post("/admin/users", json={"username": "ada"}, headers=admin)).json()
    assert user["has_password"] is False
    app = await site.app()
    body = {"username": "ada", "password": PASSWORD, "client_id": app.id}
    assert (await site.http.post("/login", json=body)).status_code == 401
    path = f"/admin/users/{user['user_id']}/password"
    assert (await site.http.put(path, json={"password": PASSWORD}, headers=admin)).status_code == 204
    assert (await site.http.post("/login", json=body)).status_code == 200


async def test_an_account_can_be_made_disabled(site: Site, admin: dict[str, str]) -> None:
    body = {"username": "ada", "password": PASSWORD, "enabled": False}
    user = (await site.http.post("/admin/users", json=body, headers=admin)).json()
    assert user["enabled"] is False
    app = await site.app()
    login = {"username": "ada", "password": PASSWORD, "client_id": app.id}
    assert (await site.http.post("/login", json=login)).status_code == 401


async def test_a_name_is_taken_however_it_is_typed(site: Site, admin: dict[str, str]) -> None:
    await site.user("ada")
    response = await site.http.post("/admin/users", json={"username": "  ＡDA "}, headers=admin)
    assert response.status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": ""},
        {"username": 7},
        {"username": "a\tb"},
        {"username": "x" * 300},
        {"username": "ada", "password": "short"},
        {"username": "ada", "password": "x" * 2000},
        {"username": "ada", "password": 12345678},
        {"username": "ada", "enabled": "yes"},
        {"username": "ada", "password_hash": "$argon2id$..."},
        {"username": "ada", "version": 7},
        {"username": "ada", "user_id": SOMEBODY},
    ],
)
async def test_a_bad_account_is_refused_and_not_made(
    site: Site, admin: dict[str, str], body: dict[str, object]
) -> None:
    response = await site.http.post("/admin/users", json=body, headers=admin)
    assert response.status_code == 400
    assert (await site.http.get("/admin/users", headers=admin)).json()["items"] == []


async def test_a_password_never_comes_back(site: Site, admin: dict[str, str]) -> None:
    user = await site.user("ada")
    for path in ("/admin/users", f"/admin/users/{user.id}", "/admin/audit"):
        text = (await site.http.get(path, headers=admin)).text
        assert "argon2" not in text
        assert PASSWORD not in text


async def test_disabling_ends_everything_and_enabling_brings_nothing_back(site: Site, admin: dict[str, str]) -> None:
    login = await site.log_in(await site.user(), await site.app())
    path = f"/admin/users/{login.user.id}"
    response = await site.http.patch(path, json={"enabled": False}, headers=admin)
    assert response.json()["enabled"] is False
    for enabled in (False, True):
        assert (await site.http.patch(path, json={"enabled": enabled}, headers=admin)).status_code == 200
        assert not await site.active(login.tokens["access_token"])
        assert (await site.refresh(login)).json()["error"] == "invalid_grant"
    await site.log_in(login.user, login.client)


async def test_setting_what_is_set_writes_nothing(site: Site, admin: dict[str, str]) -> None:
    login = await site.log_in(await site.user(), await site.app())
    await site.http.patch(f"/admin/users/{login.user.id}", json={"enabled": True}, headers=admin)
    assert await site.active(login.tokens["access_token"])
    assert "user.enabled" not in await site.audit_types(admin)


async def test_a_new_password_ends_every_session(site: Site, admin: dict[str, str]) -> None:
    login = await site.log_in(await site.user(), await site.app())
    path = f"/admin/users/{login.user.id}/password"
    response = await site.http.put(path, json={"password": "another good one 42"}, headers=admin)
    assert response.status_code == 204
    assert not await site.active(login.tokens["access_token"])
    assert (await site.refresh(login)).status_code == 400


@pytest.mark.parametrize("body", [{}, {"password": "x"}, {"password": None}, {"password": PASSWORD, "old": "x"}])
async def test_a_bad_password_changes_nothing(site: Site, admin: dict[str, str], body: dict[str, object]) -> None:
    login = await site.log_in(await site.user(), await site.app())
    path = f"/admin/users/{login.user.id}/password"
    assert (await site.http.put(path, json=body, headers=admin)).status_code == 400
    assert await site.active(login.tokens["access_token"])


async def test_a_removed_user_is_gone_with_all_tokens(site: Site, admin: dict[str, str]) -> None:
    login = await site.log_in(await site.user("ada"), await site.app())
    path = f"/admin/users/{login.user.id}"
    assert (await site.http.delete(path, headers=admin)).status_code == 204
    assert (await site.http.get(path, headers=admin)).status_code == 404
    assert (await site.http.delete(path, headers=admin)).status_code == 404
    assert not await site.active(login.tokens["access_token"])
    assert (await site.refresh(login)).status_code == 400
    # The name is free again, and its new owner inherits nothing.
    again = await site.user("ada")
    assert again.id != login.user.id
    assert not await site.active(login.tokens["access_token"])


@pytest.mark.parametrize("named", [SOMEBODY, "nobody", "%00", "..%2fclients", "' OR 1=1--", "x" * 500])
async def test_an_unknown_user_is_404_for_every_method(site: Site, admin: dict[str, str], named: str) -> None:
    path = f"/admin/users/{named}"
    assert (await site.http.get(path, headers=admin)).status_code == 404
    assert (await site.http.delete(path, headers=admin)).status_code == 404
    assert (await site.http.patch(path, json={"enabled": True}, headers=admin)).status_code == 404
    response = await site.http.put(f"{path}/password", json={"password": PASSWORD}, headers=admin)
    assert response.status_code == 404


async def test_the_list_can_be_searched_and_filtered(site: Site, admin: dict[str, str]) -> None:
    ada, bob = await site.user("Ada"), await site.user("Bob")
    await site.http.patch(f"/admin/users/{bob.id}", json={"enabled": False}, headers=admin)

    async def names(query: str) -> list[str]:
        body = (await site.http.get(f"/admin/users?{query}", headers=admin)).json()
        return [user["username"] for user in body["items"]]

    assert await names("query=aD") == ["Ada"]
    assert await names("enabled=true") == ["Ada"]
    assert await names("enabled=false") == ["Bob"]
    assert await names("") == ["Ada", "Bob"]
    assert ada.username == "Ada"


async def test_each_change_is_in_the_audit_log_under_its_author(site: Site, admin: dict[str, str]) -> None:
    user = (await site.http.post("/admin/users", json={"username": "ada"}, headers=admin)).json()
    path = f"/admin/users/{user['user_id']}"
    await site.http.put(f"{path}/password", json={"password": PASSWORD}, headers=admin)
    await site.http.patch(path, json={"enabled": False}, headers=admin)
    await site.http.patch(path, json={"enabled": True}, headers=admin)
    await site.http.delete(path, headers=admin)
    events = (await site.http.get(f"/admin/audit?user_id={user['user_id']}", headers=admin)).json()["items"]
    assert [event["type"] for event in events] == [
        "user.removed",
        "user.enabled",
        "user.disabled",
        "user.password_set",
        "user.created",
    ]
    assert {event["actor"] for event in events} == {"client:client-1"}
    assert {event["address"] for event in events} == {"192.0.2.7"}
    assert all(event["request_id"] for event in events)
