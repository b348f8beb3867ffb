"""Refresh tokens that are worth nothing without a key (RFC 9449 section 5): whoever has not got it moves nothing."""

from __future__ import annotations

import pytest

from authserver.model.grant import Family
from authserver.model.page import PageRequest
from authserver.model.time import MINUTE
from authserver.storage.interface import AuditFilter, Rotated, RotationRefused
from tests.storage.builders import NOW, an_event
from tests.storage.conftest import World

KEY = "jkt:the-key"
OTHERS = [None, "jkt:another", "x5t#S256:the-key", ""]


async def bound(world: World) -> Family:
    _, family = await world.login(bound_to=KEY)
    return family


@pytest.mark.parametrize("rotate", [True, False])
async def test_a_bound_family_moves_on_with_its_key_as_any_other(world: World, rotate: bool) -> None:
    family = await bound(world)
    moved = await world.rotate(family, "s0", "s1", bound_to=KEY, rotate=rotate)
    assert isinstance(moved, Rotated)
    assert moved.result == ("rotated" if rotate else "unchanged")
    assert moved.family.bound_to == KEY


@pytest.mark.parametrize("rotate", [True, False])
@pytest.mark.parametrize("key", OTHERS)
async def test_without_its_key_nothing_is_written_whatever_token_is_shown(
    world: World, key: str | None, rotate: bool
) -> None:
    family = await bound(world)
    for step in range(3):
        await world.rotate(family, f"s{step}", f"s{step + 1}", bound_to=KEY)
    before = await world.stores.families.get(family.id)
    for shown in ("s3", "s2", "s1", "s0"):
        for later in (1, 5 * MINUTE):
            refused = await world.rotate(family, shown, "x", bound_to=key, rotate=rotate, now=NOW + later)
            assert refused == RotationRefused("key", before)
    assert await world.stores.families.get(family.id) == before
    assert await world.entries() == []
    events = await world.stores.audit.list(PageRequest(), AuditFilter(type="family.reused"))
    assert events.items == ()


async def test_a_stale_token_with_the_key_is_reuse_as_ever(world: World) -> None:
    family = await bound(world)
    for step in range(2):
        await world.rotate(family, f"s{step}", f"s{step + 1}", bound_to=KEY)
    refused = await world.rotate(family, "s0", "x", bound_to=KEY)
    assert isinstance(refused, RotationRefused)
    assert refused.reason == "reused"
    assert not await world.is_alive(family)


@pytest.mark.parametrize("key", OTHERS)
async def test_a_family_that_is_not_bound_asks_for_no_key(world: World, key: str | None) -> None:
    _, family = await world.login()
    rotated = await world.rotate(family, "s0", "s1", bound_to=key)
    assert isinstance(rotated, Rotated)
    assert rotated.result == "rotated"


async def test_who_has_not_got_the_key_does_not_hear_why_a_family_ended(world: World) -> None:
    family = await bound(world)
    await world.stores.sessions.end(family.session_id, at=NOW, reason="x", event=an_event())
    answers = [await world.rotate(family, "s0", "s1", bound_to=key) for key in (None, KEY)]
    assert [answer.reason for answer in answers if isinstance(answer, RotationRefused)] == ["key", "session_ended"]


async def test_another_clients_bound_family_is_unknown(world: World) -> None:
    family = await bound(world)
    assert await world.rotate(family, "s0", "s1", client_id="other") == RotationRefused("unknown")
