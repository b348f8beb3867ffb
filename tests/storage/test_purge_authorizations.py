"""What the authorization endpoint leaves behind goes when nobody can ask for it any more."""

from __future__ import annotations

from authserver.model.session import Session
from authserver.model.time import DAY, HOUR, MINUTE
from tests.storage.builders import (
    NOW,
    a_client,
    a_code,
    a_consent,
    a_device,
    a_grantor,
    a_pushed_request,
    a_reference_token,
    an_event,
    an_initial_token,
    first_families,
    with_offline,
)
from tests.storage.conftest import World
from tests.storage.test_purge import KEEP, purge, rows

SLACK = 2 * MINUTE
"""More than clocks differ."""


async def left(world: World, table: str, at: int) -> int:
    await purge(world, at)
    return await rows(world, table)


async def test_a_code_nobody_redeemed_goes_soon_and_a_redeemed_one_when_what_it_gave_has_ended(world: World) -> None:
    session, store = await world.browser(), world.stores.authorizations
    unused, plain, offline = (a_code(session, world.client) for _ in range(3))
    for code in (unused, plain, offline):
        await store.add_code(code, pushed=None, event=an_event())
    first = {code.family_id: first_families(session, world.client, code.family_id) for code in (plain, offline)}
    first[offline.family_id] = with_offline(first[offline.family_id], world.user, world.client)
    for code in (plain, offline):
        await store.redeem(code.handle_hash, at=NOW, first=first[code.family_id], event=an_event())
    kept = [await left(world, "authorization_codes", at) for at in (NOW + MINUTE, NOW + MINUTE + SLACK)]
    kept += [await left(world, "authorization_codes", at) for at in (NOW + DAY, NOW + DAY + SLACK)]
    kept += [await left(world, "authorization_codes", at) for at in (NOW + 30 * DAY, NOW + 30 * DAY + SLACK)]
    assert kept == [3, 2, 2, 1, 1, 0]


async def test_pushed_requests_used_values_and_opaque_tokens_go_when_they_expire(world: World) -> None:
    end = NOW + 5 * MINUTE
    await world.stores.authorizations.push(a_pushed_request(world.client, expires_at=end))
    await world.stores.once.use("p", "v", expires_at=end, now=NOW)
    await world.stores.references.add(a_reference_token(expires_at=end))
    tables = ("pushed_requests", "used_once", "reference_tokens")
    await purge(world, end)
    assert [await rows(world, table) for table in tables] == [1, 1, 1]
    await purge(world, end + SLACK)
    assert [await rows(world, table) for table in tables] == [0, 0, 0]


async def test_a_device_may_ask_for_an_hour_why_it_waited_in_vain(world: World) -> None:
    device = a_device(world.client)
    await world.stores.devices.add(device)
    end = device.expires_at
    assert [await left(world, "device_requests", at) for at in (end + HOUR, end + HOUR + 1)] == [1, 0]


async def test_consents_stay_until_they_are_withdrawn(world: World) -> None:
    await world.stores.consents.grant(a_consent(world.user, world.client), event=an_event())
    assert await left(world, "consents", NOW + 1000 * DAY) == 1


async def test_initial_tokens_can_be_looked_at_for_a_while_after_they_were_good(world: World) -> None:
    tokens = [an_initial_token(), an_initial_token(uses_left=0), an_initial_token(expires_at=NOW)]
    for token in tokens:
        await world.stores.registrations.add_initial_token(token, event=an_event())
    late = NOW + KEEP.keep_dead
    assert await left(world, "initial_access_tokens", late) == 3
    await purge(world, late + DAY)
    assert list(await world.stores.registrations.initial_tokens()) == tokens[:1]


async def test_log_outs_that_nobody_tells_go_in_the_end(world: World) -> None:
    client = a_client(backchannel_logout_uri="https://rp.example/bye")
    await world.stores.clients.add(client, event=an_event())
    for expanded in (True, False):
        session = await world.browser()
        family = first_families(session, client, a_code(session, client).family_id).family
        await world.stores.sessions.add_family(family, event=None)
        await world.stores.sessions.end(session.id, at=NOW, reason="x", event=an_event())
        if expanded:
            await world.stores.logouts.expand(limit=9, now=NOW)
    assert await world.stores.logouts.waiting() == 2
    await purge(world, NOW + KEEP.keep_dead)
    assert await world.stores.logouts.waiting() == 2
    await world.sql("DELETE FROM sessions")  # or this purge would note more of them, by the database's own clock
    await purge(world, NOW + KEEP.keep_dead + 1)
    assert await rows(world, "logout_deliveries") == 0


async def test_a_removed_user_leaves_no_consent_code_or_device(world: World) -> None:
    await _everything(world)
    await world.stores.users.remove(world.user.id, at=NOW, event=an_event())
    rest = {table: await rows(world, table) for table in ("consents", "authorization_codes", "device_requests")}
    assert rest == {"consents": 0, "authorization_codes": 0, "device_requests": 1}  # that nobody has looked at


async def test_a_removed_client_leaves_nothing_that_one_of_the_same_name_could_use(world: World) -> None:
    session = await _everything(world)
    spent = a_code(session, world.client)
    await world.stores.authorizations.add_code(spent, pushed=None, event=an_event())
    first = first_families(session, world.client, spent.family_id)
    await world.stores.authorizations.redeem(spent.handle_hash, at=NOW, first=first, event=an_event())
    await world.stores.clients.remove(world.client.id, at=NOW, event=an_event())
    for table in ("consents", "device_requests", "pushed_requests"):
        assert await rows(world, table) == 0
    known = await world.sql("SELECT spent_at FROM authorization_codes")
    assert [row.spent_at for row in known] == [NOW]  # still known for spent


async def _everything(world: World) -> Session:
    session, stores = await world.browser(), world.stores
    await stores.consents.grant(a_consent(world.user, world.client), event=an_event())
    await stores.authorizations.add_code(a_code(session, world.client), pushed=None, event=an_event())
    await stores.authorizations.push(a_pushed_request(world.client))
    decided, waiting = a_device(world.client), a_device(world.client)
    for device in (decided, waiting):
        await stores.devices.add(device)
    await stores.devices.decide(
        decided.handle_hash, grantor=a_grantor(session), approved=True, now=NOW, event=an_event()
    )
    return session
