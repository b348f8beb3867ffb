"""grant_type=client_credentials: a program's own token (RFC 6749 section 4.4, RFC 9068)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oauth_server import API, FILES, ISSUER, NOON, OAuthServer, claims_of


@pytest.fixture
async def server(sqlite_stores: Any) -> OAuthServer:
    return await OAuthServer(sqlite_stores).start()


async def test_the_answer_is_that_of_the_rfc(server: OAuthServer):
    answer = await server.token(await server.a_confidential_client())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 300)


async def test_the_token_says_the_client_is_its_own_subject_and_has_no_session(server: OAuthServer):
    client = await server.a_confidential_client()
    claims = claims_of(await server.token(client))
    assert claims["sub"] == claims["client_id"] == client.id
    assert claims["rv"] == "0.0.0"
    assert (claims["iss"], claims["iat"]) == (ISSUER, NOON // 1000)
    assert claims.keys().isdisjoint({"sid", "auth_time", "acr", "amr"})


async def test_scope_and_audience_default_to_all_scopes_and_the_first_resource(server: OAuthServer):
    claims = claims_of(await server.token(await server.a_confidential_client()))
    assert claims["scope"] == "read write"
    assert claims["aud"] == API


async def test_scope_and_resources_are_what_was_asked_for(server: OAuthServer):
    client = await server.a_confidential_client()
    answer = await server.token(client, scope="write", resource=[FILES, API])
    assert answer.json()["scope"] == "write"
    assert claims_of(answer)["aud"] == [FILES, API]


async def test_a_client_without_scopes_gets_a_token_without_scope(server: OAuthServer):
    answer = await server.token(await server.a_confidential_client(scopes=()))
    assert "scope" not in answer.json()
    assert "scope" not in claims_of(answer)


async def test_a_client_may_have_shorter_tokens_than_the_rest(server: OAuthServer):
    answer = await server.token(await server.a_confidential_client(access_token_ttl=60_000))
    assert answer.json()["expires_in"] == 60


async def test_the_secret_may_come_in_the_body_from_a_client_registered_for_that(server: OAuthServer):
    assert (await server.token(await server.a_confidential_client(auth_method="client_secret_post"))).status_code == 200


async def test_a_public_client_gets_none_even_if_it_is_registered_for_the_grant(server: OAuthServer):
    answer = await server.token(await server.a_public_client(grant_types=("client_credentials",)))
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


async def test_a_token_carries_the_versions_of_its_moment(server: OAuthServer):
    client = await server.a_confidential_client()
    await server.revoke("client", client.id)
    await server.revoke("all")
    assert claims_of(await server.token(client))["rv"] == "0.1.1"


async def test_unknown_parameters_are_ignored(server: OAuthServer):
    answer = await server.token(await server.a_confidential_client(), audience="x", nonsense=["a", "b"])
    assert answer.status_code == 200
