"""Attacks on the admin API: becoming more than one is, and doing things that leave no trace."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from authserver.audit.sparing import EVENTS_PER_MINUTE
from tests.site import PASSWORD, Party, Site


async def bearer(site: Site, party: Party, **form: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {(await site.own_token(party, **form))['access_token']}"}


async def test_a_cookie_gives_no_authority_across_sites_or_at_home(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app(scopes=("admin",)), mode="session")
    for origin in ("https://evil.example", "http://127.0.0.1:8000", "null"):
        headers = {**login.cookie_header, "Origin": origin, "X-CSRF-Token": login.csrf_token}
        response = await site.http.post("/admin/revocations", json={"all": True}, headers=headers)
        assert response.status_code == 401
        assert "access-control-allow-origin" not in response.headers
    assert (await site.http.get("/session", headers=login.cookie_header)).status_code == 200


async def test_no_web_origin_is_invited_by_a_preflight(site: Site) -> None:
    response = await site.http.options(
        "/admin/users", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert response.status_code == 405
    assert "access-control-allow-origin" not in response.headers


async def test_a_users_token_is_refused_whatever_its_scope_and_the_try_is_audited(site: Site) -> None:
    admin = await site.admin()
    app = await site.app(scopes=("admin", "admin:users"), resources=("http://127.0.0.1:8000",))
    login = await site.log_in(await site.user(), app)
    assert "admin" in login.tokens["scope"]
    for path in ("/admin/users", "/admin/audit", f"/admin/users/{login.user.id}"):
        response = await site.http.get(path, headers=login.bearer)
        assert response.status_code == 403
        assert response.json()["error"] == "insufficient_scope"
    response = await site.http.patch(f"/admin/users/{login.user.id}", json={"enabled": False}, headers=login.bearer)
    assert response.status_code == 403
    events = (await site.http.get("/admin/audit?type=admin.refused", headers=admin)).json()["items"]
    assert {event["actor"] for event in events} == {f"user:{login.user.id}"}
    assert events[0]["detail"] == {"method": "PATCH", "path": f"/admin/users/{login.user.id}"}


async def test_a_refused_caller_in_a_loop_does_not_fill_the_audit_log(site: Site) -> None:
    powerless = await bearer(site, await site.client(scopes=("read",)))
    for _ in range(2 * EVENTS_PER_MINUTE + 2):  # more than fit in two minutes: the loop may meet the full one
        assert (await site.http.get("/admin/users", headers=powerless)).status_code == 403
    refused = await site.http.get("/admin/audit?type=admin.refused&limit=200", headers=await site.admin())
    assert EVENTS_PER_MINUTE <= len(refused.json()["items"]) <= 2 * EVENTS_PER_MINUTE


async def test_a_manager_of_clients_cannot_make_itself_an_administrator(site: Site) -> None:
    manager = await site.client(scopes=("admin:clients",))
    headers = await bearer(site, manager)
    admin = await site.client(id="boss", scopes=("admin",))
    secret_id = admin.record.secrets[0].id
    attempts = [
        ("POST", "/admin/clients", {"name": "Mine", "scopes": ["admin"]}),
        ("POST", "/admin/clients", {"name": "Mine", "scopes": ["admin:users"]}),
        ("PATCH", f"/admin/clients/{manager.id}", {"scopes": ["admin:clients", "admin"]}),
        ("PATCH", "/admin/clients/boss", {"scopes": []}),
        ("PATCH", "/admin/clients/boss", {"enabled": False}),
        ("PATCH", "/admin/clients/boss", {"name": "Nobody"}),
        ("POST", "/admin/clients/boss/secrets", {}),
        ("DELETE", f"/admin/clients/boss/secrets/{secret_id}", None),
        ("DELETE", "/admin/clients/boss", None),
    ]
    for method, path, body in attempts:
        response = await site.http.request(method, path, json=body, headers=headers)
        assert response.status_code == 403, (method, path, body)
        assert "client_secret" not in response.json()
    boss = await bearer(site, admin)
    shown = (await site.http.get("/admin/clients/boss", headers=boss)).json()
    assert (shown["scopes"], shown["enabled"], len(shown["secrets"])) == (["admin"], True, 1)
    refused = (await site.http.get("/admin/audit?type=admin.refused&limit=200", headers=boss)).json()["items"]
    assert len(refused) == len(attempts)
    # Its own kind it may manage.
    body = {"name": "Colleague", "scopes": ["admin:clients", "read"]}
    assert (await site.http.post("/admin/clients", json=body, headers=headers)).status_code == 201


async def test_nobody_can_read_a_secret_or_a_hash(site: Site) -> None:
    party = await site.client(scopes=("admin",))
    admin = await bearer(site, party)
    user = await site.user()
    await site.log_in(user, await site.app())
    made = (await site.http.post("/admin/clients", json={"name": "Reports"}, headers=admin)).json()
    await site.http.post("/admin/keys/rotate", json={"now": True}, headers=admin)
    secrets = [PASSWORD, made["client_secret"], party.secret or "", "argon2", "BEGIN", "private", "sha256", 'hash"']
    for path in (
        "users",
        "clients",
        "sessions",
        "keys",
        "revocations",
        "audit",
        f"users/{user.id}",
        f"clients/{party.id}",
    ):
        answer = (await site.http.get(f"/admin/{path}", headers=admin)).text
        assert not [secret for secret in secrets if secret in answer], path


# -- the last administrator ---------------------------------------------------------------------


async def test_the_last_administrator_cannot_be_removed_disabled_or_stripped(site: Site) -> None:
    boss = await site.client(id="boss", scopes=("admin", "read"))
    headers = await bearer(site, boss)
    # None of these could take over: disabled, public, another audience, a lesser scope, a secret that ends.
    await site.client(id="off", scopes=("admin",), enabled=False)
    await site.client(id="public", secret=False, scopes=("admin",))
    await site.client(id="away", scopes=("admin",), resources=("https://api.example",))
    await site.client(id="reader", scopes=("admin:read", "admin:clients"))
    ending = await site.client(id="ending", scopes=("admin",))
    body = {"retire_others_in": 3600}
    new = (await site.http.post("/admin/clients/ending/secrets", json=body, headers=headers)).json()
    response = await site.http.delete(f"/admin/clients/ending/secrets/{new['secret_id']}", headers=headers)
    assert response.status_code == 204
    attempts = [
        ("PATCH", "/admin/clients/boss", {"enabled": False}),
        ("PATCH", "/admin/clients/boss", {"scopes": ["read"]}),
        ("PATCH", "/admin/clients/boss", {"grant_types": []}),
        ("PATCH", "/admin/clients/boss", {"resources": ["https://api.example"]}),
        ("DELETE", f"/admin/clients/boss/secrets/{boss.record.secrets[0].id}", None),
        ("DELETE", "/admin/clients/boss", None),
    ]
    for method, path, change in attempts:
        response = await site.http.request(method, path, json=change, headers=headers)
        assert response.status_code == 409, (path, change)
        assert response.json()["error"] == "conflict"
    assert (await site.http.get("/admin/users", headers=await bearer(site, boss))).status_code == 200
    # Harmless changes are not in the way, and neither is a successor.
    response = await site.http.patch("/admin/clients/boss", json={"name": "Boss"}, headers=headers)
    assert response.status_code == 200
    await site.client(id="heir", scopes=("admin",))
    assert (await site.http.delete("/admin/clients/boss", headers=headers)).status_code == 204
    assert ending.id == "ending"


async def test_of_two_administrators_who_remove_each_other_one_stays(site: Site) -> None:
    left, right = await site.client(scopes=("admin",)), await site.client(scopes=("admin",))
    left_headers, right_headers = await bearer(site, left), await bearer(site, right)
    statuses = await asyncio.gather(
        site.http.delete(f"/admin/clients/{right.id}", headers=left_headers),
        site.http.delete(f"/admin/clients/{left.id}", headers=right_headers),
    )
    codes = sorted(response.status_code for response in statuses)
    assert codes in ([204, 401], [204, 409], [204, 403])
    survivors = [party for party in (left, right) if await site.services.clients.get(party.id) is not None]
    assert len(survivors) == 1


# -- no trace, no change ------------------------------------------------------------------------


REFUSE_AUDIT = {
    "sqlite": ["CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"],
    "postgresql": [
        "CREATE FUNCTION no_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full'; END $$",
        "CREATE TRIGGER no_audit BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION no_audit()",
    ],
}
ALLOW_AUDIT = {"sqlite": "DROP TRIGGER no_audit", "postgresql": "DROP TRIGGER no_audit ON audit"}


async def execute(database_url: str, statements: list[str]) -> None:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def test_when_the_audit_log_cannot_be_written_nothing_changes(site: Site, database_url: str) -> None:
    admin = await site.admin()
    login = await site.log_in(await site.user(), await site.app())
    reports = await site.client(id="reports", scopes=("read",))
    secret_id = reports.record.secrets[0].id
    keys = (await site.http.get("/admin/keys", headers=admin)).json()
    dialect = database_url.split(":")[0].split("+")[0]
    await execute(database_url, REFUSE_AUDIT[dialect])
    attempts = [
        ("POST", "/admin/users", {"username": "eve", "password": PASSWORD}),
        ("PATCH", f"/admin/users/{login.user.id}", {"enabled": False}),
        ("PUT", f"/admin/users/{login.user.id}/password", {"password": "another good one 42"}),
        ("DELETE", f"/admin/users/{login.user.id}", None),
        ("POST", "/admin/clients", {"client_id": "mine", "name": "Mine"}),
        ("PATCH", "/admin/clients/reports", {"scopes": ["write"]}),
        ("PATCH", "/admin/clients/reports", {"enabled": False}),
        ("POST", "/admin/clients/reports/secrets", {"retire_others_in": 0}),
        ("DELETE", f"/admin/clients/reports/secrets/{secret_id}", None),
        ("DELETE", "/admin/clients/reports", None),
        ("POST", "/admin/keys/rotate", {}),
        ("POST", "/admin/keys/rotate", {"revoke": True}),
        ("POST", "/admin/revocations", {"token": login.tokens["access_token"]}),
        ("POST", "/admin/revocations", {"family_id": login.claims["sid"]}),
        ("POST", "/admin/revocations", {"user_id": login.user.id}),
        ("POST", "/admin/revocations", {"client_id": login.client.id}),
        ("POST", "/admin/revocations", {"all": True}),
    ]
    for method, path, body in attempts:
        response = await site.http.request(method, path, json=body, headers=admin)
        assert response.status_code in (500, 503), (method, path, body)
        assert "revocation-seq" not in response.headers
    await execute(database_url, [ALLOW_AUDIT[dialect]])
    assert await site.active(login.tokens["access_token"])
    assert (await site.refresh(login)).status_code == 200
    assert (await site.http.get("/admin/users?query=eve", headers=admin)).json()["items"] == []
    shown = (await site.http.get("/admin/clients/reports", headers=admin)).json()
    assert (shown["scopes"], shown["enabled"], len(shown["secrets"])) == (["read"], True, 1)
    assert (await site.http.get("/admin/keys", headers=admin)).json() == keys
    assert (await site.own_token(reports))["scope"] == "read"
    response = await site.http.get("/admin/revocations", headers=admin)
    assert response.json()["items"] == []


@pytest.mark.parametrize("path", ["/admin/users", "/admin/clients", "/admin/sessions", "/admin/audit"])
@pytest.mark.parametrize("injected", ["' OR '1'='1", '" OR ""="', "1; DROP TABLE users", "../../etc/passwd"])
async def test_sql_in_a_filter_finds_nothing(site: Site, path: str, injected: str) -> None:
    admin = await site.admin()
    await site.user()
    name = {
        "/admin/users": "query",
        "/admin/clients": "query",
        "/admin/sessions": "client_id",
        "/admin/audit": "client_id",
    }[path]
    response = await site.http.get(path, params={name: injected}, headers=admin)
    assert response.status_code == 200
    assert response.json()["items"] == []
