"""The life of keys, on both databases, also with several instances at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from authserver.model.audit import SYSTEM, Caller
from authserver.model.errors import Conflict
from authserver.model.page import PageRequest
from authserver.model.time import DAY, MINUTE
from authserver.storage.interface import AuditFilter
from authserver.storage.sql import SqlKeys, open_database
from authserver.tokens.rotation import KeyRotation
from tests.unit.tokens.builders import NOON, POLICY, CountingKeys, FakeClock, a_rotation

OPERATOR = Caller(actor="cli")


@pytest.fixture
async def elsewhere(database_url: str) -> AsyncIterator[SqlKeys]:
    """The same keys through a second process's connections."""
    database = open_database(database_url, pool_size=2)
    await database.start()
    yield SqlKeys(database)
    await database.close()


async def _states(stores: Any) -> Counter[str]:
    return Counter(key.state for key in await stores.keys.all())


async def _events(stores: Any) -> list[tuple[str, str, str | None]]:
    """Type, actor, kid of each event, oldest first."""
    page = await stores.audit.list(PageRequest(limit=200), AuditFilter())
    return [(event.type, event.actor, event.detail.get("kid")) for event in reversed(page.items)]


# -- the first start --------------------------------------------------------------------------


async def test_at_the_first_start_a_key_signs_at_once(stores: Any) -> None:
    rotation = a_rotation(stores.keys, FakeClock())
    await rotation.ensure_keys()
    assert await _states(stores) == {"active": 1}
    assert await _events(stores) == [("key.activated", "system", rotation.ring.signing.kid)]


async def test_a_second_start_changes_nothing(stores: Any) -> None:
    await a_rotation(stores.keys, FakeClock()).ensure_keys()
    before = list(await stores.keys.all())
    await a_rotation(stores.keys, FakeClock()).ensure_keys()
    assert list(await stores.keys.all()) == before


async def test_many_instances_that_start_at_once_end_with_one_key(stores: Any, elsewhere: SqlKeys) -> None:
    instances = [a_rotation(keys, FakeClock()) for keys in (stores.keys, elsewhere) for _ in range(4)]
    await asyncio.gather(*(instance.ensure_keys() for instance in instances))
    assert await _states(stores) == {"active": 1}
    assert len({instance.ring.signing.kid for instance in instances}) == 1
    assert len(await _events(stores)) == 1


async def test_a_key_that_was_announced_and_never_activated_signs_when_none_does(stores: Any) -> None:
    rotation = a_rotation(stores.keys, FakeClock())
    announced = await rotation.rotate(caller=SYSTEM)
    await rotation.ensure_keys()
    assert rotation.ring.signing.kid == announced.kid


# -- on schedule ------------------------------------------------------------------------------


async def test_a_key_is_announced_then_signs_then_is_retired_then_is_gone(stores: Any) -> None:
    clock = FakeClock()
    rotation = a_rotation(stores.keys, clock)
    await rotation.ensure_keys()
    first = rotation.ring.signing.kid

    clock.advance(POLICY.interval - POLICY.announce_before - 1)
    await rotation.tick()
    assert await _states(stores) == {"active": 1}
    clock.advance(1)
    await rotation.tick()
    assert await _states(stores) == {"active": 1, "announced": 1}
    assert rotation.ring.signing.kid == first

    clock.advance(POLICY.announce_before - 1)
    await rotation.tick()
    assert rotation.ring.signing.kid == first
    clock.advance(1)
    await rotation.tick()
    second = rotation.ring.signing.kid
    assert second != first
    assert await _states(stores) == {"active": 1, "retired": 1}

    clock.advance(POLICY.published_after_retirement - 1)
    await rotation.tick()
    assert rotation.ring.public(first) is not None
    clock.advance(1)
    await rotation.tick()
    assert [key.kid for key in await stores.keys.all()] == [second]
    assert [event[0] for event in await _events(stores)] == ["key.activated", "key.announced", "key.activated"]


async def test_a_server_that_slept_through_the_date_still_announces_before_it_signs(stores: Any) -> None:
    clock = FakeClock()
    rotation = a_rotation(stores.keys, clock)
    await rotation.ensure_keys()
    first = rotation.ring.signing.kid
    clock.advance(3 * POLICY.interval)
    await rotation.tick()
    await rotation.tick()
    assert rotation.ring.signing.kid == first
    clock.advance(POLICY.announce_before)
    await rotation.tick()
    assert rotation.ring.signing.kid != first


