"""/admin/users: what may be told about a person."""

from __future__ import annotations

import asyncio

import pytest

from tests.site import Site


async def test_claims_are_set_shown_changed_and_taken_away(site: Site, admin: dict[str, str]) -> None:
    body = {"username": "ada", "claims": {"name": "Ada", "email": "ada@example.org"}}
    user = (await site.http.post("/admin/users", json=body, headers=admin)).json()
    path = f"/admin/users/{user['user_id']}"
    assert user["claims"] == {"name": "Ada", "email": "ada@example.org"}
    changed = await site.http.patch(path, json={"claims": {"email": None, "locale": "en"}}, headers=admin)
    assert changed.status_code == 200
    assert changed.json()["claims"] == {"name": "Ada", "locale": "en"}
    assert (await site.http.get(path, headers=admin)).json()["claims"] == {"name": "Ada", "locale": "en"}


async def test_a_change_of_claims_logs_nobody_out_and_is_noted_without_their_values(
    site: Site, admin: dict[str, str]
) -> None:
    user = await site.user()
    login = await site.log_in(user, await site.app())
    change = {"claims": {"email": "secret@example.org"}}
    await site.http.patch(f"/admin/users/{user.id}", json=change, headers=admin)
    assert await site.active(login.tokens["access_token"])
    audit = await site.http.get("/admin/audit?type=user.claims_changed", headers=admin)
    (event,) = audit.json()["items"]
    assert (event["user_id"], event["detail"]["claims"]) == (user.id, "email")
    assert "secret@example.org" not in audit.text


async def test_a_new_address_is_not_verified_because_the_old_one_was(site: Site, admin: dict[str, str]) -> None:
    path = f"/admin/users/{(await site.user()).id}"
    old = {
        "email": "a@example.org",
        "email_verified": True,
        "phone_number": "+431234567",
        "phone_number_verified": True,
    }
    await site.http.patch(path, json={"claims": old}, headers=admin)
    same = await site.http.patch(path, json={"claims": {"email": "a@example.org", "name": "A"}}, headers=admin)
    assert same.json()["claims"] == old | {"name": "A"}
    new = await site.http.patch(path, json={"claims": {"email": "b@example.org", "phone_number": None}}, headers=admin)
    assert new.json()["claims"] == {"email": "b@example.org", "name": "A"}


async def test_a_change_to_what_is_there_already_writes_nothing(site: Site, admin: dict[str, str]) -> None:
    user = await site.user()
    for _ in range(2):
        await site.http.patch(f"/admin/users/{user.id}", json={"claims": {"name": "A"}}, headers=admin)
    assert (await site.audit_types(admin)).count("user.claims_changed") == 1


async def test_changes_at_the_same_time_are_both_kept(site: Site, admin: dict[str, str]) -> None:
    path = f"/admin/users/{(await site.user()).id}"
    both = [site.http.patch(path, json={"claims": {name: "x"}}, headers=admin) for name in ("name", "nickname")]
    assert [answer.status_code for answer in await asyncio.gather(*both)] == [200, 200]
    assert (await site.http.get(path, headers=admin)).json()["claims"] == {"name": "x", "nickname": "x"}


@pytest.mark.parametrize(
    ("claims", "field"),
    [
        ({"email": "nobody"}, "claims.email"),
        ({"rôle": "admin"}, "claims.rôle"),
        ({"sub": "x"}, "claims.sub"),
        ({"address": {"planet": "x"}}, "claims.address.planet"),
        (None, "claims"),
        ([], "claims"),
    ],
)
async def test_a_bad_claim_is_refused_by_name_and_nothing_changes(
    site: Site, admin: dict[str, str], claims: object, field: str
) -> None:
    path = f"/admin/users/{(await site.user()).id}"
    refused = await site.http.patch(path, json={"enabled": False, "claims": claims}, headers=admin)
    assert (refused.status_code, refused.json()["field"]) == (400, field)
    assert (await site.http.get(path, headers=admin)).json()["enabled"] is True


async def test_a_change_of_nothing_is_refused(site: Site, admin: dict[str, str]) -> None:
    refused = await site.http.patch(f"/admin/users/{(await site.user()).id}", json={}, headers=admin)
    assert refused.status_code == 400
