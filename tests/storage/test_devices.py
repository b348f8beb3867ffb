"""DeviceStore: a device waits, somebody decides, the device gets its family once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from authserver.model.authorization import DeviceRequest
from authserver.model.grant import Confirmation
from authserver.model.page import PageRequest
from authserver.model.time import SECOND
from authserver.storage.interface import AuditFilter, Redeemed
from tests.storage.builders import NOW, a_device, a_grantor, a_session, a_user, an_event, digest, first_families
from tests.storage.conftest import World


async def waiting(world: World, **changes: Any) -> DeviceRequest:
    device = a_device(world.client, **changes)
    assert await world.stores.devices.add(device)
    return device


async def poll(world: World, device: DeviceRequest, at: int = NOW, client_id: str | None = None) -> Any:
    return await world.stores.devices.poll(device.handle_hash, client_id or world.client.id, now=at)


async def decide(world: World, device: DeviceRequest, approved: bool = True, at: int = NOW) -> bool:
    session = await world.browser()
    event = an_event(type="device.decided")
    return await world.stores.devices.decide(
        device.handle_hash, grantor=a_grantor(session), approved=approved, now=at, event=event
    )


async def test_a_request_comes_back_as_it_was_while_it_is_pending(world: World) -> None:
    device = await waiting(
        world,
        scope_asked=("read", "x"),
        authorization_details=({"type": "t", "actions": ["a"]},),
        confirmation=Confirmation("x5t#S256", "thumb"),
        interval=7,
    )
    find = world.stores.devices.by_user_code
    assert await find(device.user_code_hash, now=device.expires_at - 1) == device
    assert await find(device.user_code_hash, now=device.expires_at) is None
    assert await find(digest("another"), now=NOW) is None
    await decide(world, device)
    assert await find(device.user_code_hash, now=NOW) is None


async def test_a_user_code_that_is_taken_is_not_given_twice(world: World) -> None:
    device = await waiting(world)
    assert not await world.stores.devices.add(a_device(world.client, user_code_hash=device.user_code_hash))
    assert await world.stores.devices.by_user_code(device.user_code_hash, now=NOW) == device


async def test_a_poll_within_the_interval_slows_it_down_for_good(world: World) -> None:
    device = await waiting(world)
    times = [(0, "pending"), (4999, "slow_down"), (4999 + 9999, "slow_down"), (4999 + 9999 + 15_000, "pending")]
    assert [(after, await poll(world, device, NOW + after)) for after, _ in times] == times
    (row,) = await world.sql('SELECT "interval", polled_at FROM device_requests')
    assert (row.interval, row.polled_at) == (15, NOW + times[-1][0])


async def test_polls_that_keep_to_the_interval_are_never_slowed_down(world: World) -> None:
    device = await waiting(world)
    assert {await poll(world, device, NOW + n * 5 * SECOND) for n in range(6)} == {"pending"}


async def test_another_clients_poll_is_unknown_and_counts_as_none(world: World) -> None:
    device = await waiting(world)
    assert await poll(world, device, client_id="other") is None
    assert await poll(world, replace(device, handle_hash=digest("x"))) is None
    assert await poll(world, device) == "pending"


async def test_an_approved_request_is_returned_also_to_a_poll_that_came_too_soon(world: World) -> None:
    device = await waiting(world)
    await poll(world, device)
    assert await decide(world, device)
    found = await poll(world, device, NOW + 1)
    assert isinstance(found, DeviceRequest)
    assert found.state == "approved"
    assert found.grantor is not None
    assert (found.grantor.user_id, found.grantor.amr, found.interval) == (world.user.id, ("pwd",), 5)


async def test_a_denied_request_says_so_and_stays_denied(world: World) -> None:
    device = await waiting(world)
    assert await decide(world, device, approved=False)
    assert not await decide(world, device, approved=True)
    assert await poll(world, device) == "denied"
    events = await world.stores.audit.list(PageRequest(), AuditFilter(type="device.decided"))
    assert len(events.items) == 1


@pytest.mark.parametrize("approved", [True, False])
async def test_an_expired_request_says_so_and_cannot_be_decided(world: World, approved: bool) -> None:
    device = await waiting(world)
    assert not await decide(world, device, approved=approved, at=device.expires_at)
    assert await poll(world, device, device.expires_at) == "expired"


async def test_a_request_that_was_approved_in_time_and_fetched_too_late_is_expired(world: World) -> None:
    device = await waiting(world)
    await decide(world, device)
    assert await poll(world, device, device.expires_at) == "expired"


async def approved(world: World) -> tuple[DeviceRequest, Any]:
    device = await waiting(world)
    session = await world.browser()
    await world.stores.devices.decide(
        device.handle_hash, grantor=a_grantor(session), approved=True, now=NOW, event=an_event()
    )
    return device, first_families(session, world.client, device.family_id)


async def redeem(world: World, device: DeviceRequest, first: Any, at: int = NOW + 1) -> Any:
    return await world.stores.devices.redeem(device.handle_hash, at=at, first=first, event=an_event())


async def test_an_approved_request_gives_its_family_once(world: World) -> None:
    device, first = await approved(world)
    assert await redeem(world, device, first) == Redeemed((0, 0, 0), None)
    assert await world.is_alive(first.family)
    assert await redeem(world, device, first) == "spent"
    assert await poll(world, device) == "spent"


async def test_a_request_that_is_not_approved_or_late_or_for_another_family_gives_none(world: World) -> None:
    pending = await waiting(world)
    mine = first_families(await world.browser(), world.client, pending.family_id)
    assert await redeem(world, pending, mine) == "expired"
    device, first = await approved(world)
    assert await redeem(world, device, first, at=device.expires_at) == "expired"
    stranger = first_families(a_session(a_user()), world.client, device.family_id)
    assert await redeem(world, device, stranger) == "expired"
    assert await world.sql("SELECT id FROM families") == []


async def test_an_approval_whose_session_ended_is_over_and_spent(world: World) -> None:
    device, first = await approved(world)
    await world.stores.sessions.end(first.family.session_id, at=NOW, reason="x", event=an_event())
    assert await redeem(world, device, first) == "over"
    assert await poll(world, device) == "spent"
