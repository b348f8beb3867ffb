"""POST /introspect: the shape of its answers (RFC 7662)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oauth_server import API, GRACE, IDLE, ISSUER, NOON, SECOND, TOKEN_TTL, OAuthServer


@pytest.fixture
async def server(stores: Any) -> OAuthServer:
    return await OAuthServer(stores).start()


async def test_of_a_users_token_everything_is_said(server: OAuthServer):
    log_in, resource_server = await server.a_log_in(), await server.a_resource_server()
    token = (await server.refresh(log_in, resource=API)).json()["access_token"]
    answer = await server.introspect(resource_server, token)
    assert isinstance(answer.pop("jti"), str)
    assert answer == {
        "active": True,
        "token_type": "Bearer",
        "token_use": "access_token",
        "iss": ISSUER,
        "sub": log_in.user.id,
        "aud": API,
        "client_id": log_in.client.id,
        "scope": "read write",
        "iat": NOON // 1000,
        "exp": (NOON + TOKEN_TTL) // 1000,
        "sid": log_in.family_id,
        "username": log_in.user.username,
        "auth_time": NOON // 1000,
        "amr": ["pwd"],
    }


async def test_of_a_programs_token_there_is_no_user_to_speak_of(server: OAuthServer):
    client, resource_server = await server.a_confidential_client(), await server.a_resource_server()
    answer = await server.introspect(resource_server, (await server.token(client)).json()["access_token"])
    assert (answer["sub"], answer["client_id"]) == (client.id, client.id)
    assert answer.keys().isdisjoint({"username", "sid", "auth_time"})


async def test_a_token_whose_audience_is_the_callers_own_id_is_meant_for_it(server: OAuthServer):
    resource_server = await server.a_confidential_client(id="urn:shop")
    client = await server.a_confidential_client(resources=("urn:shop",))
    token = (await server.token(client)).json()["access_token"]
    assert (await server.introspect(resource_server, token))["active"] is True


async def test_a_token_for_several_is_shown_to_each_with_its_whole_audience(server: OAuthServer):
    log_in, resource_server = await server.a_log_in(), await server.a_resource_server()
    token = (await server.refresh(log_in)).json()["access_token"]
    assert (await server.introspect(resource_server, token))["aud"] == list(log_in.client.record.resources)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", ""])
async def test_a_wrong_hint_changes_nothing(server: OAuthServer, hint: str):
    client, resource_server = await server.a_confidential_client(), await server.a_resource_server()
    token = (await server.token(client)).json()["access_token"]
    assert (await server.introspect(resource_server, token, token_type_hint=hint))["active"] is True


async def test_a_missing_token_is_an_invalid_request(server: OAuthServer):
    answer = await server.post("/introspect", await server.a_resource_server())
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_confidential_client_may_ask_about_its_own_refresh_token(server: OAuthServer):
    client = await server.a_confidential_client()
    log_in = await server.a_log_in(client)
    answer = await server.introspect(client, log_in.refresh_token)
    assert answer == {
        "active": True,
        "token_use": "refresh_token",
        "iss": ISSUER,
        "sub": log_in.user.id,
        "client_id": client.id,
        "scope": "read write",
        "sid": log_in.family_id,
        "iat": NOON // 1000,
        "exp": (NOON + IDLE) // 1000,
    }


async def test_nobody_else_may_ask_about_a_refresh_token(server: OAuthServer):
    log_in = await server.a_log_in(await server.a_confidential_client())
    assert await server.introspect(await server.a_resource_server(), log_in.refresh_token) == {"active": False}


async def test_a_superseded_refresh_token_is_not_active_even_within_the_grace(server: OAuthServer):
    client = await server.a_confidential_client()
    log_in = await server.a_log_in(client)
    current = (await server.refresh(log_in)).json()["refresh_token"]
    assert await server.introspect(client, log_in.refresh_token) == {"active": False}
    assert (await server.introspect(client, current))["active"] is True


async def test_asking_about_an_old_refresh_token_does_not_end_its_family(server: OAuthServer):
    client = await server.a_confidential_client()
    log_in = await server.a_log_in(client)
    current = (await server.refresh(log_in)).json()["refresh_token"]
    server.clock.passes(GRACE + SECOND)
    await server.introspect(client, log_in.refresh_token)
    assert (await server.refresh(log_in, current)).status_code == 200


async def test_a_refresh_token_that_is_over_is_not_active(server: OAuthServer):
    client = await server.a_confidential_client()
    revoked, idle = await server.a_log_in(client), await server.a_log_in(client)
    await server.revoke("family", revoked.family_id)
    assert await server.introspect(client, revoked.refresh_token) == {"active": False}
    server.clock.passes(IDLE)
    assert await server.introspect(client, idle.refresh_token) == {"active": False}


async def test_a_token_of_another_node_with_a_newer_key_is_known(server: OAuthServer):
    client, resource_server = await server.a_confidential_client(), await server.a_resource_server()
    other = await server.restarted()
    from authserver.model.audit import SYSTEM

    await other.rotation.rotate(now=True, caller=SYSTEM)
    token = (await other.token(client)).json()["access_token"]
    assert (await server.introspect(resource_server, token))["active"] is True
