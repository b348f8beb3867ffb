"""Attacks on registration (RFC 7591, RFC 7592): nothing is had that was not to be given, by nobody else, nor often."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest

from authserver.model.client import Client
from authserver.model.page import PageRequest
from authserver.registration.metadata import FIELD_OF
from tests.signers import signer
from tests.site import ISSUER, Site, make_keys_dir, open_site

WEB = {"client_name": "The app", "redirect_uris": ["https://app.example/cb"]}

TRUST = {
    "first_party": True,
    "audiences": ["https://api.example"],
    "resources": ["https://api.example"],
    "access_token_ttl": 86_400,
    "refresh_rotation": "never",
    "require_pkce": False,
    "may_impersonate": True,
    "token_exchange_clients": ["*"],
    "access_token_typ": "JWT",
    "assertion_audience": "legacy",
    "authorization_details_types": ["payment"],
    "tls_client_auth_subject_dn": "CN=bank",
    "profile": "fapi2",
    "origin": "admin",
    "enabled": True,
    "version": 7,
    "secrets": ["x"],
    "id": "mine",
    "client_id": "mine",
    "owner": "somebody",
    "trusted": True,
    "skip_consent": True,
}
"""What somebody may hope for: everything that only administrators set, and a few inventions."""


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(sqlite_url, make_keys_dir(tmp_path), registration="open") as opened:
        yield opened


async def register(site: Site, **metadata: Any) -> httpx.Response:
    return await site.http.post("/register", json={**WEB, **metadata})


async def registered(site: Site, **metadata: Any) -> dict[str, Any]:
    response = await register(site, **metadata)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def manage(site: Site, method: str, client_id: str, token: str, body: object = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return await site.http.request(method, f"/register/{client_id}", json=body, headers=headers)


async def put(site: Site, client: dict[str, Any], **metadata: Any) -> httpx.Response:
    body = {**WEB, "client_id": client["client_id"], **metadata}
    return await manage(site, "PUT", client["client_id"], client["registration_access_token"], body)


async def record(site: Site, client_id: str) -> Client:
    client = await site.services.clients.get(client_id)
    assert client is not None
    return client


# -- what is not to be had -----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["POST", "PUT"])
async def test_trust_cannot_be_asked_for(site: Site, way: str) -> None:
    plain = await registered(site)
    if way == "POST":
        greedy = await record(site, (await registered(site, **TRUST))["client_id"])
    else:
        body = {**WEB, **TRUST, "client_id": plain["client_id"]}
        response = await manage(site, "PUT", plain["client_id"], plain["registration_access_token"], body)
        assert response.status_code == 200, response.text
        greedy = await record(site, plain["client_id"])
    modest = await record(site, (await registered(site))["client_id"])
    own = ("id", "name", "created_at", "updated_at", "secrets")
    differing = {f.name for f in fields(Client) if getattr(greedy, f.name) != getattr(modest, f.name)}
    assert differing <= set(own)
    assert greedy.id.startswith("app-")


def test_every_field_is_either_a_clients_own_or_an_administrators() -> None:
    """A new field of the record is out of reach until somebody decides."""
    of_administrators = {
        *TRUST,
        "scopes",  # by the policy
        "created_at",
        "updated_at",
        "tls_client_auth_san_dns",
        "tls_client_auth_san_uri",
        "tls_client_auth_san_ip",
        "tls_client_auth_san_email",
        "tls_client_certificate_bound_access_tokens",
        "access_token_format",
        "access_token_signed_response_alg",
        "sector_identifier_uri",
    }
    assert {field.name for field in fields(Client)} <= of_administrators | set(FIELD_OF.values())
    assert not of_administrators & set(FIELD_OF.values())


@pytest.mark.parametrize("scope", ["admin", "admin:read admin:users", "admin:clients"])
async def test_nobody_administers_by_registering(site: Site, scope: str) -> None:
    assert (await register(site, scope=scope)).status_code == 400
    assert "admin" not in (await registered(site, scope=f"openid {scope}"))["scope"]


async def test_the_settings_cannot_let_administrators_register(sqlite_url: str, tmp_path: Path) -> None:
    from authserver.settings import SettingsError

    options: dict[str, Any] = {"registration": "open", "registration_scopes": "openid,admin:read"}
    with pytest.raises(SettingsError, match="registration_scopes"):
        async with open_site(sqlite_url, make_keys_dir(tmp_path), **options):
            pass


INSIDE = ["https://127.0.0.1/x", "https://169.254.169.254/x", "https://[::ffff:10.0.0.1]/x", "https://db.internal/x"]
WRONG = [
    "http://app.example/x",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "https://u:p@a.example/",
]


@pytest.mark.parametrize("url", [*INSIDE, *WRONG])
@pytest.mark.parametrize("member", ["jwks_uri", "backchannel_logout_uri"])
async def test_no_url_that_this_server_calls_leads_inside(site: Site, member: str, url: str) -> None:
    response = await register(site, **{member: url})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")


@pytest.mark.parametrize("url", WRONG)
@pytest.mark.parametrize("member", ["logo_uri", "client_uri", "policy_uri", "tos_uri"])
async def test_no_url_that_people_follow_is_other_than_https(site: Site, member: str, url: str) -> None:
    assert (await register(site, **{member: url})).json()["error"] == "invalid_client_metadata"


async def test_urls_that_are_not_supported_are_not_fetched_and_not_kept(site: Site) -> None:
    told = await registered(site, request_uris=["https://169.254.169.254/"], sector_identifier_uri=INSIDE[0])
    assert not {"request_uris", "sector_identifier_uri"} & told.keys()
    assert (await record(site, told["client_id"])).sector_identifier_uri is None


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://app.example/cb#",
        "https://app.example@evil.example/",
        "http://app.example/",
        "myapp:/cb",
        "https:/cb",
        "//app.example/cb",
        "https://app.example/\\..",
        "https://app.example/\tcb",
        "https://аpp.example/cb",
    ],
)
async def test_dangerous_redirect_uris_are_refused(site: Site, uri: str) -> None:
    for metadata in ({"redirect_uris": [uri]}, {"redirect_uris": [WEB["redirect_uris"][0], uri]}):
        assert (await register(site, **metadata)).json()["error"] == "invalid_redirect_uri"


@pytest.mark.parametrize("name", ["Bank\u202emoc.live", "Ba\u200bnk", "\u2066Bank", "Bank\n", "   ", "x" * 201])
async def test_names_that_hide_something_are_refused(site: Site, name: str) -> None:
    assert (await register(site, client_name=name)).status_code == 400


# -- whose it is ----------------------------------------------------------------------------------


async def test_the_token_of_one_client_is_worth_nothing_at_another(site: Site) -> None:
    mine, other = await registered(site), await registered(site)
    before = await record(site, other["client_id"])
    for method in ("GET", "PUT", "DELETE"):
        body = {**WEB, "client_id": other["client_id"]}
        response = await manage(site, method, other["client_id"], mine["registration_access_token"], body)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
    assert await record(site, other["client_id"]) == before


async def test_who_is_not_there_and_who_is_somebody_elses_look_the_same(site: Site) -> None:
    mine, other = await registered(site), await registered(site)
    token = mine["registration_access_token"]
    there, nowhere = [await manage(site, "GET", named, token) for named in (other["client_id"], "app-0")]
    assert there.status_code == nowhere.status_code == 401
    assert there.json()["error_description"] == nowhere.json()["error_description"]


async def test_no_other_kind_of_token_manages_a_client(site: Site) -> None:
    client = await registered(site)
    admin = await site.admin()
    made = (await site.http.post("/admin/registration-tokens", json={}, headers=admin)).json()
    others = [made["initial_access_token"], admin["Authorization"].split()[1], client["client_secret"], "x", ""]
    for token in others:
        assert (await manage(site, "GET", client["client_id"], token)).status_code == 401
    assert (await site.http.get(f"/register/{client['client_id']}")).status_code == 401


async def test_a_registration_token_registers_nobody_and_is_no_access_token(sqlite_url: str, tmp_path: Path) -> None:
    async with open_site(sqlite_url, make_keys_dir(tmp_path), registration="token") as site:
        made = (await site.http.post("/admin/registration-tokens", json={}, headers=await site.admin())).json()
        headers = {"Authorization": f"Bearer {made['initial_access_token']}"}
        client = (await site.http.post("/register", json=WEB, headers=headers)).json()
        own = {"Authorization": f"Bearer {client['registration_access_token']}"}
        assert (await site.http.post("/register", json=WEB, headers=own)).status_code == 401
        assert (await site.http.get("/admin/clients", headers=own)).status_code == 401


async def test_after_it_was_renewed_the_old_token_is_worth_nothing(site: Site) -> None:
    client, admin = await registered(site), await site.admin()
    path = f"/admin/clients/{client['client_id']}/registration-token"
    renewed = (await site.http.post(path, headers=admin)).json()["registration_access_token"]
    assert (await manage(site, "GET", client["client_id"], client["registration_access_token"])).status_code == 401
    assert (await manage(site, "GET", client["client_id"], renewed)).status_code == 200


async def test_administrators_clients_cannot_be_managed_here(site: Site) -> None:
    mine, made = await registered(site), await site.client()
    assert (await manage(site, "DELETE", made.id, mine["registration_access_token"])).status_code == 401


async def test_a_put_loses_no_security_flag_that_an_administrator_set(site: Site) -> None:
    client, admin = await registered(site), await site.admin()
    flags = {
        "require_pushed_authorization_requests": True,
        "dpop_bound_access_tokens": True,
        "access_token_ttl": 60,
        "access_token_format": "opaque",
    }
    path = f"/admin/clients/{client['client_id']}"
    assert (await site.http.patch(path, json=flags, headers=admin)).status_code == 200
    token = client["registration_access_token"]
    read = (await manage(site, "GET", client["client_id"], token)).json()
    assert (await manage(site, "PUT", client["client_id"], token, read)).status_code == 200
    shown = (await site.http.get(path, headers=admin)).json()
    assert {name: shown[name] for name in flags} == flags


# -- secrets -------------------------------------------------------------------------------------


def everything_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


async def test_credentials_are_shown_once_and_kept_as_hashes(site: Site, tmp_path: Path) -> None:
    client, admin = await registered(site), await site.admin()
    credentials = [client["client_secret"], client["registration_access_token"]]
    texts = [
        (await site.http.get(path, headers=admin)).text
        for path in ("/admin/clients", f"/admin/clients/{client['client_id']}", "/admin/audit?limit=200")
    ]
    for credential in credentials:
        assert not any(credential in text for text in texts)
        assert credential.encode() not in everything_in(tmp_path)


# -- floods --------------------------------------------------------------------------------------


async def test_a_secret_that_was_given_up_does_not_come_back(site: Site) -> None:
    basic = {"token_endpoint_auth_method": "client_secret_basic"}
    client = await registered(site, **basic)
    keys = {"token_endpoint_auth_method": "private_key_jwt", "jwks": json.loads(signer("ES256").jwks())}
    assert (await put(site, client, **keys)).status_code == 200
    new = (await put(site, client, **basic)).json()["client_secret"]
    for secret, status in ((client["client_secret"], 401), (new, 200)):
        answer = await site.http.post("/revoke", data={"token": "x"}, auth=(client["client_id"], secret))
        assert answer.status_code == status


async def test_registering_without_end_from_one_address_is_limited(site: Site) -> None:
    statuses = [(await register(site)).status_code for _ in range(60)]
    assert statuses.count(201) == 30
    assert set(statuses[30:]) == {429}
    refused = await register(site)
    assert int(refused.headers["retry-after"]) >= 1


async def test_what_is_refused_counts_too(site: Site) -> None:
    for _ in range(30):
        await register(site, redirect_uris=[])
    assert (await register(site)).status_code == 429


async def test_registering_from_everywhere_is_limited_too(sqlite_url: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"registration": "open", "registration_rate": 5}
    async with open_site(sqlite_url, make_keys_dir(tmp_path), **options) as site:
        app = site.http._transport.app  # type: ignore[attr-defined]  # httpx does not name it
        statuses = []
        for number in range(10):
            transport = httpx.ASGITransport(app, client=(f"198.51.100.{number}", 40000))
            async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
                statuses.append((await http.post("/register", json=WEB)).status_code)
        assert statuses == [201] * 5 + [429] * 5
        assert len((await site.services.clients.list(PageRequest(limit=200))).items) == 5


async def test_a_client_that_rewrites_itself_without_end_is_limited(site: Site) -> None:
    client = await registered(site)
    statuses = []
    for number in range(40):
        body = {**WEB, "client_id": client["client_id"], "client_name": f"Name {number}"}
        named, token = client["client_id"], client["registration_access_token"]
        statuses.append((await manage(site, "PUT", named, token, body)).status_code)
    assert statuses.count(200) == 30
    assert statuses[-1] == 429


@pytest.mark.parametrize("address", ["2001:db8::1", "2001:db8::ffff:2"])
async def test_a_network_of_addresses_counts_as_one(site: Site, address: str) -> None:
    app = site.http._transport.app  # type: ignore[attr-defined]  # httpx does not name it
    statuses = []
    for number in range(31):
        near = f"2001:db8::{number:x}" if number else address
        transport = httpx.ASGITransport(app, client=(near, 40000))
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
            statuses.append((await http.post("/register", json=WEB)).status_code)
    assert statuses == [201] * 30 + [429]


async def test_a_large_body_is_not_read(site: Site) -> None:
    assert (await register(site, client_name="x" * 100_000)).status_code == 413


async def test_no_page_of_another_origin_registers_with_cookies(site: Site) -> None:
    response = await site.http.request("OPTIONS", "/register", headers={"Origin": "https://evil.example"})
    assert response.status_code == 405
    assert "access-control-allow-origin" not in (await register(site)).headers
