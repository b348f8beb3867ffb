"""Codes and devices being redeemed while what gave them ends, in a forced order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import insert, text

from authserver.model.authorization import AuthorizationCode
from authserver.model.session import Session
from authserver.storage.interface import FirstFamilies, Redeemed
from authserver.storage.sql import rows, tables
from tests.storage.builders import (
    NOW,
    a_code,
    a_consent,
    a_device,
    a_grantor,
    an_event,
    first_families,
    with_offline,
)
from tests.storage.conftest import World
from tests.storage.order import held, until_it_waits

SPEND = "UPDATE authorization_codes SET spent_at = :at WHERE handle_hash = :handle"


async def coded(world: World) -> tuple[Session, AuthorizationCode, FirstFamilies]:
    session = await world.browser()
    code = a_code(session, world.client)
    assert await world.stores.authorizations.add_code(code, pushed=None, event=an_event())
    return session, code, first_families(session, world.client, code.family_id)


async def redeem(world: World, code: AuthorizationCode, first: FirstFamilies) -> Any:
    return await world.stores.authorizations.redeem(code.handle_hash, at=NOW + 1, first=first, event=an_event())


async def under_way(
    world: World, code: AuthorizationCode, first: FirstFamilies, second: Callable[[], Awaitable[Any]]
) -> Any:
    """A redemption that has written everything and is not committed, while `second` tries; what that gave."""
    share = "" if world.database.dialect == "sqlite" else " FOR SHARE"
    async with world.database.transaction() as connection:
        await connection.execute(text(SPEND), {"at": NOW + 1, "handle": code.handle_hash})
        hold = text(f"SELECT id FROM sessions WHERE id = :id{share}")
        await connection.execute(hold, {"id": first.family.session_id})
        await connection.execute(insert(tables.families).values(rows.family_values(first.family)))
        if first.offline is not None:
            values = rows.as_values(first.offline[0], tables.sessions)
            await connection.execute(insert(tables.sessions).values(values))
            await connection.execute(insert(tables.families).values(rows.family_values(first.offline[1])))
        waiting = asyncio.ensure_future(second())
        await until_it_waits(world.database, waiting)
        assert not waiting.done()
    return await waiting


# -- the log-out


async def test_a_redemption_beside_an_uncommitted_log_out_is_over_and_the_code_is_spent(world: World) -> None:
    session, code, first = await coded(world)
    answer = await held(
        world.database,
        "UPDATE sessions SET dead_at = :at WHERE id = :id",
        {"at": NOW, "id": session.id},
        lambda: redeem(world, code, with_offline(first, world.user, world.client)),
    )
    assert answer == "over"
    assert await world.sql("SELECT id FROM families") == []
    assert await redeem(world, code, first) == "spent"


async def test_a_log_out_beside_an_uncommitted_redemption_waits_and_ends_its_family(world: World) -> None:
    session, code, first = await coded(world)
    outcome = await under_way(
        world,
        code,
        first,
        lambda: world.stores.sessions.end(session.id, at=NOW + 2, reason="logout", event=an_event()),
    )
    assert outcome.families == 1
    assert not await world.is_alive(first.family)
    assert await world.entries() == [("sid", first.family.id, 0)]


async def test_redemptions_racing_a_log_out_leave_no_living_family(world: World) -> None:
    for _ in range(5):
        session, code, first = await coded(world)
        end = world.stores.sessions.end(session.id, at=NOW + 1, reason="logout", event=an_event())
        answers = await asyncio.gather(redeem(world, code, first), end, redeem(world, code, first))
        assert not await world.is_alive(first.family)
        assert sum(isinstance(answer, Redeemed) for answer in answers) <= 1


# -- revocations, which hold no lock that a redemption waits for


@pytest.mark.parametrize(
    "bump",
    [
        "UPDATE users SET version = version + 1",
        "UPDATE issuer SET revocation_version = revocation_version + 1",
        "UPDATE users SET enabled = false",
    ],
)
async def test_a_redemption_beside_an_uncommitted_revocation_gives_nothing_that_outlives_it(
    world: World, bump: str
) -> None:
    _, code, plain = await coded(world)
    first = with_offline(plain, world.user, world.client)
    assert first.offline is not None
    answer = await held(world.database, bump, {}, lambda: redeem(world, code, first))
    assert (answer == "over") is (world.database.dialect == "sqlite")
    assert [await world.is_alive(family) for family in (first.family, first.offline[1])] == [False, False]


async def test_offline_access_is_never_born_under_versions_newer_than_its_log_in(postgres_world: World) -> None:
    """A revocation that is committed after the log-in's family was written and before the offline session is."""
    world = postgres_world
    _, code, plain = await coded(world)
    first = with_offline(plain, world.user, world.client)
    assert first.offline is not None
    await world.sql(
        "CREATE FUNCTION revoke_now() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$"
    )
    await world.sql("CREATE TRIGGER revoke_now AFTER INSERT ON families FOR EACH ROW EXECUTE FUNCTION revoke_now()")
    async with world.database.transaction() as connection:  # the first family waits for this
        await connection.execute(text("SELECT pg_advisory_xact_lock(7)"))
        waiting = asyncio.ensure_future(redeem(world, code, first))
        await until_it_waits(world.database, waiting)
        await connection.execute(text("UPDATE users SET version = version + 1"))
    assert await waiting == "over"
    assert await world.sql("SELECT id FROM families") == []
    assert await redeem(world, code, first) == "spent"


# -- replays


async def test_a_replay_beside_an_uncommitted_redemption_waits_and_ends_everything_it_gave(world: World) -> None:
    _, code, plain = await coded(world)
    first = with_offline(plain, world.user, world.client)
    assert first.offline is not None
    outcome = await under_way(
        world,
        code,
        first,
        lambda: world.stores.authorizations.replayed(code.family_id, at=NOW + 2, event=an_event()),
    )
    assert (outcome.sessions, outcome.families) == (1, 2)
    assert [await world.is_alive(family) for family in (first.family, first.offline[1])] == [False, False]