async def test_a_tick_with_nothing_due_asks_the_database_nothing(stores: Any) -> None:
    rotation = a_rotation(stores.keys, FakeClock())
    await rotation.ensure_keys()
    counting = CountingKeys(stores.keys)
    rotation.ring._store = counting  # type: ignore[assignment]  # stands in for the store
    for _ in range(10):
        await rotation.tick()
    assert counting.readings == 0


async def test_an_instance_that_is_behind_does_not_rotate_twice(stores: Any) -> None:
    clock = FakeClock()
    ahead, behind = a_rotation(stores.keys, clock), a_rotation(stores.keys, clock)
    await ahead.ensure_keys()
    await behind.ring.load()
    clock.advance(POLICY.interval - POLICY.announce_before)
    await ahead.tick()
    clock.advance(POLICY.announce_before)
    await ahead.tick()
    await behind.tick()
    assert await _states(stores) == {"active": 1, "retired": 1}
    assert behind.ring.signing.kid == ahead.ring.signing.kid


async def test_a_year_of_two_racing_instances_never_has_two_signers_nor_a_key_unannounced(
    stores: Any, elsewhere: SqlKeys
) -> None:
    clock = FakeClock()
    instances = [a_rotation(stores.keys, clock), a_rotation(elsewhere, clock)]
    await asyncio.gather(*(instance.ensure_keys() for instance in instances))
    seen: dict[str, int] = {}
    signers = [instances[0].ring.signing.kid]
    for _ in range(100):
        clock.advance(POLICY.announce_before * 4)
        await asyncio.gather(*(instance.tick() for instance in instances))
        for key in await stores.keys.all():
            seen.setdefault(key.kid, clock())
        assert (await _states(stores))["active"] == 1
        kid = instances[0].ring.signing.kid
        if kid != signers[-1]:
            assert clock() - seen[kid] >= POLICY.announce_before
            signers.append(kid)
    assert len(signers) == 5
    assert len(await stores.keys.all()) <= 3


# -- two instances race -----------------------------------------------------------------------


async def _two_instances(stores: Any, elsewhere: SqlKeys, clock: FakeClock) -> list[KeyRotation]:
    instances = [a_rotation(stores.keys, clock), a_rotation(elsewhere, clock)]
    await instances[0].ensure_keys()
    await instances[1].ring.load()
    return instances


async def test_of_two_instances_that_announce_at_once_one_does(stores: Any, elsewhere: SqlKeys) -> None:
    clock = FakeClock()
    instances = await _two_instances(stores, elsewhere, clock)
    clock.advance(POLICY.interval - POLICY.announce_before)
    await asyncio.gather(*(instance.tick() for instance in instances))
    assert await _states(stores) == {"active": 1, "announced": 1}
    assert instances[0].ring.jwks.etag == instances[1].ring.jwks.etag


async def test_of_two_instances_that_activate_at_once_one_does(stores: Any, elsewhere: SqlKeys) -> None:
    clock = FakeClock()
    instances = await _two_instances(stores, elsewhere, clock)
    clock.advance(POLICY.interval - POLICY.announce_before)
    await instances[0].tick()
    await instances[1].ring.load()
    clock.advance(POLICY.announce_before)
    await asyncio.gather(*(instance.tick() for instance in instances))
    assert await _states(stores) == {"active": 1, "retired": 1}
    assert [event[0] for event in await _events(stores)].count("key.activated") == 2  # the first key's, and this
    assert instances[0].ring.signing.kid == instances[1].ring.signing.kid


async def test_of_many_who_withdraw_a_key_at_once_one_does_it_and_its_successor_stays(
    stores: Any, elsewhere: SqlKeys
) -> None:
    clock = FakeClock()
    first, *_ = instances = [a_rotation(keys, clock) for keys in (stores.keys, elsewhere) for _ in range(3)]
    await first.ensure_keys()
    for instance in instances:
        await instance.ring.load()
    leaked = first.ring.signing.kid
    withdrawn = await asyncio.gather(
        *(instance.withdraw(leaked, caller=OPERATOR, reason="leak") for instance in instances)
    )
    assert withdrawn.count(True) == 1
    assert await _states(stores) == {"active": 1, "revoked": 1}


# -- by hand ----------------------------------------------------------------------------------


async def test_a_rotation_by_hand_announces_first(stores: Any) -> None:
    clock = FakeClock()
    rotation = a_rotation(stores.keys, clock)
    await rotation.ensure_keys()
    clock.advance(DAY)
    announced = await rotation.rotate(caller=OPERATOR, reason="new year")
    assert (announced.state, announced.active_at) == ("announced", NOON + DAY + POLICY.announce_before)
    assert (await _events(stores))[-1] == ("key.announced", "cli", announced.kid)


