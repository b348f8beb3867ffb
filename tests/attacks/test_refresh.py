"""Refresh tokens under attack: stolen, replayed, raced, widened, outlived (ATTACKS, part D)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from authserver.audit.events import EventType
from authserver.audit.sparing import EVENTS_PER_MINUTE
from authserver.model.time import MINUTE
from authserver.tokens.handles import RefreshHandles
from authserver.tokens.masterkey import MasterKey
from tests.oauth_server import (
    ABSOLUTE,
    DAY,
    GRACE,
    NOON,
    SECOND,
    TOKEN_TTL,
    LogIn,
    OAuthServer,
    claims_of,
)


@pytest.fixture
async def server(stores: Any) -> OAuthServer:
    return await OAuthServer(stores).start()


def assert_refused(answer: httpx.Response, reason: str | None) -> None:
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"
    assert answer.json().get("error_reason") == reason


async def assert_nothing_is_left_of(log_in: LogIn, server: OAuthServer, *tokens: httpx.Response) -> None:
    """Neither a refresh token nor an access token of that family is good for anything."""
    resource_server = await server.a_resource_server()
    for token in tokens:
        assert (await server.introspect(resource_server, token.json()["access_token"])) == {"active": False}
        assert (await server.refresh(log_in, token.json()["refresh_token"])).status_code == 400
    assert (await server.refresh(log_in)).status_code == 400


# -- replay ---------------------------------------------------------------------------------------


async def test_of_fifty_parallel_refreshes_one_rotates_and_all_get_the_same_successor(server: OAuthServer):
    log_in = await server.a_log_in()
    answers = await asyncio.gather(*(server.refresh(log_in) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert (await server.family(log_in)).generation == 1
    assert (await server.refresh(log_in, answers[0].json()["refresh_token"])).status_code == 200


async def test_the_parent_replayed_after_the_grace_ends_the_family(server: OAuthServer):
    log_in = await server.a_log_in()
    current = await server.refresh(log_in)
    server.clock.passes(GRACE + SECOND)
    assert_refused(await server.refresh(log_in), "reused")
    await assert_nothing_is_left_of(log_in, server, current)


async def test_the_grandparent_replayed_ends_the_family_at_once(server: OAuthServer):
    log_in = await server.a_log_in()
    parent = await server.refresh(log_in)
    current = await server.refresh(log_in, parent.json()["refresh_token"])
    assert_refused(await server.refresh(log_in), "reused")
    await assert_nothing_is_left_of(log_in, server, parent, current)


async def test_a_replay_in_parallel_with_the_current_token_leaves_nothing_alive(server: OAuthServer):
    log_in = await server.a_log_in()
    parent = await server.refresh(log_in)
    current = await server.refresh(log_in, parent.json()["refresh_token"])
    presented = [log_in.refresh_token, current.json()["refresh_token"]] * 10
    answers = await asyncio.gather(*(server.refresh(log_in, token) for token in presented))
    won = [answer for answer in answers if answer.status_code == 200]
    await assert_nothing_is_left_of(log_in, server, parent, current, *won)


async def test_a_reuse_is_written_down_once_with_who_and_where(server: OAuthServer):
    log_in = await server.a_log_in()
    await server.refresh(log_in)
    server.clock.passes(GRACE + SECOND)
    for _ in range(3):
        assert_refused(await server.refresh(log_in), "reused")
    (event,) = await server.events(EventType.FAMILY_REUSED)
    assert (event.client_id, event.user_id, event.session_id) == (log_in.client.id, log_in.user.id, log_in.session_id)
    assert event.detail["family_id"] == log_in.family_id
    assert log_in.refresh_token not in repr(event)


async def test_a_reuse_ends_this_device_and_no_other(server: OAuthServer):
    stolen = await server.a_log_in()
    elsewhere = await server.a_log_in(stolen.client, stolen.user)
    await server.refresh(stolen)
    server.clock.passes(GRACE + SECOND)
    assert_refused(await server.refresh(stolen), "reused")
    assert (await server.refresh(elsewhere)).status_code == 200


async def test_a_retry_a_minute_later_is_reuse(server: OAuthServer):
    """The grace is for lost answers; whoever waits a minute must log in again."""
    log_in = await server.a_log_in()
    await server.refresh(log_in)
    server.clock.passes(60 * SECOND)
    assert_refused(await server.refresh(log_in), "reused")


async def test_retries_do_not_prolong_the_grace(server: OAuthServer):
    log_in = await server.a_log_in()
    await server.refresh(log_in)
    for _ in range(3):
        server.clock.passes(3 * SECOND)
        assert (await server.refresh(log_in)).status_code == 200
    server.clock.passes(3 * SECOND)
    assert_refused(await server.refresh(log_in), "reused")


async def test_a_replay_is_noticed_after_every_node_was_restarted(server: OAuthServer):
    log_in = await server.a_log_in()
    current = (await server.refresh(log_in)).json()["refresh_token"]
    server.clock.passes(GRACE + SECOND)
    restarted = await server.restarted()
    assert_refused(await restarted.refresh(log_in), "reused")
    assert_refused(await restarted.refresh(log_in, current), "reused")


async def test_a_retry_on_another_node_gets_the_same_successor(server: OAuthServer):
    log_in, other = await server.a_log_in(), await server.restarted()
    lost = await server.refresh(log_in)
    again = await other.refresh(log_in)
    assert again.json()["refresh_token"] == lost.json()["refresh_token"]


# -- no grace for the dead ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("family", "revoked"),
        ("session", "session_ended"),
        ("user", "revoked"),
        ("client", "revoked"),
        ("all", "revoked"),
    ],
)
async def test_what_was_revoked_gets_no_grace(server: OAuthServer, kind: str, reason: str):
    log_in = await server.a_log_in()
    current = await server.refresh(log_in)
    value = {
        "family": log_in.family_id,
        "session": log_in.session_id,
        "user": log_in.user.id,
        "client": log_in.client.id,
        "all": "",
    }[kind]
    await server.revoke(kind, value)
    assert_refused(await server.refresh(log_in), reason)
    await assert_nothing_is_left_of(log_in, server, current)


async def test_a_replay_of_a_revoked_family_is_no_reuse(server: OAuthServer):
    log_in = await server.a_log_in()
    await server.refresh(log_in)
    await server.revoke("family", log_in.family_id)
    server.clock.passes(GRACE + SECOND)
    assert_refused(await server.refresh(log_in), "revoked")
    assert await server.events(EventType.FAMILY_REUSED) == []


async def test_a_refresh_token_is_not_spent_while_there_is_no_key_to_sign_with(server: OAuthServer):
    log_in = await server.a_log_in()
    server.ring._snapshot = replace(server.ring.snapshot, signers={})
    assert (await server.refresh(log_in)).status_code == 503
    assert (await server.family(log_in)).generation == 0


# -- whose it is ----------------------------------------------------------------------------------


async def test_more_scope_than_was_granted_is_refused_and_ends_nothing(server: OAuthServer):
    log_in = await server.a_log_in()
    for scope in ("read write admin", "openid", "READ"):
        assert (await server.refresh(log_in, scope=scope)).json()["error"] == "invalid_scope"
    narrow = (await server.refresh(log_in, scope="read")).json()
    assert narrow["scope"] == "read"
    assert (await server.refresh(log_in, narrow["refresh_token"])).json()["scope"] == "read write"


async def test_another_clients_token_is_refused_stays_alive_and_is_written_down(server: OAuthServer):
    log_in, thief = await server.a_log_in(), await server.a_public_client()
    assert_refused(await server.refresh(log_in, client=thief), None)
    (event,) = await server.events(EventType.REFRESH_WRONG_CLIENT)
    assert (event.client_id, event.detail["owner"]) == (thief.id, log_in.client.id)
    assert (event.user_id, event.session_id) == (log_in.user.id, log_in.session_id)
    assert (await server.refresh(log_in)).status_code == 200


async def test_another_client_in_a_loop_does_not_fill_the_audit_log(server: OAuthServer):
    log_in, thief = await server.a_log_in(), await server.a_public_client()
    for _ in range(EVENTS_PER_MINUTE + 5):
        assert_refused(await server.refresh(log_in, client=thief), None)
    assert len(await server.events(EventType.REFRESH_WRONG_CLIENT)) == EVENTS_PER_MINUTE
    server.clock.passes(MINUTE)
    await server.refresh(log_in, client=thief)
    assert len(await server.events(EventType.REFRESH_WRONG_CLIENT)) == EVENTS_PER_MINUTE + 1


async def test_another_client_learns_nothing_from_what_it_presents(server: OAuthServer):
    log_in, thief = await server.a_log_in(), await server.a_public_client()
    alive = await server.refresh(log_in, client=thief)
    narrowed = await server.refresh(log_in, client=thief, scope="admin")
    await server.revoke("family", log_in.family_id)
    dead = await server.refresh(log_in, client=thief)
    forged = await server.refresh(log_in, "forged", client=thief)
    assert alive.json() == narrowed.json() == dead.json() == forged.json()


async def test_a_replay_by_another_client_does_not_end_the_family(server: OAuthServer):
    log_in, thief = await server.a_log_in(), await server.a_public_client()
    current = (await server.refresh(log_in)).json()["refresh_token"]
    server.clock.passes(GRACE + SECOND)
    assert_refused(await server.refresh(log_in, client=thief), None)
    assert (await server.refresh(log_in, current)).status_code == 200


@pytest.mark.parametrize("position", [0, 1, 10, 22, 40, 60, 80, 95])
async def test_a_token_with_any_part_changed_reaches_nothing(server: OAuthServer, position: int):
    log_in = await server.a_log_in()
    swapped = "A" if log_in.refresh_token[position] != "A" else "B"
    forged = log_in.refresh_token[:position] + swapped + log_in.refresh_token[position + 1 :]
    assert_refused(await server.refresh(log_in, forged), None)
    assert (await server.refresh(log_in)).status_code == 200


async def test_who_knows_a_familys_id_cannot_end_it(server: OAuthServer):
    log_in = await server.a_log_in()
    forged = RefreshHandles(MasterKey(bytes(32))).first(log_in.family_id).token
    assert_refused(await server.refresh(log_in, forged), None)
    assert (await server.refresh(log_in)).status_code == 200
    assert await server.events(EventType.FAMILY_REUSED) == []


@pytest.mark.parametrize("token", ["x", "A" * 96, "A" * 10_000, "ä" * 96, "=" * 96, "a.b.c", " ", "' OR 1=1 --"])
async def test_what_is_no_refresh_token_is_an_invalid_grant(server: OAuthServer, token: str):
    assert_refused(await server.refresh(await server.a_log_in(), token), None)


async def test_an_access_token_is_no_refresh_token(server: OAuthServer):
    log_in = await server.a_log_in()
    access_token = (await server.refresh(log_in)).json()["access_token"]
    assert_refused(await server.refresh(log_in, access_token), None)


async def test_the_row_of_a_family_holds_nothing_that_can_be_presented(server: OAuthServer):
    log_in = await server.a_log_in()
    current = (await server.refresh(log_in)).json()["refresh_token"]
    secrets = [server.handles.parse(token).secret for token in (log_in.refresh_token, current)]
    row = await server.family(log_in)
    kept = b"|".join(value for value in (row.cur_hash, row.prev_hash, row.salt) if value)
    assert not any(secret in kept for secret in secrets)
    assert base64.urlsafe_b64decode(current)[-48:-16] == secrets[1]


# -- how long -------------------------------------------------------------------------------------


async def test_no_access_token_outlives_the_absolute_end(server: OAuthServer):
    log_in = await server.a_log_in(absolute=DAY)
    server.clock.passes(DAY - TOKEN_TTL // 2)
    answer = await server.refresh(log_in)
    assert claims_of(answer)["exp"] * SECOND <= NOON + DAY
    assert answer.json()["expires_in"] == TOKEN_TTL // 2 // SECOND


async def test_a_refresh_a_second_before_the_end_does_not_move_it(server: OAuthServer):
    log_in = await server.a_log_in(absolute=DAY)
    server.clock.passes(DAY - SECOND)
    last = (await server.refresh(log_in)).json()["refresh_token"]
    server.clock.passes(SECOND)
    assert_refused(await server.refresh(log_in, last), "expired")
    assert_refused(await server.refresh(log_in), "expired")


async def test_the_grace_ends_with_the_family(server: OAuthServer):
    log_in = await server.a_log_in()
    current = None
    while server.clock.now < NOON + ABSOLUTE - 9 * DAY:
        server.clock.passes(9 * DAY)
        current = (await server.refresh(log_in, current)).json()["refresh_token"]
    server.clock.now = NOON + ABSOLUTE - SECOND
    await server.refresh(log_in, current)
    server.clock.passes(2 * SECOND)
    assert_refused(await server.refresh(log_in, current), "expired")


# -- while something else happens -----------------------------------------------------------------


@dataclass
class Interrupted:
    """The family store, with something happening right before or after the one statement that decides."""

    families: Any
    happens: Callable[[], Awaitable[object]]
    before: bool

    async def rotate(self, *args: Any, **named: Any) -> Any:
        if self.before:
            await self.happens()
        result = await self.families.rotate(*args, **named)
        if not self.before:
            await self.happens()
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.families, name)


async def disable(server: OAuthServer, log_in: LogIn) -> None:
    event = server.event(EventType.USER_DISABLED)
    await server.stores.users.set_enabled(log_in.user.id, False, at=server.clock(), event=event)


async def remove(server: OAuthServer, log_in: LogIn) -> None:
    await server.stores.users.remove(log_in.user.id, at=server.clock(), event=server.event(EventType.USER_REMOVED))


async def change_password(server: OAuthServer, log_in: LogIn) -> None:
    event = server.event(EventType.USER_PASSWORD_SET)
    await server.stores.users.set_password(log_in.user.id, "$argon2id$new", at=server.clock(), event=event)


async def disable_client(server: OAuthServer, log_in: LogIn) -> None:
    event = server.event(EventType.CLIENT_DISABLED)
    await server.stores.clients.set_enabled(log_in.client.id, False, at=server.clock(), event=event)


async def log_out(server: OAuthServer, log_in: LogIn) -> None:
    event = server.event(EventType.SESSION_ENDED)
    await server.stores.sessions.end(log_in.session_id, at=server.clock(), reason="logout", event=event)


async def revoke_all(server: OAuthServer, log_in: LogIn) -> None:
    await server.revoke("all")


@pytest.mark.parametrize("before", [True, False], ids=["before the rotation", "after the rotation"])
@pytest.mark.parametrize("happening", [disable, remove, change_password, disable_client, log_out, revoke_all])
async def test_no_token_survives_what_happens_during_a_refresh(
    server: OAuthServer, happening: Callable[[OAuthServer, LogIn], Awaitable[None]], before: bool
):
    log_in, resource_server = await server.a_log_in(), await server.a_resource_server()
    interrupted = Interrupted(server.stores.families, lambda: happening(server, log_in), before)
    answer = await (await server.restarted(families=interrupted)).refresh(log_in)
    assert (answer.status_code == 200) is not before
    if answer.status_code == 200:
        assert (await server.introspect(resource_server, answer.json()["access_token"])) == {"active": False}
        assert (await server.refresh(log_in, answer.json()["refresh_token"])).status_code in (400, 401)
    assert (await server.refresh(log_in)).status_code in (400, 401)
