"""FamilyStore: the life of a refresh-token family."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authserver.model.page import PageRequest
from authserver.model.time import DAY, HOUR, MINUTE
from authserver.storage.interface import AuditFilter, Rotated, RotationRefused
from tests.storage.builders import GRACE, NOW, an_event, digest
from tests.storage.conftest import World


async def test_a_rotation_trades_the_current_secret_for_the_next(world: World) -> None:
    _, family = await world.login()
    rotated = await world.rotate(family, "s0", "s1", now=NOW + 5)
    expected = replace(
        family,
        generation=1,
        prev_hash=digest("s0"),
        cur_hash=digest("s1"),
        salt=b"salt-s1",
        rotated_at=NOW + 5,
        idle_until=NOW + 5 + HOUR,
    )
    assert rotated == Rotated(expected, "rotated")
    assert await world.stores.families.get(family.id) == expected


async def test_the_parent_gets_the_same_successor_within_the_grace(world: World) -> None:
    _, family = await world.login()
    first = await world.rotate(family, "s0", "s1", now=NOW)
    retry = await world.rotate(family, "s0", "other", now=NOW + GRACE - 1)
    assert isinstance(first, Rotated)
    assert retry == Rotated(first.family, "retry")


async def test_the_parent_after_the_grace_is_reuse(world: World) -> None:
    _, family = await world.login()
    await world.rotate(family, "s0", "s1", now=NOW)
    assert reason(await world.rotate(family, "s0", "other", now=NOW + GRACE)) == "reused"


async def test_a_grandparent_is_reuse_and_ends_this_family_only(world: World) -> None:
    session = await world.browser()
    family, sibling = await world.family_of(session), await world.family_of(session)
    await world.rotate(family, "s0", "s1")
    await world.rotate(family, "s1", "s2")
    refused = await world.rotate(family, "s0", "x", now=NOW + 7)
    assert reason(refused) == "reused"
    stored = await world.stores.families.get(family.id)
    assert stored == refused.family
    assert stored is not None
    assert (stored.dead_at, stored.dead_reason) == (NOW + 7, "reused")
    assert await world.entries() == [("sid", family.id, 0)]
    assert [await world.is_alive(each) for each in (family, sibling)] == [False, True]
    events = await world.stores.audit.list(PageRequest(), AuditFilter(type="family.reused"))
    assert len(events.items) == 1


async def test_after_reuse_the_current_secret_gets_no_grace_and_there_is_one_event(world: World) -> None:
    _, family = await world.login()
    for step in range(3):
        await world.rotate(family, f"s{step}", f"s{step + 1}")
    answers = [reason(await world.rotate(family, secret, "x")) for secret in ("s0", "s3", "s2", "s0")]
    assert answers == ["reused"] * 4
    events = await world.stores.audit.list(PageRequest(), AuditFilter(type="family.reused"))
    assert (len(events.items), len(await world.entries())) == (1, 1)


async def test_the_same_rotation_asked_again_after_a_lost_answer_is_still_rotated_even_without_grace(
    world: World,
) -> None:
    _, family = await world.login()
    first = await world.rotate(family, "s0", "s1", grace=0)
    assert await world.rotate(family, "s0", "s1", grace=0) == first


async def test_another_clients_family_is_unknown_and_unharmed(world: World) -> None:
    _, family = await world.login()
    await world.rotate(family, "s0", "s1")
    await world.rotate(family, "s1", "s2")
    for secret in ("s0", "s2"):
        assert await world.rotate(family, secret, "x", client_id="other") == RotationRefused("unknown")
    assert await world.is_alive(family)


async def test_an_unknown_family_is_unknown(world: World) -> None:
    _, family = await world.login()
    assert await world.rotate(replace(family, id="ghost"), "s0", "s1") == RotationRefused("unknown")


@pytest.mark.parametrize("target", ["family", "user", "client", "all"])
async def test_a_revoked_family_does_not_rotate_and_says_so(world: World, target: str) -> None:
    _, family = await world.login()
    await world.rotate(family, "s0", "s1", now=NOW + 1)
    values = {"family": family.id, "user": world.user.id, "client": world.client.id, "all": ""}
    await world.revoke(target, values[target])
    for secret in ("s1", "s0", "an older one"):
        assert reason(await world.rotate(family, secret, "x", now=NOW + 6)) == "revoked"


async def test_a_family_whose_session_ended_says_so(world: World) -> None:
    session, family = await world.login()
    await world.stores.sessions.end(session.id, at=NOW, reason="logout", event=an_event())
    assert reason(await world.rotate(family, "s0", "s1")) == "session_ended"


@pytest.mark.parametrize("deadline", [{"idle_until": NOW + 100}, {"abs_until": NOW + 100}])
async def test_an_expired_family_says_so_and_old_secrets_no_longer_matter(
    world: World, deadline: dict[str, int]
) -> None:
    _, family = await world.login(**deadline)
    assert reason(await world.rotate(family, "s0", "s1", now=NOW + 100)) == "expired"
    assert reason(await world.rotate(family, "stale", "s1", now=NOW + 100)) == "expired"
    assert await world.entries() == []


async def test_a_session_past_its_absolute_end_stops_its_families(world: World) -> None:
    session = await world.browser(abs_until=NOW + 100)
    family = await world.family_of(session)
    assert not await world.is_alive(family, at=NOW + 100)
    assert reason(await world.rotate(family, "s0", "s1", now=NOW + 100)) == "expired"


async def test_the_idle_end_slides_up_to_the_absolute_one_which_never_moves(world: World) -> None:
    _, family = await world.login(idle_until=NOW + HOUR, abs_until=NOW + HOUR + MINUTE)
    rotated = await world.rotate(family, "s0", "s1", now=NOW + 30 * MINUTE, idle=DAY)
    assert isinstance(rotated, Rotated)
    assert (rotated.family.idle_until, rotated.family.abs_until) == (NOW + HOUR + MINUTE, NOW + HOUR + MINUTE)


async def test_without_rotation_nothing_moves_but_the_idle_end_and_that_lazily(world: World) -> None:
    _, family = await world.login()
    soon = await world.rotate(family, "s0", "s1", rotate=False, now=NOW + MINUTE - 1)
    assert soon == Rotated(family, "unchanged")
    later = await world.rotate(family, "s0", "s1", rotate=False, now=NOW + MINUTE)
    assert later == Rotated(replace(family, idle_until=NOW + MINUTE + HOUR), "unchanged")


async def test_without_rotation_the_parent_is_a_retry_within_the_grace_and_then_reuse(world: World) -> None:
    _, family = await world.login()
    rotated = await world.rotate(family, "s0", "s1", now=NOW)
    assert isinstance(rotated, Rotated)
    assert await world.rotate(family, "s0", "x", rotate=False, now=NOW + 1) == Rotated(rotated.family, "retry")
    assert reason(await world.rotate(family, "s0", "x", rotate=False, now=NOW + GRACE)) == "reused"


async def test_ending_a_family_needs_its_client_and_is_idempotent(world: World) -> None:
    _, family = await world.login()
    families = world.stores.families

    async def end(client_id: str | None) -> tuple[bool, bool, int]:
        outcome = await families.end(family.id, client_id=client_id, at=NOW + 1, reason="x", event=an_event())
        return outcome.found, outcome.changed, outcome.families

    assert await end("other") == (False, False, 0)
    assert await world.is_alive(family)
    assert await end(world.client.id) == (True, True, 1)
    assert await end(None) == (True, False, 0)
    assert await world.entries() == [("sid", family.id, 0)]


def reason(answer: Rotated | RotationRefused) -> str:
    assert isinstance(answer, RotationRefused), answer
    return answer.reason
