"""/admin/clients and their secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from authserver.administration.last_admin import LastAdmin
from authserver.model.audit import Caller
from authserver.model.client import Client
from authserver.model.errors import Conflict
from tests.site import Site

SOMEBODY = "01890000-0000-7000-8000-000000000000"


async def register(site: Site, admin: dict[str, str], **fields: object) -> dict[str, Any]:
    response = await site.http.post("/admin/clients", json={"name": "Reports", **fields}, headers=admin)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def token(site: Site, client_id: str, secret: str, **form: str) -> httpx.Response:
    return await site.http.post("/token", data={"grant_type": "client_credentials", **form}, auth=(client_id, secret))


async def test_a_new_client_can_get_a_token_at_once(site: Site, admin: dict[str, str]) -> None:
    client = await register(site, admin, client_id="reports", scopes=["read"])
    response = await token(site, "reports", client["client_secret"])
    assert response.json()["scope"] == "read"


async def test_the_secret_is_shown_once(site: Site, admin: dict[str, str]) -> None:
    client = await register(site, admin)
    assert len(client["client_secret"]) >= 43
    for path in (f"/admin/clients/{client['client_id']}", "/admin/clients", "/admin/audit"):
        text = (await site.http.get(path, headers=admin)).text
        assert client["client_secret"] not in text
        assert "sha256" not in text


async def test_a_client_without_an_id_is_given_one(site: Site, admin: dict[str, str]) -> None:
    client = await register(site, admin)
    assert (await site.http.get(f"/admin/clients/{client['client_id']}", headers=admin)).status_code == 200


async def test_a_public_client_has_no_secret(site: Site, admin: dict[str, str]) -> None:
    client = await register(site, admin, auth_method="none", first_party=True)
    assert "client_secret" not in client
    assert client["secrets"] == []
    assert client["grant_types"] == ["refresh_token"]
    response = await site.http.post(f"/admin/clients/{client['client_id']}/secrets", json={}, headers=admin)
    assert response.status_code == 409


async def test_an_id_can_be_taken_once(site: Site, admin: dict[str, str]) -> None:
    await register(site, admin, client_id="reports")
    body = {"client_id": "reports", "name": "Other"}
    response = await site.http.post("/admin/clients", json=body, headers=admin)
    assert response.status_code == 409
    assert response.json()["field"] == "client_id"
    assert (await site.http.get("/admin/clients/reports", headers=admin)).json()["name"] == "Reports"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("client_id", ["", "a b", "a:b", "a/b", "a\0b", "é", "-a", "x" * 65, 7, SOMEBODY]),
        ("name", ["", "  ", "x" * 201, "a\nb", "a\u202e", "a\u200bb", "a\u202e\u0000", 7, None]),
        ("auth_method", ["magic", "", None, "None"]),
        ("grant_types", ["client_credentials", ["password"], ["implicit"], [7], ["refresh_token"] * 2, None]),
        ("scopes", ["read", ["a b"], ['a"b'], ["a\\b"], [""], ["é"], ["x" * 129], [f"s{n}" for n in range(101)]]),
        (
            "resources",
            [
                ["api"],
                ["https:nowhere"],
                ["https://a.example#f"],
                ["https://a b"],
                ["//a"],
                [7],
                ["https://[::1"],
                ["x" * 600],
            ],
        ),
        ("audiences", [["api"], ["javascript:alert(1)#x"]]),
        (
            "redirect_uris",
            [
                ["http://app.example/cb"],
                ["javascript:alert(1)"],
                ["data:text/html,x"],
                ["https://a.example/#f"],
                ["https://u:p@a.example/"],
                ["https://"],
                ["/cb"],
                ["https://a.example/\\x"],
                ["https://a.example/ b"],
                ["https://a.example:99999/"],
                ["file:///etc/passwd"],
                ["myapp:/cb"],
                ["https://ａ.example/"],
                ["http://127.0.0.1.evil.example/"],
            ],
        ),
        ("first_party", ["yes", 1, None]),
        ("refresh_rotation", ["sometimes", None]),
        ("access_token_ttl", [0, -1, 301, 1.5, "60", True]),
        ("enabled", [True]),
        ("version", [7]),
        ("secrets", [[]]),
        ("client_secret", ["mine"]),
    ],
)
async def test_a_bad_field_is_refused_by_name(
    site: Site, admin: dict[str, str], field: str, values: list[object]
) -> None:
    for value in values:
        body = {"name": "Reports", "client_id": "reports", field: value}
        response = await site.http.post("/admin/clients", json=body, headers=admin)
        assert response.status_code == 400, value
        if "\0" not in str(value):  # a NUL is refused with the whole body
            assert response.json()["field"] == field, value
    assert (await site.http.get("/admin/clients/reports", headers=admin)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"auth_method": "none", "grant_types": ["client_credentials"]}, "grant_types"),
        ({"auth_method": "none", "audiences": ["https://api.example"]}, "audiences"),
        ({"auth_method": "none", "refresh_rotation": "never"}, "refresh_rotation"),
    ],
)
async def test_a_public_client_may_not_do_what_needs_a_secret(
    site: Site, admin: dict[str, str], fields: dict[str, object], field: str
) -> None:
    response = await site.http.post("/admin/clients", json={"name": "App", **fields}, headers=admin)
    assert response.status_code == 400
    assert response.json()["field"] == field


async def test_a_name_is_required(site: Site, admin: dict[str, str]) -> None:
    response = await site.http.post("/admin/clients", json={}, headers=admin)
    assert response.json()["field"] == "name"


@pytest.mark.parametrize(
    "uri", ["https://app.example/cb?x=1", "http://127.0.0.1:7777/cb", "http://[::1]/cb", "com.example.app:/cb"]
)
async def test_a_redirect_uri_is_https_loopback_or_a_scheme_of_its_own(
    site: Site, admin: dict[str, str], uri: str
) -> None:
    client = await register(site, admin, redirect_uris=[uri])
    assert client["redirect_uris"] == [uri]
    assert client["application_type"] == ("web" if uri.startswith("https:") else "native")


async def test_a_web_application_takes_no_scheme_for_itself(site: Site, admin: dict[str, str]) -> None:
    body = {"name": "Web", "redirect_uris": ["com.example.app:/cb"], "application_type": "web"}
    response = await site.http.post("/admin/clients", json=body, headers=admin)
    assert response.json()["field"] == "redirect_uris"
    assert "application_type native" in response.json()["error_description"]


async def test_a_change_touches_only_what_it_names(site: Site, admin: dict[str, str]) -> None:
    before = await register(site, admin, client_id="reports", scopes=["read"], audiences=["https://api.example"])
    response = await site.http.patch("/admin/clients/reports", json={"scopes": ["write"]}, headers=admin)
    assert response.status_code == 200
    after = response.json()
    assert after["scopes"] == ["write"]
    unchanged = set(before) - {"client_secret", "scopes", "updated_at"}
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    assert (await token(site, "reports", before["client_secret"])).json()["scope"] == "write"


async def test_a_change_is_recorded_with_old_and_new(site: Site, admin: dict[str, str]) -> None:
    await register(site, admin, client_id="reports", scopes=["read"])
    await site.http.patch("/admin/clients/reports", json={"scopes": ["write"], "name": "Reports"}, headers=admin)
    await site.http.patch("/admin/clients/reports", json={"scopes": ["write"]}, headers=admin)
    events = (await site.http.get("/admin/audit?type=client.updated", headers=admin)).json()["items"]
    assert [event["detail"] for event in events] == [{"changed": {"scopes": {"from": ["read"], "to": ["write"]}}}]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"enabled": False, "name": "x"}, "enabled"),
        ({"auth_method": "none"}, "auth_method"),
        ({"client_id": "other"}, "client_id"),
        ({"access_token_ttl": 100000}, "access_token_ttl"),
    ],
)
async def test_a_bad_change_changes_nothing(
    site: Site, admin: dict[str, str], body: dict[str, object], field: str
) -> None:
    before = await register(site, admin, client_id="reports")
    response = await site.http.patch("/admin/clients/reports", json=body, headers=admin)
    assert response.status_code == 400
    assert response.json()["field"] == field
    after = (await site.http.get("/admin/clients/reports", headers=admin)).json()
    assert {**after, "client_secret": before["client_secret"]} == before


async def test_a_lifetime_can_be_set_and_taken_back(site: Site, admin: dict[str, str]) -> None:
    client = await register(site, admin, client_id="reports", access_token_ttl=60)
    assert (await token(site, "reports", client["client_secret"])).json()["expires_in"] == 60
    await site.http.patch("/admin/clients/reports", json={"access_token_ttl": None}, headers=admin)
    assert (await token(site, "reports", client["client_secret"])).json()["expires_in"] == 300


async def test_disabling_ends_tokens_for_good(site: Site, admin: dict[str, str]) -> None:
    login = await site.log_in(await site.user(), await site.app())
    path = f"/admin/clients/{login.client.id}"
    for enabled in (False, True):
        response = await site.http.patch(path, json={"enabled": enabled}, headers=admin)
        assert response.json()["enabled"] is enabled
        assert not await site.active(login.tokens["access_token"])
    assert (await site.refresh(login)).status_code == 400


async def test_a_removed_client_is_gone_with_its_tokens(site: Site, admin: dict[str, str]) -> None:
    login = await site.log_in(await site.user(), await site.app(id="portal"))
    assert (await site.http.delete("/admin/clients/portal", headers=admin)).status_code == 204
    assert (await site.http.delete("/admin/clients/portal", headers=admin)).status_code == 404
    assert not await site.active(login.tokens["access_token"])
    assert (await site.refresh(login)).status_code == 401
    # Made again under the same id, it does not inherit the tokens of its predecessor.
    await site.app(id="portal")
    assert not await site.active(login.tokens["access_token"])
    assert (await site.refresh(login)).status_code == 400


@pytest.mark.parametrize("named", ["nobody", "%00", "a%2fb", "x" * 500, "' OR 1=1--", "a%25"])
async def test_an_unknown_client_is_404(site: Site, admin: dict[str, str], named: str) -> None:
    path = f"/admin/clients/{named}"
    assert (await site.http.get(path, headers=admin)).status_code == 404
    assert (await site.http.delete(path, headers=admin)).status_code == 404
    assert (await site.http.patch(path, json={"name": "x"}, headers=admin)).status_code == 404
    assert (await site.http.post(f"{path}/secrets", json={}, headers=admin)).status_code == 404


async def test_clients_are_found_by_a_part_of_id_or_name(site: Site, admin: dict[str, str]) -> None:
    await register(site, admin, client_id="alpha", name="First")
    await register(site, admin, client_id="beta", name="Second one")
    for query, found in (("ALPH", "alpha"), ("second", "beta")):
        body = (await site.http.get(f"/admin/clients?query={query}", headers=admin)).json()
        assert [client["client_id"] for client in body["items"]] == [found]


# -- secrets -------------------------------------------------------------------------------------


async def test_two_secrets_are_good_while_one_replaces_the_other(site: Site, admin: dict[str, str]) -> None:
    client = await register(site, admin, client_id="reports")
    response = await site.http.post("/admin/clients/reports/secrets", json={}, headers=admin)
    assert response.status_code == 201
    new = response.json()
    for secret in (client["client_secret"], new["client_secret"]):
        assert (await token(site, "reports", secret)).status_code == 200
    old_id = client["secrets"][0]["secret_id"]
    path = f"/admin/clients/reports/secrets/{old_id}"
    assert (await site.http.delete(path, headers=admin)).status_code == 204
    assert (await site.http.delete(path, headers=admin)).status_code == 404
    assert (await token(site, "reports", client["client_secret"])).status_code == 401
    assert (await token(site, "reports", new["client_secret"])).status_code == 200


async def test_the_others_can_be_retired_at_once(site: Site, admin: dict[str, str]) -> None:
    client = await register(site, admin, client_id="reports")
    body = {"retire_others_in": 0}
    new = (await site.http.post("/admin/clients/reports/secrets", json=body, headers=admin)).json()
    assert (await token(site, "reports", client["client_secret"])).status_code == 401
    assert (await token(site, "reports", new["client_secret"])).status_code == 200


async def test_the_others_can_be_retired_later(site: Site, admin: dict[str, str]) -> None:
    client = await register(site, admin, client_id="reports")
    body = {"retire_others_in": 3600}
    new = (await site.http.post("/admin/clients/reports/secrets", json=body, headers=admin)).json()
    assert (await token(site, "reports", client["client_secret"])).status_code == 200
    secrets = (await site.http.get("/admin/clients/reports", headers=admin)).json()["secrets"]
    ends = {secret["secret_id"]: secret["expires_at"] for secret in secrets}
    assert ends[new["secret_id"]] is None
    assert ends[client["secrets"][0]["secret_id"]] is not None


@pytest.mark.parametrize("body", [{"retire_others_in": -1}, {"retire_others_in": "1h"}, {"secret": "mine"}, []])
async def test_a_bad_request_adds_no_secret(site: Site, admin: dict[str, str], body: object) -> None:
    await register(site, admin, client_id="reports")
    response = await site.http.post("/admin/clients/reports/secrets", json=body, headers=admin)
    assert response.status_code == 400
    assert len((await site.http.get("/admin/clients/reports", headers=admin)).json()["secrets"]) == 1


async def test_the_number_of_secrets_is_bounded(site: Site, admin: dict[str, str]) -> None:
    await register(site, admin, client_id="reports")
    for _ in range(9):
        assert (await site.http.post("/admin/clients/reports/secrets", json={}, headers=admin)).status_code == 201
    assert (await site.http.post("/admin/clients/reports/secrets", json={}, headers=admin)).status_code == 409


async def test_a_secret_is_removed_only_under_its_own_client(site: Site, admin: dict[str, str]) -> None:
    client = await register(site, admin, client_id="reports")
    await register(site, admin, client_id="other")
    secret_id = client["secrets"][0]["secret_id"]
    response = await site.http.delete(f"/admin/clients/other/secrets/{secret_id}", headers=admin)
    assert response.status_code == 404
    assert (await token(site, "reports", client["client_secret"])).status_code == 200


async def test_what_another_server_changes_meanwhile_is_not_undone(site: Site, admin: dict[str, str]) -> None:
    await register(site, admin, client_id="reports", scopes=["read", "pay"])
    here = site.services.client_directory
    there = replace(here, last_admin=LastAdmin(here.clients, here.last_admin.issuer))
    caller = Caller(actor="test")
    seen = await here.get("reports")

    async def meanwhile(client: Client) -> None:
        if "pay" in (await here.get("reports")).scopes:
            await there.update("reports", {"scopes": ["read"]}, caller=caller)

    with pytest.raises(Conflict, match="meanwhile"):
        await here.update("reports", {"name": "Renamed"}, caller=caller, permit=meanwhile)
    with pytest.raises(Conflict, match="meanwhile"):
        await here.update("reports", {"name": "Renamed"}, caller=caller, seen=seen)
    assert (await here.get("reports")).scopes == ("read",)
    assert (await here.update("reports", {"name": "Renamed"}, caller=caller)).scopes == ("read",)
