"""Who may call the admin API."""

from __future__ import annotations

import pytest

from tests.site import ISSUER, Site

SOMEBODY = "01890000-0000-7000-8000-000000000000"

READS = {
    "/admin/revocations": "admin:revoke",
    "/admin/sessions": "admin:revoke",
    "/admin/users": "admin:users",
    "/admin/clients": "admin:clients",
    "/admin/keys": "admin:keys",
}
WRITES = [
    ("POST", "/admin/revocations", "admin:revoke"),
    ("DELETE", f"/admin/sessions/{SOMEBODY}", "admin:revoke"),
    ("POST", "/admin/users", "admin:users"),
    ("PATCH", f"/admin/users/{SOMEBODY}", "admin:users"),
    ("PUT", f"/admin/users/{SOMEBODY}/password", "admin:users"),
    ("DELETE", f"/admin/users/{SOMEBODY}", "admin:users"),
    ("POST", "/admin/clients", "admin:clients"),
    ("PATCH", "/admin/clients/nobody", "admin:clients"),
    ("DELETE", "/admin/clients/nobody", "admin:clients"),
    ("POST", "/admin/clients/nobody/secrets", "admin:clients"),
    ("DELETE", f"/admin/clients/nobody/secrets/{SOMEBODY}", "admin:clients"),
    ("POST", "/admin/keys/rotate", "admin:keys"),
]
SCOPES = ("admin:read", "admin:revoke", "admin:clients", "admin:users", "admin:keys")


async def test_without_credentials_the_challenge_names_no_error(site: Site) -> None:
    for path in (*READS, "/admin/audit"):
        response = await site.http.get(path)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json()["error"] == "invalid_token"
        assert response.headers["cache-control"] == "no-store"


async def test_every_write_needs_a_token(site: Site) -> None:
    for method, path, _ in WRITES:
        response = await site.http.request(method, path, json={})
        assert response.status_code == 401, path


async def test_a_reader_may_read_everything_and_change_nothing(site: Site) -> None:
    reader = await site.admin("admin:read")
    for path in (*READS, "/admin/audit"):
        assert (await site.http.get(path, headers=reader)).status_code == 200, path
    for method, path, scope in WRITES:
        response = await site.http.request(method, path, json={}, headers=reader)
        assert response.status_code == 403, path
        assert response.json()["error"] == "insufficient_scope"
        assert f'scope="admin {scope}"' in response.headers["www-authenticate"]


async def test_a_finer_scope_reads_and_writes_its_own_nouns_only(site: Site) -> None:
    holders = {scope: await site.admin(scope) for scope in SCOPES}
    for path, scope in READS.items():
        for holder, headers in holders.items():
            expected = 200 if holder in (scope, "admin:read") else 403
            assert (await site.http.get(path, headers=headers)).status_code == expected, (path, holder)
    for method, path, scope in WRITES:
        for holder, headers in holders.items():
            response = await site.http.request(method, path, content=b"[]", headers=headers)
            assert (response.status_code == 403) == (holder != scope), (method, path, holder)


async def test_only_admin_and_its_readers_see_the_audit_log(site: Site) -> None:
    for scope in SCOPES[1:]:
        assert (await site.http.get("/admin/audit", headers=await site.admin(scope))).status_code == 403
    assert (await site.http.get("/admin/audit", headers=await site.admin())).status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer a b", "Bearer a.b.c", "bearer x", "Bearer " + "x" * 9000]
)
async def test_a_malformed_token_is_401(site: Site, header: str) -> None:
    response = await site.http.get("/admin/users", headers={"Authorization": header})
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


async def test_credentials_of_another_kind_are_asked_for_a_bearer_token(site: Site) -> None:
    response = await site.http.get("/admin/users", headers={"Authorization": "Basic YTpi"})
    # RFC 6750 section 3.1: no error code for "an unsupported authentication method".
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")


async def test_two_authorization_headers_are_refused(site: Site, admin: dict[str, str]) -> None:
    value = admin["Authorization"]
    response = await site.http.get("/admin/users", headers=[("Authorization", value), ("Authorization", value)])
    assert response.status_code == 401


async def test_a_token_in_query_or_body_does_not_count(site: Site, admin: dict[str, str]) -> None:
    token = admin["Authorization"].removeprefix("Bearer ")
    assert (await site.http.get(f"/admin/users?access_token={token}")).status_code == 401
    response = await site.http.post("/admin/users", json={"username": "eve", "access_token": token})
    assert response.status_code == 401


async def test_the_scheme_may_be_written_in_small_letters(site: Site, admin: dict[str, str]) -> None:
    token = admin["Authorization"].removeprefix("Bearer ")
    assert (await site.http.get("/admin/users", headers={"Authorization": f"bearer {token}"})).status_code == 200


async def test_a_token_meant_for_somebody_else_is_401(site: Site) -> None:
    party = await site.client(scopes=("admin",), resources=("https://api.example", ISSUER))
    elsewhere = await site.own_token(party)
    response = await site.http.get("/admin/users", headers={"Authorization": f"Bearer {elsewhere['access_token']}"})
    assert response.status_code == 401
    here = await site.own_token(party, resource=ISSUER)
    response = await site.http.get("/admin/users", headers={"Authorization": f"Bearer {here['access_token']}"})
    assert response.status_code == 200


async def test_a_revoked_admin_token_is_401_at_once(site: Site) -> None:
    admin = await site.admin()
    token = admin["Authorization"].removeprefix("Bearer ")
    response = await site.http.post("/admin/revocations", json={"token": token}, headers=admin)
    assert response.status_code == 200
    assert (await site.http.get("/admin/users", headers=admin)).status_code == 401


async def test_a_disabled_administrator_is_out_at_once(site: Site, admin: dict[str, str]) -> None:
    other = await site.client(scopes=("admin",))
    token = {"Authorization": f"Bearer {(await site.own_token(other))['access_token']}"}
    response = await site.http.patch(f"/admin/clients/{other.id}", json={"enabled": False}, headers=admin)
    assert response.status_code == 200
    assert (await site.http.get("/admin/users", headers=token)).status_code == 401
    response = await site.http.post("/token", data={"grant_type": "client_credentials"}, auth=other.auth)
    assert response.status_code == 401


async def test_the_wrong_method_is_405_with_allow(site: Site, admin: dict[str, str]) -> None:
    response = await site.http.put("/admin/users", json={}, headers=admin)
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
