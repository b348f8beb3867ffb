"""POST /register and /register/{client_id}: clients register and manage themselves (RFC 7591, RFC 7592)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from authserver.audit.events import EventType
from authserver.ids import uuid7
from authserver.model.audit import SYSTEM
from authserver.model.client import Client, ClientSecret
from authserver.model.registration import Registration
from authserver.model.time import DAY
from authserver.registration.usage import ClientUsage
from authserver.tokens.handles import new_client_secret
from tests.site import ISSUER, Site, make_keys_dir, open_site

CALLBACK = "https://app.example/cb"
WEB = {"client_name": "The app", "redirect_uris": [CALLBACK]}


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys_dir(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def site(database_url: str, keys_dir: Path) -> AsyncIterator[Site]:
    """Anybody may register."""
    async with open_site(database_url, keys_dir, registration="open") as opened:
        yield opened


@pytest.fixture
async def guarded(database_url: str, keys_dir: Path) -> AsyncIterator[Site]:
    """Only who has an initial access token may."""
    async with open_site(database_url, keys_dir, registration="token") as opened:
        yield opened


async def register(site: Site, bearer: str | None = None, **metadata: Any) -> httpx.Response:
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    return await site.http.post("/register", json={**WEB, **metadata}, headers=headers)


async def registered(site: Site, bearer: str | None = None, **metadata: Any) -> dict[str, Any]:
    response = await register(site, bearer, **metadata)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def manage(site: Site, method: str, client: dict[str, Any], body: object = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {client['registration_access_token']}"}
    path = client["registration_client_uri"].removeprefix(ISSUER)
    return await site.http.request(method, path, json=body, headers=headers)


# -- registering --------------------------------------------------------------------------------


async def test_a_registered_client_is_told_everything_it_has(site: Site) -> None:
    response = await register(site, scope="openid email")
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    told = response.json()
    assert told["client_id_issued_at"] > 1_700_000_000
    assert (len(told["client_secret"]) >= 43, told["client_secret_expires_at"]) == (True, 0)
    assert told["registration_client_uri"] == f"{ISSUER}/register/{told['client_id']}"
    assert told["registration_access_token"]
    assert {name: told[name] for name in WEB} == WEB
    assert told["scope"] == "openid email"
    assert told["grant_types"] == ["authorization_code"]
    assert told["response_types"] == ["code"]
    assert told["token_endpoint_auth_method"] == "client_secret_basic"


async def test_its_secret_authenticates_it(site: Site) -> None:
    client = await registered(site)
    auth = (client["client_id"], client["client_secret"])
    response = await site.http.post("/token", data={"grant_type": "client_credentials"}, auth=auth)
    assert response.json()["error"] == "unauthorized_client"  # known, and not allowed that
    wrong = await site.http.post("/token", data={"grant_type": "client_credentials"}, auth=(auth[0], "x" * 43))
    assert wrong.json()["error"] == "invalid_client"


async def test_a_public_client_has_no_secret(site: Site) -> None:
    told = await registered(site, token_endpoint_auth_method="none")
    assert "client_secret" not in told
    assert "client_secret_expires_at" not in told


async def test_a_client_with_keys_has_no_secret(site: Site) -> None:
    told = await registered(site, token_endpoint_auth_method="private_key_jwt", jwks_uri="https://app.example/jwks")
    assert "client_secret" not in told
    assert told["jwks_uri"] == "https://app.example/jwks"


async def test_without_a_scope_it_gets_what_such_clients_may_have(site: Site) -> None:
    assert (await registered(site))["scope"] == "openid profile email address phone offline_access"


async def test_scopes_it_may_not_have_are_left_out_and_the_answer_says_so(site: Site) -> None:
    assert (await registered(site, scope="openid admin orders:write email"))["scope"] == "openid email"
    refused = await register(site, scope="orders:write")
    assert refused.json()["error"] == "invalid_client_metadata"


@pytest.mark.parametrize(
    ("redirects", "kind"),
    [
        ([CALLBACK], "web"),
        (["http://127.0.0.1:7777/cb"], "native"),
        (["http://localhost:3000/cb", CALLBACK], "native"),
        (["com.example.app:/cb"], "native"),
    ],
)
async def test_the_kind_of_application_follows_from_where_its_answers_go(
    site: Site, redirects: list[str], kind: str
) -> None:
    assert (await registered(site, redirect_uris=redirects))["application_type"] == kind


async def test_a_stated_kind_of_application_is_kept_to(site: Site) -> None:
    refused = await register(site, application_type="web", redirect_uris=["com.example.app:/cb"])
    assert refused.json()["error"] == "invalid_redirect_uri"


async def test_members_that_mean_nothing_here_are_ignored(site: Site) -> None:
    inventions: dict[str, Any] = {"client_name#ja": "x", "x_color": "red", "request_uris": ["https://a.example"]}
    told = await registered(site, **inventions)
    assert not {"client_name#ja", "x_color", "request_uris"} & told.keys()


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": "https://app.example/cb"}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://app.example/cb#f"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://app.example/cb"]}, "invalid_redirect_uri"),
        ({"post_logout_redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"response_types": ["code"], "grant_types": ["refresh_token"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"jwks": {"keys": []}}, "invalid_client_metadata"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "invalid_client_metadata"),
        ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata"),
        ({"client_name": "a\u202egnp.exe"}, "invalid_client_metadata"),
        ({"client_uri": "http://app.example"}, "invalid_client_metadata"),
        ({"scope": ["openid"]}, "invalid_client_metadata"),
        ({"subject_type": "pairwise", "sector_identifier_uri": "https://a.example/s"}, "invalid_client_metadata"),
        ({"software_statement": "made.up.jwt"}, "unapproved_software_statement"),
        ({"software_statement": 7}, "invalid_software_statement"),
    ],
)
async def test_what_cannot_be_registered_is_refused_in_the_words_of_rfc_7591(
    site: Site, metadata: dict[str, Any], error: str
) -> None:
    response = await register(site, **metadata)
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert response.json()["error_description"].isascii()
    assert '"' not in response.json()["error_description"]


async def test_a_pairwise_client_gets_opaque_tokens(site: Site) -> None:
    client = await registered(site, subject_type="pairwise")
    stored = await site.services.clients.get(client["client_id"])
    assert stored is not None
    assert stored.access_token_format == "opaque"


async def test_the_metadata_announces_registration_only_where_it_is_on(
    site: Site, database_url: str, keys_dir: Path
) -> None:
    document = (await site.http.get("/.well-known/oauth-authorization-server")).json()
    assert document["registration_endpoint"] == f"{ISSUER}/register"
    async with open_site(database_url, keys_dir) as off:
        assert "registration_endpoint" not in (await off.http.get("/.well-known/oauth-authorization-server")).json()
        assert (await register(off)).status_code == 404


# -- initial access tokens ------------------------------------------------------------------------


async def initial_token(site: Site, admin: dict[str, str], **fields: object) -> dict[str, Any]:
    response = await site.http.post("/admin/registration-tokens", json=fields, headers=admin)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def test_without_an_initial_access_token_nobody_registers(guarded: Site) -> None:
    response = await register(guarded)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
    assert response.headers["www-authenticate"] == "Bearer"
    assert (await register(guarded, "made-up")).status_code == 401


async def test_an_initial_access_token_registers_as_often_as_it_says(guarded: Site) -> None:
    token = await initial_token(guarded, await guarded.admin(), label="Conference", uses=2)
    statuses = [(await register(guarded, token["initial_access_token"])).status_code for _ in range(3)]
    assert statuses == [201, 201, 401]


async def test_its_policy_takes_the_place_of_the_servers(guarded: Site) -> None:
    token = await initial_token(
        guarded, await guarded.admin(), scopes=["orders"], grant_types=["client_credentials"], resources=[]
    )
    told = await registered(guarded, token["initial_access_token"], grant_types=["client_credentials"], scope="orders")
    assert (told["scope"], told["response_types"]) == ("orders", [])
    refused = await register(guarded, token["initial_access_token"])
    assert refused.json()["error"] == "invalid_client_metadata"


async def test_a_removed_token_registers_nobody_and_its_clients_stay(guarded: Site) -> None:
    admin = await guarded.admin()
    token = await initial_token(guarded, admin)
    client = await registered(guarded, token["initial_access_token"])
    path = f"/admin/registration-tokens/{token['token_id']}"
    assert (await guarded.http.delete(path, headers=admin)).status_code == 204
    assert (await guarded.http.delete(path, headers=admin)).status_code == 404
    assert (await register(guarded, token["initial_access_token"])).status_code == 401
    assert (await manage(guarded, "GET", client)).status_code == 200


async def test_tokens_are_listed_without_their_text(guarded: Site) -> None:
    admin = await guarded.admin()
    token = await initial_token(guarded, admin, label="Conference", expires_in=3600)
    response = await guarded.http.get("/admin/registration-tokens", headers=admin)
    (listed,) = response.json()["items"]
    assert (listed["token_id"], listed["label"], listed["uses_left"]) == (token["token_id"], "Conference", None)
    assert token["initial_access_token"] not in response.text


@pytest.mark.parametrize(
    "fields", [{"scopes": ["admin"]}, {"uses": 0}, {"expires_in": 0}, {"grant_types": ["magic"]}, {"color": "red"}]
)
async def test_a_bad_policy_makes_no_token(guarded: Site, fields: dict[str, object]) -> None:
    admin = await guarded.admin()
    response = await guarded.http.post("/admin/registration-tokens", json=fields, headers=admin)
    assert response.status_code == 400
    assert (await guarded.http.get("/admin/registration-tokens", headers=admin)).json()["items"] == []


async def test_managing_them_takes_the_scope_for_clients(guarded: Site) -> None:
    reader = await guarded.admin("admin:read")
    assert (await guarded.http.get("/admin/registration-tokens", headers=reader)).status_code == 200
    assert (await guarded.http.post("/admin/registration-tokens", json={}, headers=reader)).status_code == 403


# -- managing oneself -----------------------------------------------------------------------------


async def test_a_client_reads_itself(site: Site) -> None:
    client = await registered(site)
    response = await manage(site, "GET", client)
    assert response.status_code == 200
    assert response.json() == {name: value for name, value in client.items() if name != "client_secret"}


async def test_what_was_read_can_be_put_back_and_nothing_is_lost(site: Site) -> None:
    client = await registered(
        site,
        scope="openid email",
        grant_types=["authorization_code", "refresh_token"],
        dpop_bound_access_tokens=True,
        require_pushed_authorization_requests=True,
        default_max_age=600,
        contacts=["ops@app.example"],
        post_logout_redirect_uris=["https://app.example/bye"],
        software_id="app",
        logo_uri="https://app.example/logo.png",
    )
    before = await site.services.clients.get(client["client_id"])
    read = (await manage(site, "GET", client)).json()
    written = await manage(site, "PUT", client, read)
    assert written.status_code == 200, written.text
    assert written.json() == read
    assert await site.services.clients.get(client["client_id"]) == before


async def test_a_put_replaces_everything_it_does_not_name(site: Site) -> None:
    client = await registered(site, logo_uri="https://app.example/l.png", contacts=["a@b.example"], scope="openid")
    body = {"client_id": client["client_id"], "redirect_uris": ["https://app.example/new"]}
    told = (await manage(site, "PUT", client, body)).json()
    assert told["redirect_uris"] == ["https://app.example/new"]
    assert not {"logo_uri", "contacts"} & told.keys()
    assert "email" in told["scope"]
    assert told["registration_access_token"] == client["registration_access_token"]


async def test_a_put_keeps_what_only_administrators_set(site: Site) -> None:
    client, admin = await registered(site), await site.admin()
    fields = {"access_token_ttl": 60, "resources": ["https://api.example"], "scopes": ["openid", "orders"]}
    path = f"/admin/clients/{client['client_id']}"
    assert (await site.http.patch(path, json=fields, headers=admin)).status_code == 200
    read = (await manage(site, "GET", client)).json()
    assert (await manage(site, "PUT", client, {**read, "client_name": "New"})).json()["scope"] == "openid orders"
    stored = await site.services.clients.get(client["client_id"])
    assert stored is not None
    assert (stored.access_token_ttl, stored.resources, stored.name) == (60_000, ("https://api.example",), "New")


@pytest.mark.parametrize(
    "body",
    [
        {"redirect_uris": [CALLBACK]},
        {"client_id": "other", "redirect_uris": [CALLBACK]},
        {"client_secret": "x" * 43},
        {"token_endpoint_auth_method": "none"},
        {"grant_types": ["client_credentials"]},
    ],
)
async def test_a_bad_put_changes_nothing(site: Site, body: dict[str, object]) -> None:
    client = await registered(site)
    before = await site.services.clients.get(client["client_id"])
    whole = body if body.get("redirect_uris") else {**WEB, "client_id": client["client_id"], **body}
    response = await manage(site, "PUT", client, whole)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")
    assert await site.services.clients.get(client["client_id"]) == before


async def test_its_own_secret_may_stand_in_a_put(site: Site) -> None:
    client = await registered(site)
    body = {**WEB, "client_id": client["client_id"], "client_secret": client["client_secret"]}
    assert (await manage(site, "PUT", client, body)).status_code == 200


async def test_a_client_that_turns_from_keys_to_a_secret_is_told_it(site: Site) -> None:
    client = await registered(site, token_endpoint_auth_method="private_key_jwt", jwks_uri="https://app.example/jwks")
    told = (await manage(site, "PUT", client, {**WEB, "client_id": client["client_id"]})).json()
    assert told["token_endpoint_auth_method"] == "client_secret_basic"
    auth = (client["client_id"], told["client_secret"])
    response = await site.http.post("/token", data={"grant_type": "authorization_code"}, auth=auth)
    assert response.json()["error"] != "invalid_client"


async def test_a_client_that_deletes_itself_is_gone(site: Site) -> None:
    client = await registered(site)
    assert (await manage(site, "DELETE", client)).status_code == 204
    assert (await manage(site, "GET", client)).status_code == 401
    assert await site.services.clients.get(client["client_id"]) is None


async def test_a_disabled_client_cannot_change_itself(site: Site) -> None:
    client, admin = await registered(site), await site.admin()
    await site.http.patch(f"/admin/clients/{client['client_id']}", json={"enabled": False}, headers=admin)
    for method in ("GET", "PUT", "DELETE"):
        assert (await manage(site, method, client, WEB)).status_code == 403
    assert await site.services.clients.get(client["client_id"]) is not None


async def test_an_administrator_makes_another_registration_token(site: Site) -> None:
    client, admin = await registered(site), await site.admin()
    path = f"/admin/clients/{client['client_id']}/registration-token"
    renewed = (await site.http.post(path, headers=admin)).json()
    assert (await manage(site, "GET", client)).status_code == 401
    assert (await manage(site, "GET", {**client, **renewed})).status_code == 200
    made = await site.client()
    path = f"/admin/clients/{made.id}/registration-token"
    assert (await site.http.post(path, headers=admin)).status_code == 404


# -- being forgotten ------------------------------------------------------------------------------


async def test_clients_that_get_no_tokens_are_forgotten_in_time(site: Site) -> None:
    unused, used = await registered(site), await registered(site)
    made = await site.client()
    later = site.services.now() + 20 * DAY
    services = site.services

    def usage(now: int) -> ClientUsage:
        return ClientUsage(services.registrations, services.clients, services.audit, lambda: now, 30 * DAY)

    record = await services.clients.get(used["client_id"])
    assert record is not None
    await usage(later).note(record)
    assert await usage(later).expire() == 0
    assert await usage(services.now() + 31 * DAY).expire() == 1
    assert (await manage(site, "GET", unused)).status_code == 401
    assert (await manage(site, "GET", used)).status_code == 200
    assert await services.clients.get(made.id) is not None
    assert await usage(services.now() + 51 * DAY).expire() == 1


async def test_who_gets_tokens_is_noted(site: Site) -> None:
    now, (secret, digest) = site.services.now(), new_client_secret()
    client = Client(
        id="old",
        name="Old",
        auth_method="client_secret_basic",
        grant_types=("client_credentials",),
        origin="dynamic",
        secrets=(ClientSecret(id=uuid7(now), sha256=digest, created_at=now),),
    )
    long_ago = now - 20 * DAY
    event = site.services.audit.event(EventType.CLIENT_REGISTERED, SYSTEM, client_id="old")
    await site.services.registrations.register(
        client, Registration(client_id="old", created_at=long_ago, used_at=long_ago), event=event
    )
    response = await site.http.post("/token", data={"grant_type": "client_credentials"}, auth=("old", secret))
    assert response.status_code == 200
    registration = await site.services.registrations.get("old")
    assert registration is not None
    assert registration.used_at >= now
