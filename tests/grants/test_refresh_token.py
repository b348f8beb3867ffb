"""grant_type=refresh_token: one live token per family, whatever happens on the way (RFC 9700 section 4.14)."""

from __future__ import annotations

from typing import Any

import pytest

from authserver.audit.events import EventType
from tests.oauth_server import ABSOLUTE, API, DAY, FILES, GRACE, IDLE, NOON, SECOND, OAuthServer, claims_of


@pytest.fixture
async def server(stores: Any) -> OAuthServer:
    return await OAuthServer(stores).start()


async def test_a_refresh_gives_a_new_access_token_and_a_new_refresh_token(server: OAuthServer):
    log_in = await server.a_log_in()
    answer = await server.refresh(log_in)
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert answer.json()["refresh_token"] != log_in.refresh_token
    assert answer.headers["cache-control"] == "no-store"


async def test_the_access_token_tells_of_the_log_in_and_not_of_the_refresh(server: OAuthServer):
    log_in = await server.a_log_in()
    server.clock.passes(DAY)
    claims = claims_of(await server.refresh(log_in))
    assert (claims["sub"], claims["client_id"], claims["sid"]) == (log_in.user.id, log_in.client.id, log_in.family_id)
    assert (claims["auth_time"], claims["amr"]) == (NOON // 1000, ["pwd"])
    assert (claims["scope"], claims["aud"]) == ("read write", [API, FILES])


async def test_a_chain_of_refreshes_goes_on(server: OAuthServer):
    log_in, current = await server.a_log_in(), None
    for _ in range(5):
        server.clock.passes(DAY)
        answer = await server.refresh(log_in, current)
        assert answer.status_code == 200
        current = answer.json()["refresh_token"]
    assert (await server.family(log_in)).generation == 5


async def test_a_refresh_leaves_the_access_token_before_alive(server: OAuthServer):
    log_in, resource_server = await server.a_log_in(), await server.a_resource_server()
    first = await server.refresh(log_in)
    await server.refresh(log_in, first.json()["refresh_token"])
    assert (await server.introspect(resource_server, first.json()["access_token"]))["active"]


async def test_a_lost_answer_is_repeated_with_the_same_refresh_token(server: OAuthServer):
    log_in = await server.a_log_in()
    lost = await server.refresh(log_in)
    server.clock.passes(5 * SECOND)
    again = await server.refresh(log_in)
    assert again.json()["refresh_token"] == lost.json()["refresh_token"]
    assert again.json()["access_token"] != lost.json()["access_token"]
    assert (await server.refresh(log_in, again.json()["refresh_token"])).status_code == 200


async def test_less_scope_may_be_asked_for_and_all_of_it_comes_back_with_the_next_refresh(server: OAuthServer):
    log_in = await server.a_log_in()
    less = await server.refresh(log_in, scope="read", resource=FILES)
    assert less.json()["scope"] == "read"
    assert claims_of(less)["aud"] == FILES
    whole = await server.refresh(log_in, less.json()["refresh_token"])
    assert whole.json()["scope"] == "read write"
    assert claims_of(whole)["aud"] == [API, FILES]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"scope": "read admin"}, "invalid_scope"),
        ({"scope": "  "}, "invalid_scope"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"resource": [API, "not a uri"]}, "invalid_target"),
    ],
)
async def test_asking_for_more_is_refused_and_spends_nothing(server: OAuthServer, asked: Any, error: str):
    log_in = await server.a_log_in()
    refused = await server.refresh(log_in, **asked)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    server.clock.passes(GRACE + SECOND)
    assert (await server.refresh(log_in)).status_code == 200


async def test_what_the_client_lost_since_the_log_in_is_not_given_again(server: OAuthServer):
    client = await server.a_public_client(scopes=("read",), resources=(API,))
    log_in = await server.a_log_in(client)
    claims = claims_of(await server.refresh(log_in))
    assert (claims["scope"], claims["aud"]) == ("read", API)


async def test_when_nothing_is_left_to_the_client_the_user_must_log_in_again(server: OAuthServer):
    log_in = await server.a_log_in(await server.a_public_client(resources=("https://new.example",)))
    assert (await server.refresh(log_in)).json()["error"] == "invalid_grant"


async def test_the_idle_end_slides_with_use(server: OAuthServer):
    log_in = await server.a_log_in()
    server.clock.passes(IDLE - DAY)
    current = (await server.refresh(log_in)).json()["refresh_token"]
    server.clock.passes(IDLE - DAY)
    assert (await server.refresh(log_in, current)).status_code == 200


async def test_an_unused_refresh_token_expires_and_says_so(server: OAuthServer):
    log_in = await server.a_log_in()
    server.clock.passes(IDLE)
    refused = await server.refresh(log_in)
    assert (refused.json()["error"], refused.json()["error_reason"]) == ("invalid_grant", "expired")


async def test_the_absolute_end_never_moves(server: OAuthServer):
    log_in, current = await server.a_log_in(), None
    while server.clock.now + 10 * DAY < NOON + ABSOLUTE:
        server.clock.passes(10 * DAY)
        current = (await server.refresh(log_in, current)).json()["refresh_token"]
    server.clock.now = NOON + ABSOLUTE
    assert (await server.refresh(log_in, current)).json()["error_reason"] == "expired"


async def test_the_client_is_told_that_its_session_was_ended(server: OAuthServer):
    log_in = await server.a_log_in()
    await server.stores.sessions.end(
        log_in.session_id, at=server.clock(), reason="logout", event=server.event(EventType.SESSION_ENDED)
    )
    assert (await server.refresh(log_in)).json()["error_reason"] == "session_ended"


async def test_the_client_is_told_that_its_token_was_revoked(server: OAuthServer):
    log_in = await server.a_log_in()
    await server.revoke("family", log_in.family_id)
    assert (await server.refresh(log_in)).json()["error_reason"] == "revoked"


async def test_a_client_set_to_keep_its_refresh_token_gets_the_same_one_back(server: OAuthServer):
    client = await server.a_confidential_client(refresh_rotation="never")
    log_in = await server.a_log_in(client)
    for _ in range(3):
        server.clock.passes(DAY)
        assert (await server.refresh(log_in)).json()["refresh_token"] == log_in.refresh_token


async def test_a_public_clients_tokens_rotate_whatever_it_is_set_to(server: OAuthServer):
    log_in = await server.a_log_in(await server.a_public_client(refresh_rotation="never"))
    assert (await server.refresh(log_in)).json()["refresh_token"] != log_in.refresh_token


async def test_a_confidential_client_must_authenticate_to_refresh(server: OAuthServer):
    log_in = await server.a_log_in(await server.a_confidential_client())
    refused = await server.post(
        "/token", grant_type="refresh_token", refresh_token=log_in.refresh_token, client_id=log_in.client.id
    )
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_a_missing_refresh_token_is_an_invalid_request(server: OAuthServer):
    refused = await server.token(await server.a_public_client(), "refresh_token")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
