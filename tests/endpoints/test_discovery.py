"""The metadata of a whole server, and which endpoints pages of other origins may call (RFC 8414, OpenID Connect
Discovery, and the demands of browser clients)."""

from __future__ import annotations

from pathlib import Path

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata
from authlib.oidc.rpinitiated import OpenIDProviderMetadata as LogoutMetadata

from authserver.oauth.metadata import ENDPOINTS
from authserver.web.routes import routes
from tests import people
from tests.site import Site, make_keys_dir, open_site

site = people.site

OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"

FROM_ANY_ORIGIN = {
    "/.well-known/jwks.json",
    OAUTH,
    OPENID,
    "/token",
    "/userinfo",
    "/revoke",
    "/revocations/tail",
    "/revocations/stream",
    "/revocations/{log}/tiles/{n}",
    "/revocations/{log}/snapshots/{seq}",
}
"""Their only credential is in the request, and browser clients call them (RFC 10017). Nothing else is."""


def test_exactly_these_endpoints_answer_pages_of_other_origins(site: Site) -> None:
    assert {rule.path for rule in routes(site.services) if rule.cors} == FROM_ANY_ORIGIN


async def test_every_other_endpoint_says_nothing_about_origins(site: Site) -> None:
    checked = 0
    for rule in routes(site.services):
        if rule.path in FROM_ANY_ORIGIN or "{" in rule.path:
            continue
        for method in ("OPTIONS", *rule.methods):
            answer = await site.http.request(method, rule.path, headers={"Origin": "https://evil.example"})
            named = [name for name in answer.headers if name.startswith("access-control-")]
            assert named == [], f"{method} {rule.path}"
            checked += 1
    assert checked > 60


@pytest.mark.parametrize("path", sorted(path for path in FROM_ANY_ORIGIN if "{" not in path and "stream" not in path))
async def test_those_answer_any_origin_and_never_with_cookies(site: Site, path: str) -> None:
    preflight = await site.http.options(path, headers={"Origin": "https://spa.example"})
    assert preflight.status_code == 204
    assert "DPoP" in preflight.headers["access-control-allow-headers"]
    for answer in (preflight, await site.http.get(path, headers={"Origin": "https://spa.example"})):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert {"WWW-Authenticate", "DPoP-Nonce"} <= exposed


async def test_both_documents_are_the_same_and_good_to_an_independent_library(site: Site) -> None:
    document = (await site.http.get(OPENID)).json()
    assert document == (await site.http.get(OAUTH)).json()
    AuthorizationServerMetadata(document).validate()
    OpenIDProviderMetadata(document).validate(metadata_classes=[LogoutMetadata])


async def test_every_endpoint_it_names_is_there(site: Site) -> None:
    document = (await site.http.get(OPENID)).json()
    named = {member: url for member, url in document.items() if member in ENDPOINTS}
    assert named.keys() >= {"authorization_endpoint", "userinfo_endpoint", "end_session_endpoint", "jwks_uri"}
    for url in named.values():
        assert (await site.http.request("GET", url)).status_code != 404, url


async def test_it_tells_openid_clients_what_they_look_for(site: Site) -> None:
    document = (await site.http.get(OPENID)).json()
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]
    assert document["scopes_supported"] == ["openid", "profile", "email", "address", "phone", "offline_access"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert set(document["dpop_signing_alg_values_supported"]) >= {"ES256", "RS256", "EdDSA"}
    assert "none" not in document["request_object_signing_alg_values_supported"]


async def test_more_algorithms_are_told_when_there_are_keys_for_them(sqlite_url: str, tmp_path: Path) -> None:
    algorithms = ("RS256", "ES256")
    async with open_site(sqlite_url, make_keys_dir(tmp_path), signing_algorithms=algorithms) as site:
        document = (await site.http.get(OPENID)).json()
        assert document["id_token_signing_alg_values_supported"] == list(algorithms)
        keys = (await site.http.get("/.well-known/jwks.json")).json()["keys"]
        assert {key["alg"] for key in keys} == set(algorithms)


@pytest.mark.parametrize(
    "path", [OAUTH + "/tenant", "/tenant" + OAUTH, OPENID + "/tenant", "/tenant" + OPENID, OAUTH, OPENID]
)
async def test_an_issuer_with_a_path_is_found_at_every_spelling(sqlite_url: str, tmp_path: Path, path: str) -> None:
    issuer = "https://as.example/tenant"
    async with open_site(sqlite_url, make_keys_dir(tmp_path), issuer=issuer) as site:
        answer = await site.http.get(f"https://as.example{path}")
        assert answer.status_code == 200
        assert answer.json()["issuer"] == issuer
        assert answer.json()["userinfo_endpoint"] == f"{issuer}/userinfo"
        assert (await site.http.get(answer.json()["jwks_uri"])).status_code == 200