async def test_a_redemption_after_a_replay_gives_nothing(world: World) -> None:
    _, code, first = await coded(world)
    await world.stores.authorizations.replayed(code.family_id, at=NOW, event=an_event())
    assert await redeem(world, code, first) == "spent"
    assert await world.sql("SELECT id FROM families") == []


async def test_redemptions_racing_replays_leave_nothing_alive(world: World) -> None:
    for _ in range(5):
        _, code, plain = await coded(world)
        first = with_offline(plain, world.user, world.client)
        assert first.offline is not None
        replay = world.stores.authorizations.replayed
        await asyncio.gather(
            redeem(world, code, first), *(replay(code.family_id, at=NOW + 2, event=an_event()) for _ in range(3))
        )
        assert [await world.is_alive(family) for family in (first.family, first.offline[1])] == [False, False]


# -- consent


async def test_a_withdrawal_beside_an_uncommitted_redemption_waits_and_ends_its_family(world: World) -> None:
    _, code, plain = await coded(world)
    first = with_offline(plain, world.user, world.client)
    assert first.offline is not None
    outcome = await under_way(
        world,
        code,
        first,
        lambda: world.stores.consents.withdraw(world.user.id, world.client.id, at=NOW + 2, event=an_event()),
    )
    assert (outcome.sessions, outcome.families) == (1, 2)
    assert [await world.is_alive(family) for family in (first.family, first.offline[1])] == [False, False]


async def test_a_code_beside_an_uncommitted_withdrawal_is_not_kept(world: World) -> None:
    session = await world.browser()
    await world.stores.consents.grant(a_consent(world.user, world.client), event=an_event())
    code = a_code(session, world.client)
    kept = await held(
        world.database,
        "DELETE FROM consents WHERE user_id = :id",
        {"id": world.user.id},
        lambda: world.stores.authorizations.add_code(code, pushed=None, consented=True, event=an_event()),
    )
    assert not kept
    assert await world.stores.authorizations.code(code.handle_hash) is None


async def test_codes_racing_a_withdrawal_give_nothing_after_it(world: World) -> None:
    session, consents = await world.browser(), world.stores.consents
    for _ in range(5):
        await consents.grant(a_consent(world.user, world.client), event=an_event())
        codes = [a_code(session, world.client) for _ in range(4)]
        adds = [
            world.stores.authorizations.add_code(code, pushed=None, consented=True, event=an_event()) for code in codes
        ]
        withdrawal = consents.withdraw(world.user.id, world.client.id, at=NOW, event=an_event())
        await asyncio.gather(*adds[:2], withdrawal, *adds[2:])
        for code in codes:
            assert await redeem(world, code, first_families(session, world.client, code.family_id)) != "over"
    assert await world.sql("SELECT id FROM families") == []


async def test_a_consent_beside_an_uncommitted_removal_of_its_user_is_not_kept(world: World) -> None:
    await held(
        world.database,
        "DELETE FROM users WHERE id = :id",
        {"id": world.user.id},
        lambda: world.stores.consents.grant(a_consent(world.user, world.client), event=an_event()),
    )
    assert await world.sql("SELECT user_id FROM consents") == []


# -- removals


async def test_a_user_removed_beside_an_uncommitted_redemption_takes_its_family_along(world: World) -> None:
    _, code, first = await coded(world)
    await under_way(world, code, first, lambda: world.stores.users.remove(world.user.id, at=NOW + 2, event=an_event()))
    for table in ("families", "sessions", "authorization_codes"):
        assert await world.sql(f"SELECT 1 FROM {table}") == []


async def test_of_users_removed_and_codes_redeemed_at_once_none_is_stuck(world: World) -> None:
    session = await world.browser()
    codes = [a_code(session, world.client) for _ in range(8)]
    for code in codes:
        await world.stores.authorizations.add_code(code, pushed=None, event=an_event())
    firsts = [first_families(session, world.client, code.family_id) for code in codes]
    await asyncio.gather(
        *(redeem(world, code, first) for code, first in zip(codes, firsts, strict=True)),
        world.stores.users.remove(world.user.id, at=NOW + 2, event=an_event()),
    )
    assert [await world.is_alive(first.family) for first in firsts] == [False] * 8


# -- devices


async def test_of_racing_decisions_one_counts_and_of_racing_redeems_one_gets_the_family(world: World) -> None:
    session, store = await world.browser(), world.stores.devices
    device = a_device(world.client)
    await store.add(device)
    decisions = await asyncio.gather(
        *(
            store.decide(device.handle_hash, grantor=a_grantor(session), approved=True, now=NOW, event=an_event())
            for _ in range(20)
        )
    )
    assert decisions.count(True) == 1
    first = first_families(session, world.client, device.family_id)
    answers = await asyncio.gather(
        *(store.redeem(device.handle_hash, at=NOW + 1, first=first, event=an_event()) for _ in range(20))
    )
    assert answers.count("spent") == 19
    assert len(await world.sql("SELECT id FROM families")) == 1


async def test_of_racing_polls_one_is_in_time(world: World) -> None:
    device = a_device(world.client)
    await world.stores.devices.add(device)
    polls = [world.stores.devices.poll(device.handle_hash, world.client.id, now=NOW) for _ in range(20)]
    answers = await asyncio.gather(*polls)
    assert (answers.count("pending"), answers.count("slow_down")) == (1, 19)
    (row,) = await world.sql('SELECT "interval" FROM device_requests')
    assert row.interval == 5 + 19 * 5
