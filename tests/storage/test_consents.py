"""ConsentStore: what users have allowed clients, until they take it back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from authserver.model.client import Client
from authserver.model.page import PageRequest
from authserver.storage.interface import AuditFilter
from tests.storage.builders import (
    NOW,
    a_client,
    a_code,
    a_consent,
    a_device,
    a_family,
    a_grantor,
    a_session,
    a_user,
    an_event,
    first_families,
)
from tests.storage.conftest import World


async def withdraw(world: World, client_id: str | None = None) -> tuple[bool, bool, int | None, int | None]:
    event = an_event(type="consent.withdrawn")
    outcome = await world.stores.consents.withdraw(world.user.id, client_id or world.client.id, at=NOW + 5, event=event)
    return outcome.found, outcome.changed, outcome.sessions, outcome.families


async def another_client(world: World) -> Client:
    client = a_client()
    await world.stores.clients.add(client, event=an_event())
    return client


async def test_a_consent_comes_back_as_it_was_given(world: World) -> None:
    consent = a_consent(world.user, world.client, authorization_details=({"type": "t", "x": [1]},))
    await world.stores.consents.grant(consent, event=an_event())
    assert await world.stores.consents.get(world.user.id, world.client.id) == consent
    assert await world.stores.consents.get(world.user.id, "other") is None


async def test_what_is_allowed_later_adds_to_what_was_allowed_before(world: World) -> None:
    first = a_consent(world.user, world.client, authorization_details=({"type": "t"},))
    more = replace(
        first,
        scope=("write", "read"),
        resources=("https://b.example",),
        authorization_details=({"type": "t"}, {"type": "u"}),
        granted_at=NOW + 9,
        updated_at=NOW + 9,
    )
    for consent in (first, more, replace(first, updated_at=NOW + 3)):
        await world.stores.consents.grant(consent, event=an_event())
    assert await world.stores.consents.get(world.user.id, world.client.id) == replace(
        first,
        scope=("read", "write"),
        resources=("https://api.example", "https://b.example"),
        authorization_details=({"type": "t"}, {"type": "u"}),
        updated_at=NOW + 9,
    )


async def test_of_consents_given_at_once_none_is_lost(world: World) -> None:
    scopes = [f"scope-{n}" for n in range(12)]
    await asyncio.gather(
        *(
            world.stores.consents.grant(a_consent(world.user, world.client, scope=(scope,)), event=an_event())
            for scope in scopes
        )
    )
    stored = await world.stores.consents.get(world.user.id, world.client.id)
    assert stored is not None
    assert sorted(stored.scope) == sorted(scopes)


async def test_the_consents_of_a_user_come_by_client(world: World) -> None:
    clients = [await another_client(world) for _ in range(3)]
    other = a_user()
    await world.stores.users.add(other, event=an_event())
    for user, client in [(world.user, client) for client in reversed(clients)] + [(other, clients[0])]:
        await world.stores.consents.grant(a_consent(user, client), event=an_event())
    found = await world.stores.consents.of_user(world.user.id)
    assert [consent.client_id for consent in found] == sorted(client.id for client in clients)


async def test_nothing_is_kept_for_a_user_or_a_client_that_is_not_there(world: World) -> None:
    for user, client in ((a_user(), world.client), (world.user, a_client())):
        await world.stores.consents.grant(a_consent(user, client), event=an_event())
    assert await world.sql("SELECT 1 FROM consents") == []


async def test_a_withdrawal_ends_every_family_of_user_and_client_and_no_other(world: World) -> None:
    other = await another_client(world)
    browser = await world.browser()
    mine, offline = await world.family_of(browser), (await world.login())[1]
    theirs = a_family(browser, other)
    await world.stores.sessions.add_family(theirs, event=None)
    for client in (world.client, other):
        await world.stores.consents.grant(a_consent(world.user, client), event=an_event())
    assert await withdraw(world) == (True, True, 1, 2)
    assert [await world.is_alive(family) for family in (mine, offline, theirs)] == [False, False, True]
    assert sorted(await world.entries()) == sorted([("sid", mine.id, 0), ("sid", offline.id, 0)])
    assert await world.stores.sessions.get(browser.id, now=NOW + 6) is not None
    assert await world.stores.sessions.get(offline.session_id, now=NOW + 6) is None
    assert [c.client_id for c in await world.stores.consents.of_user(world.user.id)] == [other.id]
    assert await withdraw(world) == (True, False, 0, 0)
    events = await world.stores.audit.list(PageRequest(), AuditFilter(type="consent.withdrawn"))
    assert len(events.items) == 1


async def test_a_session_without_a_browser_lives_on_through_another_clients_family(world: World) -> None:
    other = await another_client(world)
    session, mine = await world.login()
    theirs = a_family(session, other)
    await world.stores.sessions.add_family(theirs, event=None)
    assert await withdraw(world) == (True, True, 0, 1)
    assert [await world.is_alive(family) for family in (mine, theirs)] == [False, True]


async def test_the_outcome_names_the_last_entry(world: World) -> None:
    session = await world.browser()
    for _ in range(3):
        await world.family_of(session)
    outcome = await world.stores.consents.withdraw(world.user.id, world.client.id, at=NOW + 5, event=an_event())
    assert outcome.outbox_id == (await world.outbox())[-1].id


async def test_other_users_keep_what_they_have(world: World) -> None:
    user = a_user()
    await world.stores.users.add(user, event=an_event())
    session = a_session(user)
    await world.stores.sessions.begin(session, None, password_hash=None, event=an_event())
    family = a_family(session, world.client)
    await world.stores.sessions.add_family(family, event=None)
    await world.stores.consents.grant(a_consent(user, world.client), event=an_event())
    assert await withdraw(world) == (False, False, 0, 0)
    assert await world.is_alive(family)
    assert await world.stores.consents.get(user.id, world.client.id) is not None


async def test_a_consent_without_families_is_withdrawn_too(world: World) -> None:
    await world.stores.consents.grant(a_consent(world.user, world.client), event=an_event())
    assert await withdraw(world) == (True, True, 0, 0)
    assert await world.stores.consents.get(world.user.id, world.client.id) is None


async def test_codes_and_devices_that_were_approved_before_give_nothing_after(world: World) -> None:
    session, stores = await world.browser(), world.stores
    code, device, unasked = a_code(session, world.client), a_device(world.client), a_device(world.client)
    await stores.authorizations.add_code(code, pushed=None, event=an_event())
    for each in (device, unasked):
        await stores.devices.add(each)
    decided = {"grantor": a_grantor(session), "approved": True, "now": NOW}
    await stores.devices.decide(device.handle_hash, event=an_event(), **decided)
    await withdraw(world)
    first = first_families(session, world.client, code.family_id)
    assert await stores.authorizations.redeem(code.handle_hash, at=NOW, first=first, event=an_event()) == "spent"
    assert await stores.devices.poll(device.handle_hash, world.client.id, now=NOW) == "denied"
    assert await stores.devices.poll(unasked.handle_hash, world.client.id, now=NOW) == "pending"
