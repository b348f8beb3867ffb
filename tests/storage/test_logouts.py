"""LogoutStore: whoever is logged out, by whatever way, is told of to each client that wants to know, and once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from authserver.model.authorization import Consent
from authserver.model.client import Client
from authserver.model.grant import Family, Terms
from authserver.model.logout import LogoutDelivery
from authserver.model.session import Session
from authserver.model.time import DAY, MINUTE
from authserver.storage.sql import logouts_expand
from tests.storage.builders import NOW, a_client, a_family, a_session, a_user, an_event
from tests.storage.conftest import World

LISTENS = {"backchannel_logout_uri": "https://rp.example/bye"}
OPENID = {"scope": ("openid", "read")}


async def listener(world: World, **changes: Any) -> Client:
    client = a_client(**LISTENS | changes)
    await world.stores.clients.add(client, event=an_event())
    return client


async def log_in(world: World, client: Client, session: Session | None = None, **changes: Any) -> Family:
    session = session or await world.browser()
    family = a_family(session, client, **OPENID | changes)
    assert await world.stores.sessions.add_family(family, event=None) is not None
    return family


async def expand(world: World, limit: int = 100) -> int:
    return await world.stores.logouts.expand(limit=limit, now=NOW + 6)


async def due(world: World, now: int = NOW + 6, limit: int = 1000) -> list[LogoutDelivery]:
    return list(await world.stores.logouts.due(now=now, lease=MINUTE, limit=limit))


async def told(world: World) -> list[str]:
    """The log-ins that are told of, everything expanded."""
    while await expand(world):
        pass
    return sorted(delivery.family_id for delivery in await due(world))


async def end(world: World, session_id: str, at: int = NOW + 5) -> None:
    await world.stores.sessions.end(session_id, at=at, reason="logout", event=an_event())


# -- who is told


async def test_the_end_of_a_session_is_told_to_each_client_that_wants_to_know(world: World) -> None:
    session, rp, other = await world.browser(), await listener(world), await listener(world)
    mine = [await log_in(world, client, session) for client in (rp, other)]
    await log_in(world, world.client, session)  # says nothing about log-outs
    await log_in(world, rp, session, scope=("read", "openid2"))  # no log-in, as far as the client knows
    await log_in(world, rp)  # another session
    await end(world, session.id)
    assert await expand(world) == 1
    found = sorted(await due(world), key=lambda delivery: delivery.family_id)
    assert found == [
        LogoutDelivery(
            id=delivery.id,
            client_id=family.client_id,
            user_id=world.user.id,
            family_id=family.id,
            uri="https://rp.example/bye",
            attempts=1,
            next_at=NOW + 6 + MINUTE,
            created_at=NOW + 6,
        )
        for delivery, family in zip(found, mine, strict=True)
    ]


@pytest.mark.parametrize("way", ["revoke user", "password", "disable", "revoke all", "remove user", "end others"])
async def test_every_way_of_logging_a_user_out_is_told(world: World, way: str) -> None:
    rp, users = await listener(world), world.stores.users
    families = [await log_in(world, rp) for _ in range(2)]
    if way == "revoke user":
        await world.revoke("user", world.user.id)
    elif way == "password":
        await users.set_password(world.user.id, "new", at=NOW + 5, event=an_event())
    elif way == "disable":
        await users.set_enabled(world.user.id, False, at=NOW + 5, event=an_event())
    elif way == "revoke all":
        await world.revoke("all")
    elif way == "remove user":
        await users.remove(world.user.id, at=NOW + 5, event=an_event())
    else:
        await world.stores.sessions.end_others(world.user.id, "none", at=NOW + 5, reason="x", event=an_event())
    assert await told(world) == sorted(family.id for family in families)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET enabled = false",
        "UPDATE users SET version = version + 7",
        "UPDATE issuer SET revocation_version = revocation_version + 7",
        "UPDATE sessions SET dead_at = 5",
        "DELETE FROM sessions",
        "DELETE FROM families",
        "DELETE FROM users",
    ],
)
async def test_what_is_typed_by_hand_is_told_too(world: World, statement: str) -> None:
    family = await log_in(world, await listener(world))
    await world.sql(statement)
    assert await told(world) == [family.id]


async def test_another_users_log_out_is_not_told(world: World) -> None:
    await log_in(world, await listener(world))
    stranger = a_user()
    await world.stores.users.add(stranger, event=an_event())
    await world.revoke("user", stranger.id)
    assert await told(world) == []


async def test_offline_access_is_no_log_in_and_its_end_is_not_told(world: World) -> None:
    rp = await listener(world)
    family = await log_in(world, rp)
    session = a_session(world.user, kind="token", secret_hash=None)
    offline = a_family(session, rp, terms=Terms(sid=family.id), **OPENID)
    await world.stores.sessions.begin(session, offline, password_hash=None, event=an_event())
    await end(world, session.id)
    assert await told(world) == []
    await world.revoke("user", world.user.id)
    assert await told(world) == [family.id]


async def test_a_removed_family_of_offline_access_is_not_told(world: World) -> None:
    rp = await listener(world)
    await log_in(world, rp, terms=Terms(sid="another", claims={"id_token": {"sid": None}}))
    family = await log_in(world, rp, terms=Terms(claims={"id_token": {"sid": None, "x": "\ud800\x00"}}))
    await world.sql("DELETE FROM families")
    assert await told(world) == [family.id]


async def test_a_log_in_whose_refresh_tokens_ended_before_is_told_when_its_session_ends(world: World) -> None:
    family = await log_in(world, await listener(world))
    await world.revoke("family", family.id)
    assert await told(world) == []
    await end(world, family.session_id)
    assert await told(world) == [family.id]


async def test_a_withdrawn_consent_logs_nobody_out(world: World) -> None:
    rp = await listener(world)
    await log_in(world, rp)
    consent = Consent(
        user_id=world.user.id, client_id=rp.id, scope=("openid",), resources=(), granted_at=NOW, updated_at=NOW
    )
    await world.stores.consents.grant(consent, event=an_event())
    await world.stores.consents.withdraw(world.user.id, rp.id, at=NOW + 5, event=an_event())
    assert await told(world) == []


async def test_a_session_that_has_expired_makes_no_entry(world: World) -> None:
    session = await world.browser(abs_until=NOW + 50)
    await log_in(world, await listener(world), session)
    await end(world, session.id, at=NOW + 50)
    assert await world.stores.logouts.waiting() == 0


async def test_a_session_that_had_expired_when_its_user_was_logged_out_is_not_told(world: World) -> None:
    long_ago = NOW - 30 * DAY
    session = await world.browser(abs_until=long_ago + DAY)
    family = a_family(session, await listener(world), created_at=long_ago, abs_until=long_ago + DAY, **OPENID)
    await world.stores.sessions.add_family(family, event=None)
    await world.revoke("user", world.user.id)
    await world.revoke("all")
    assert await told(world) == []


async def test_rotations_touches_and_new_log_ins_make_no_entry(world: World) -> None:
    family = await log_in(world, await listener(world))
    await world.rotate(family, "s0", "s1")
    await world.stores.users.set_enabled(world.user.id, True, at=NOW, event=an_event())
    await world.sql("UPDATE sessions SET last_seen_at = last_seen_at + 1")
    assert await world.stores.logouts.waiting() == 0


# -- once


async def test_a_log_in_that_waits_to_be_told_of_is_not_told_twice(world: World) -> None:
    family = await log_in(world, await listener(world))
    await world.revoke("user", world.user.id)
    assert await expand(world) == 1
    await world.revoke("all")
    await end(world, family.session_id)
    assert await told(world) == [family.id]


async def test_log_ins_that_were_told_of_stay_told_when_the_user_is_logged_out_again(world: World) -> None:
    rp = await listener(world)
    ended, outrun = await log_in(world, rp), await log_in(world, rp)
    await end(world, ended.session_id)
    assert await told_and_done(world) == [ended.id]
    await world.revoke("user", world.user.id)
    assert await told_and_done(world) == [outrun.id]
    later = await log_in(world, rp)
    await world.revoke("user", world.user.id)
    assert await told_and_done(world) == [later.id]


async def told_and_done(world: World) -> list[str]:
    while await expand(world):
        pass
    found = await due(world)
    for delivery in found:
        await world.stores.logouts.delivered(delivery.id)
    return [delivery.family_id for delivery in found]


# -- in portions


async def test_entries_are_taken_in_portions_and_each_once_however_many_processes_do_it(world: World) -> None:
    rp = await listener(world)
    families = [await log_in(world, rp) for _ in range(12)]
    for family in families:
        await end(world, family.session_id)
    assert await world.stores.logouts.waiting() == 12
    taken = await asyncio.gather(*(expand(world, limit=5) for _ in range(4)))
    while await expand(world, limit=5):
        pass
    assert max(taken) <= 5
    assert await world.stores.logouts.waiting() == 12
    assert len({delivery.family_id for delivery in await due(world)}) == 12


async def test_entries_that_another_process_is_at_are_left_to_it(postgres_world: World) -> None:
    world = postgres_world
    family = await log_in(world, await listener(world))
    await end(world, family.session_id)
    async with world.database.transaction() as connection:
        await connection.execute(text("SELECT id FROM logout_outbox FOR UPDATE"))
        assert await expand(world) == 0
    assert await expand(world) == 1


async def test_everybody_is_logged_out_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logouts_expand, "PAGE", 4)
    rp = await listener(world)
    families = [await log_in(world, rp) for _ in range(10)]
    await world.revoke("all")
    fresh = await log_in(world, rp)
    assert [await expand(world) for _ in range(4)] == [1, 1, 1, 0]
    found = await due(world)
    assert sorted(delivery.family_id for delivery in found) == sorted(family.id for family in families)
    assert fresh.id not in {delivery.family_id for delivery in found}


# -- deliveries


async def delivery(world: World) -> LogoutDelivery:
    family = await log_in(world, await listener(world))
    await end(world, family.session_id)
    await expand(world)
    (found,) = await due(world)
    return found


async def test_a_delivery_is_handed_to_one_of_many_callers(world: World) -> None:
    rp = await listener(world)
    for _ in range(10):
        await end(world, (await log_in(world, rp)).session_id)
    await expand(world)
    portions = await asyncio.gather(*(due(world, limit=3) for _ in range(6)))
    ids = [delivery.id for portion in portions for delivery in portion]
    assert len(ids) == len(set(ids))
    assert max(map(len, portions)) <= 3
    rest = await due(world)
    assert len(ids) + len(rest) == 10


async def test_a_delivery_that_nobody_finished_comes_back_after_the_lease(world: World) -> None:
    first = await delivery(world)
    assert await due(world, now=first.next_at - 1) == []
    assert await due(world, now=first.next_at) == [
        replace(first, attempts=2, next_at=first.next_at + MINUTE),
    ]


async def test_a_failed_delivery_is_tried_again_when_it_is_said(world: World) -> None:
    first = await delivery(world)
    await world.stores.logouts.failed(first.id, next_at=NOW + DAY, problem="503")
    assert await due(world, now=NOW + DAY - 1) == []
    assert await due(world, now=NOW + DAY) == [
        replace(first, attempts=2, next_at=NOW + DAY + MINUTE, last_problem="503")
    ]


@pytest.mark.parametrize("how", ["delivered", "given up"])
async def test_a_delivery_that_is_over_is_gone(world: World, how: str) -> None:
    first = await delivery(world)
    assert await world.stores.logouts.waiting() == 1
    for _ in range(2):
        if how == "delivered":
            await world.stores.logouts.delivered(first.id)
        else:
            await world.stores.logouts.failed(first.id, next_at=None, problem="410")
    assert await world.stores.logouts.waiting() == 0
    assert await due(world, now=NOW + DAY) == []


async def test_a_removed_client_is_told_nothing(world: World) -> None:
    first = await delivery(world)
    family = await log_in(world, await listener(world))
    await world.stores.clients.remove(first.client_id, at=NOW, event=an_event())
    assert await due(world, now=NOW + DAY) == []
    await end(world, family.session_id)
    await world.stores.clients.remove(family.client_id, at=NOW, event=an_event())
    assert await told(world) == []