async def test_a_second_rotation_by_hand_finds_the_key_of_the_first(stores: Any) -> None:
    rotation = a_rotation(stores.keys, FakeClock())
    await rotation.ensure_keys()
    assert await rotation.rotate(caller=OPERATOR) == await rotation.rotate(caller=OPERATOR)


async def test_a_rotation_at_once_leaves_the_old_key_published_for_its_tokens(stores: Any) -> None:
    clock = FakeClock()
    rotation = a_rotation(stores.keys, clock)
    await rotation.ensure_keys()
    old = rotation.ring.signing.kid
    announced = await rotation.rotate(caller=OPERATOR)
    signing = await rotation.rotate(now=True, caller=OPERATOR)
    assert (signing.kid, signing.state, signing.active_at) == (announced.kid, "active", NOON)
    assert rotation.ring.signing.kid == signing.kid
    retired = next(key for key in await stores.keys.all() if key.kid == old)
    assert (retired.state, retired.retired_at) == ("retired", NOON)
    assert retired.remove_at == NOON + POLICY.published_after_retirement


async def test_an_emergency_withdraws_the_old_key_and_the_announced_one(stores: Any) -> None:
    """Both lay in the same place: whoever got at one has the other."""
    rotation = a_rotation(stores.keys, FakeClock())
    await rotation.ensure_keys()
    old = rotation.ring.signing.kid
    announced = await rotation.rotate(caller=OPERATOR)
    assert await rotation.withdraw(old, caller=OPERATOR, reason="laptop stolen")
    signing = rotation.ring.signing
    by_kid = {key.kid: key for key in await stores.keys.all()}
    assert signing.kid not in (old, announced.kid)
    assert {kid: key.state for kid, key in by_kid.items()} == {
        old: "revoked",
        announced.kid: "revoked",
        signing.kid: "active",
    }
    assert by_kid[old].revoked_at == NOON
    assert rotation.ring.public(old) is None
    assert rotation.ring.public(announced.kid) is None


async def test_an_emergency_is_in_the_revocation_log_and_the_audit_log(stores: Any) -> None:
    rotation = a_rotation(stores.keys, FakeClock())
    await rotation.ensure_keys()
    old = rotation.ring.signing.kid
    await rotation.withdraw(old, caller=OPERATOR, reason="laptop stolen")
    entries = await stores.revocations.outbox(after=0, limit=10)
    assert [(entry.kind, entry.value) for entry in entries] == [("kid", old)]
    (event,) = (await stores.audit.list(PageRequest(limit=2), AuditFilter(type="key.revoked"))).items
    assert event.actor == "cli"
    assert event.detail == {"kid": old, "replaced_by": rotation.ring.signing.kid, "reason": "laptop stolen"}


async def test_a_step_that_another_instance_was_first_to_is_a_conflict(stores: Any, elsewhere: SqlKeys) -> None:
    clock = FakeClock()
    instances = await _two_instances(stores, elsewhere, clock)
    announced = await instances[0].rotate(caller=OPERATOR)
    await instances[0].rotate(now=True, caller=OPERATOR)
    with pytest.raises(Conflict):
        await instances[1]._activate_at_once(replace(announced), OPERATOR, "")
    assert await _states(stores) == {"active": 1, "retired": 1}


async def test_the_event_loop_goes_on_while_a_key_is_made(stores: Any) -> None:
    rotation = a_rotation(stores.keys, FakeClock(), policy=replace(POLICY, bits=4096))
    making = asyncio.create_task(rotation.ensure_keys())
    turns = 0
    while not making.done():
        await asyncio.sleep(0.005)
        turns += 1
    await making
    assert turns > 5
    assert rotation.ring.signing.private.key_size == 4096


async def test_keys_made_long_ago_under_other_sizes_still_verify(stores: Any) -> None:
    clock = FakeClock()
    await a_rotation(stores.keys, clock).ensure_keys()
    larger = a_rotation(stores.keys, clock, policy=replace(POLICY, bits=3072, access_token_ttl=MINUTE))
    await larger.ensure_keys()
    old = larger.ring.signing
    await larger.rotate(now=True, caller=OPERATOR)
    assert (old.private.key_size, larger.ring.signing.private.key_size) == (2048, 3072)
    assert larger.ring.public(old.kid) is not None
