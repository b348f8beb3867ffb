"""POST /revoke: a client takes back what it was issued (RFC 7009)."""

from __future__ import annotations

from typing import Any

import pytest

from authserver.administration.token_target import TokenTarget
from authserver.audit.events import EventType
from authserver.model.audit import SYSTEM
from authserver.tokens.validation import KeyNotSettled
from tests.oauth_server import GRACE, SECOND, TOKEN_TTL, App, OAuthServer


@pytest.fixture
async def server(stores: Any) -> OAuthServer:
    return await OAuthServer(stores).start()


async def test_a_revoked_access_token_is_dead_and_its_refresh_token_is_not(server: OAuthServer):
    log_in, resource_server = await server.a_log_in(), await server.a_resource_server()
    tokens = (await server.refresh(log_in)).json()
    answer = await server.post("/revoke", log_in.client, token=tokens["access_token"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert await server.introspect(resource_server, tokens["access_token"]) == {"active": False}
    assert (await server.refresh(log_in, tokens["refresh_token"])).status_code == 200


async def test_a_revoked_refresh_token_takes_its_whole_family_with_it(server: OAuthServer):
    log_in, resource_server = await server.a_log_in(), await server.a_resource_server()
    tokens = (await server.refresh(log_in)).json()
    assert (await server.post("/revoke", log_in.client, token=tokens["refresh_token"])).status_code == 200
    assert await server.introspect(resource_server, tokens["access_token"]) == {"active": False}
    refused = await server.refresh(log_in, tokens["refresh_token"])
    assert refused.json()["error_reason"] == "revoked"


async def test_an_old_token_of_the_family_revokes_it_too(server: OAuthServer):
    log_in = await server.a_log_in()
    current = (await server.refresh(log_in)).json()["refresh_token"]
    server.clock.passes(GRACE + SECOND)
    await server.post("/revoke", log_in.client, token=log_in.refresh_token)
    assert (await server.refresh(log_in, current)).json()["error_reason"] == "revoked"


async def test_the_answer_says_where_in_the_log_it_stands(server: OAuthServer):
    log_in = await server.a_log_in()
    first = await server.post("/revoke", log_in.client, token=log_in.refresh_token)
    again = await server.post("/revoke", log_in.client, token=log_in.refresh_token)
    assert int(first.headers["revocation-seq"]) > 0
    assert (again.status_code, "revocation-seq" in again.headers) == (200, False)


async def test_it_is_written_down_who_revoked(server: OAuthServer):
    log_in = await server.a_log_in()
    await server.post("/revoke", log_in.client, token=log_in.refresh_token)
    (event,) = await server.events(EventType.FAMILY_REVOKED)
    assert event.actor == f"client:{log_in.client.id}"
    assert log_in.refresh_token not in repr(event)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_a_wrong_hint_does_not_save_a_token(server: OAuthServer, kind: str, hint: str):
    log_in, resource_server = await server.a_log_in(), await server.a_resource_server()
    tokens = (await server.refresh(log_in)).json()
    await server.post("/revoke", log_in.client, token=tokens[kind], token_type_hint=hint)
    assert await server.introspect(resource_server, tokens["access_token"]) == {"active": False}


@pytest.mark.parametrize("token", ["x", "a.b.c", "A" * 96, "x" * 20_000])
async def test_an_unknown_token_is_as_good_as_revoked(server: OAuthServer, token: str):
    answer = await server.post("/revoke", await server.a_public_client(), token=token)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_an_expired_token_is_as_good_as_revoked(server: OAuthServer):
    client = await server.a_confidential_client()
    token = (await server.token(client)).json()["access_token"]
    server.clock.passes(TOKEN_TTL)
    assert (await server.post("/revoke", client, token=token)).status_code == 200
    assert await server.events(EventType.TOKEN_REVOKED) == []


async def test_a_missing_token_is_an_invalid_request(server: OAuthServer):
    answer = await server.post("/revoke", await server.a_public_client())
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_confidential_client_must_authenticate(server: OAuthServer):
    log_in = await server.a_log_in(await server.a_confidential_client())
    answer = await server.post("/revoke", client_id=log_in.client.id, token=log_in.refresh_token)
    assert answer.status_code == 401
    assert (await server.refresh(log_in)).status_code == 200


async def test_a_token_under_a_key_this_node_has_not_seen_is_revoked_all_the_same(server: OAuthServer):
    client, resource_server = await server.a_confidential_client(), await server.a_resource_server()
    other = await server.restarted()
    await other.rotation.rotate(now=True, caller=SYSTEM)
    token = (await other.token(client)).json()["access_token"]
    await server.post("/revoke", client, token=token)
    assert await other.introspect(resource_server, token) == {"active": False}


async def test_within_the_cool_down_of_the_keys_it_says_try_again_and_never_that_it_was_done(server: OAuthServer):
    """Anybody can start the cool-down, with a token under a key that nobody has."""
    client, resource_server = await server.a_confidential_client(), await server.a_resource_server()
    await server.ring.refresh()
    token = await a_token_under_a_newer_key(server, client)
    refused = await server.post("/revoke", client, token=token)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    server.clock.passes(SECOND)
    assert (await server.post("/revoke", client, token=token)).status_code == 200
    assert await server.introspect(resource_server, token) == {"active": False}
    assert len(await server.events(EventType.TOKEN_REVOKED)) == 1


async def test_an_administrators_text_of_a_token_is_looked_up_with_the_newest_keys(server: OAuthServer):
    target = TokenTarget(server.tokens, server.handles)
    token = await a_token_under_a_newer_key(server, await server.a_confidential_client())
    assert (await target(token)).kind == "jti"
    unseen = await a_token_under_a_newer_key(server, await server.a_confidential_client())
    with pytest.raises(KeyNotSettled):
        await target(unseen)


async def a_token_under_a_newer_key(server: OAuthServer, client: App) -> str:
    other = await server.restarted()
    await other.rotation.rotate(now=True, caller=SYSTEM)
    return str((await other.token(client)).json()["access_token"])
