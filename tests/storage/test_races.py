"""Many at once, and two transactions in a forced order."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from sqlalchemy import text

from authserver.model.page import PageRequest
from authserver.storage.interface import AuditFilter, Rotated
from authserver.storage.sql import rows, tables
from tests.storage.builders import NOW, a_family, a_key, a_session, an_event, digest
from tests.storage.conftest import World
from tests.storage.order import held, until_it_waits

MANY = 30


async def test_of_many_racing_presentations_one_rotates_and_all_get_the_same_successor(world: World) -> None:
    _, family = await world.login()
    answers = await asyncio.gather(*(world.rotate(family, "s0", f"next-{n}") for n in range(MANY)))
    rotated = [answer for answer in answers if isinstance(answer, Rotated)]
    assert Counter(answer.result for answer in rotated) == {"rotated": 1, "retry": MANY - 1}
    assert len({(answer.family.cur_hash, answer.family.salt, answer.family.generation) for answer in rotated}) == 1


async def test_of_many_racing_replays_all_are_refused_and_one_event_is_written(world: World) -> None:
    _, family = await world.login()
    await world.rotate(family, "s0", "s1")
    await world.rotate(family, "s1", "s2")
    answers = await asyncio.gather(*(world.rotate(family, "s0", f"x{n}") for n in range(MANY)))
    assert {answer[0] for answer in answers} == {"reused"}
    events = await world.stores.audit.list(PageRequest(), AuditFilter(type="family.reused"))
    assert (len(events.items), await world.entries()) == (1, [("sid", family.id, 0)])


async def test_a_chain_of_rotations_by_many_clients_at_once_never_loses_the_family(world: World) -> None:
    _, family = await world.login()
    for step in range(10):
        answers = await asyncio.gather(*(world.rotate(family, f"s{step}", f"s{step + 1}") for _ in range(5)))
        assert all(isinstance(answer, Rotated) for answer in answers)
    assert await world.is_alive(family)


async def test_of_rotations_racing_a_revocation_none_comes_after_it(world: World) -> None:
    _, family = await world.login()
    secrets = [f"s{step}" for step in range(40)]

    async def rotate_on() -> None:
        for current, following in pairwise(secrets):
            await world.rotate(family, current, following)

    runner = asyncio.create_task(rotate_on())
    await world.revoke("family", family.id)
    after = await world.stores.families.get(family.id)
    await runner
    assert await world.stores.families.get(family.id) == after


async def test_of_many_racing_activations_exactly_one_wins(world: World) -> None:
    keys = world.stores.keys
    await keys.add_announced(a_key(kid="b"), event=an_event())
    wins = await asyncio.gather(
        *(keys.activate("b", instead_of=world.kid, at=NOW, remove_at=NOW, event=an_event()) for _ in range(MANY))
    )
    assert wins.count(True) == 1
    assert sorted(key.state for key in await keys.all()) == ["active", "retired"]


async def test_of_many_first_starts_exactly_one_announces_and_one_activates(world: World) -> None:
    await world.sql("DELETE FROM signing_keys")
    keys = world.stores.keys
    news = [a_key() for _ in range(MANY)]
    announced = await asyncio.gather(*(keys.add_announced(key, event=an_event()) for key in news))
    assert announced.count(True) == 1
    kid = (await keys.all())[0].kid
    wins = await asyncio.gather(
        *(keys.activate(kid, instead_of=None, at=NOW, remove_at=NOW, event=an_event()) for _ in range(MANY))
    )
    assert wins.count(True) == 1


async def test_of_many_racing_emergencies_exactly_one_wins(world: World) -> None:
    keys = world.stores.keys
    wins = await asyncio.gather(
        *(keys.replace_now(a_key(), instead_of=world.kid, at=NOW, reason="leak", event=an_event()) for _ in range(MANY))
    )
    assert wins.count(True) == 1
    assert sorted(key.state for key in await keys.all()) == ["active", "revoked"]


async def test_of_many_racing_attempts_no_more_than_the_burst_are_admitted(world: World) -> None:
    waits = await asyncio.gather(
        *(world.stores.throttle.admit(b"bucket", burst=5, interval=1000, now=NOW) for _ in range(MANY))
    )
    assert waits.count(0) == 5


async def test_of_many_racing_bumps_none_is_lost(world: World) -> None:
    await asyncio.gather(*(world.revoke("user", world.user.id) for _ in range(MANY)))
    versions = [version for kind, _, version in await world.entries() if kind == "sub"]
    assert sorted(versions) == list(range(1, MANY + 1))


async def test_sessions_ended_from_many_sides_at_once_leave_one_entry_each(world: World) -> None:
    session = await world.browser()
    families = [await world.family_of(session) for _ in range(3)]
    others = [
        world.stores.sessions.end_others(world.user.id, "none", at=NOW + 1, reason="x", event=an_event())
        for _ in range(5)
    ]
    selves = [world.stores.sessions.end(session.id, at=NOW + 1, reason="x", event=an_event()) for _ in range(5)]
    outcomes = await asyncio.gather(*others, *selves)
    assert sum(outcome.changed for outcome in outcomes) == 1
    assert sorted(value for _, value, _ in await world.entries()) == sorted(family.id for family in families)


# -- forced order: the first transaction is held open while the second one tries ------------------


BUMPS = [
    pytest.param("UPDATE users SET version = version + 1 WHERE id = :user", (1, 0, 0), id="user"),
    pytest.param("UPDATE users SET enabled = false WHERE id = :user", None, id="disable"),
    pytest.param("UPDATE issuer SET revocation_version = revocation_version + 1", (0, 0, 1), id="all"),
    pytest.param("UPDATE clients SET version = version + 1 WHERE id = :client", (0, 1, 0), id="client"),
]
"""What is committed first, and what a log-in after it begins with (None: with nothing, it is refused)."""


@pytest.mark.parametrize(("bump", "after"), BUMPS)
async def test_a_log_in_beside_an_uncommitted_revocation_is_dead_once_that_commits(
    world: World, bump: str, after: tuple[int, int, int] | None
) -> None:
    session = a_session(world.user, kind="token")
    family = a_family(session, world.client)
    values = {"user": world.user.id} if ":user" in bump else {"client": world.client.id} if ":client" in bump else {}
    begun = await held(
        world.database,
        bump,
        values,
        lambda: world.stores.sessions.begin(session, family, password_hash="$hash$1", event=an_event()),
    )
    if world.database.dialect == "sqlite":  # one writer: the log-in came after
        assert begun == after
    else:  # it saw the old version, and dies by comparison
        assert begun == (0, 0, 0)
        assert not await world.is_alive(family)
        assert await world.state(world.facts(family)) != "alive"


async def test_a_rotation_beside_an_uncommitted_end_waits_and_is_refused(world: World) -> None:
    _, family = await world.login()
    answer = await held(
        world.database,
        "UPDATE families SET dead_at = :at WHERE id = :id",
        {"at": NOW, "id": family.id},
        lambda: world.rotate(family, "s0", "s1"),
    )
    assert answer.reason == "revoked"


async def test_a_family_opened_beside_an_uncommitted_end_of_its_session_is_refused(world: World) -> None:
    session = await world.browser()
    family = a_family(session, world.client)
    answer = await held(
        world.database,
        "UPDATE sessions SET dead_at = :at WHERE id = :id",
        {"at": NOW, "id": session.id},
        lambda: world.stores.sessions.add_family(family, event=None),
    )
    assert answer is None
    assert await world.stores.families.get(family.id) is None


async def test_an_end_of_a_session_waits_for_a_family_that_is_being_opened_and_ends_it(world: World) -> None:
    session = await world.browser()
    family = a_family(session, world.client)
    lock = "" if world.database.dialect == "sqlite" else " FOR SHARE"
    async with world.database.transaction() as connection:
        await connection.execute(text(f"SELECT id FROM sessions WHERE id = :id{lock}"), {"id": session.id})
        await connection.execute(tables.families.insert(), rows.family_values(family))
        ending = asyncio.ensure_future(world.stores.sessions.end(session.id, at=NOW, reason="x", event=an_event()))
        await until_it_waits(world.database, ending)
        assert not ending.done()
    assert (await ending).families == 1
    assert not await world.is_alive(family)


async def test_a_session_ended_beside_an_uncommitted_end_of_its_family_waits_and_claims_no_entry(world: World) -> None:
    session, family = await world.login()
    outcome = await held(
        world.database,
        "UPDATE families SET dead_at = :at WHERE id = :id",
        {"at": NOW, "id": family.id},
        lambda: world.stores.sessions.end(session.id, at=NOW + 1, reason="x", event=an_event()),
    )
    assert (outcome.changed, outcome.outbox_id, outcome.families) == (True, None, 0)
    assert await world.entries() == [("sid", family.id, 0)]
    assert await world.stores.sessions.get(session.id, now=NOW + 2) is None


async def test_a_log_in_beside_an_uncommitted_password_change_is_dead_once_that_commits(world: World) -> None:
    session = a_session(world.user)
    await held(
        world.database,
        "UPDATE users SET password_hash = 'new', version = version + 1 WHERE id = :id",
        {"id": world.user.id},
        lambda: world.stores.sessions.begin(session, None, password_hash="$hash$1", event=an_event()),
    )
    assert await world.stores.sessions.authenticate(session.id, digest("cookie"), now=NOW) is None


async def test_a_client_added_beside_an_uncommitted_removal_of_its_name_starts_past_the_removed_one(
    world: World,
) -> None:
    _, family = await world.login()
    await held(
        world.database,
        "DELETE FROM clients WHERE id = :id",
        {"id": world.client.id},
        lambda: world.stores.clients.add(world.client, event=an_event()),
    )
    added = await world.stores.clients.get(world.client.id)
    assert added is not None
    assert added.version == 1
    assert await world.state(world.facts(family)) == "client"
    assert not await world.is_alive(family)


async def test_a_log_out_that_is_committed_first_leaves_nothing_to_renew(world: World) -> None:
    session = await world.browser()
    renewed = replace(session, secret_hash=digest("second cookie"), auth_time=NOW + 1)
    ended = "UPDATE sessions SET dead_at = :at, dead_reason = 'logout' WHERE id = :id"
    answer = await held(
        world.database,
        ended,
        {"id": session.id, "at": NOW},
        lambda: world.stores.sessions.renew(
            renewed, digest("cookie"), repeated_since=NOW + 1, password_hash=None, event=an_event()
        ),
    )
    assert answer is None
    assert await world.stores.sessions.authenticate(session.id, digest("second cookie"), now=NOW + 2) is None


async def test_of_many_who_renew_a_session_with_one_cookie_one_does(world: World) -> None:
    session = await world.browser()
    cookies = [digest(f"cookie {n}") for n in range(MANY)]
    answers = await asyncio.gather(
        *(
            world.stores.sessions.renew(
                replace(session, secret_hash=cookie),
                digest("cookie"),
                repeated_since=NOW + 1,
                password_hash=None,
                event=an_event(),
            )
            for cookie in cookies
        )
    )
    (won,) = [answer for answer in answers if answer is not None]
    alive = [await world.stores.sessions.authenticate(session.id, cookie, now=NOW + 1) for cookie in cookies]
    assert [found for found in alive if found is not None] == [won]
