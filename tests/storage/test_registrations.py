"""RegistrationStore: clients that come by themselves."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from authserver.model.client import Client
from authserver.model.page import PageRequest
from authserver.model.registration import Registration
from authserver.model.time import DAY
from authserver.storage.interface import AlreadyExists, AuditFilter
from tests.conftest import Stores
from tests.storage.builders import NOW, a_client, a_registration, a_secret, an_event, an_initial_token, digest


async def registered(stores: Stores, **changes: object) -> tuple[Client, Registration]:
    client = a_client(auth_method="client_secret_basic", secrets=(a_secret(),), origin="dynamic")
    registration = a_registration(client, **changes)
    assert await stores.registrations.register(client, registration, event=an_event(type="client.registered"))
    return client, registration


async def events(stores: Stores, type: str) -> int:
    return len((await stores.audit.list(PageRequest(), AuditFilter(type=type))).items)


# -- initial access tokens


async def test_an_initial_token_comes_back_as_it_was_while_it_is_good(stores: Stores) -> None:
    store, token = stores.registrations, an_initial_token(expires_at=NOW + 9, uses_left=1)
    unlimited, used_up = an_initial_token(), an_initial_token(uses_left=0)
    for each in (token, unlimited, used_up):
        await store.add_initial_token(each, event=an_event(type="token.added"))
    assert await store.initial_token(token.sha256, now=NOW + 8) == token
    assert await store.initial_token(token.sha256, now=NOW + 9) is None
    assert await store.initial_token(unlimited.sha256, now=NOW + 999 * DAY) == unlimited
    assert await store.initial_token(used_up.sha256, now=NOW) is None
    assert await store.initial_token(digest("another"), now=NOW) is None
    assert list(await store.initial_tokens()) == [token, unlimited, used_up]
    assert await events(stores, "token.added") == 3


async def test_an_initial_token_is_removed_once(stores: Stores) -> None:
    store, token = stores.registrations, an_initial_token()
    await store.add_initial_token(token, event=an_event())
    removals = [await store.remove_initial_token(token.id, event=an_event(type="token.removed")) for _ in range(2)]
    assert removals == [True, False]
    assert await store.initial_token(token.sha256, now=NOW) is None
    assert await events(stores, "token.removed") == 1


# -- registering


async def test_a_registration_stores_the_client_with_it(stores: Stores) -> None:
    client, registration = await registered(stores, fresh_until=NOW + 5, etag='W/"x"', token_sha256=None)
    assert await stores.clients.get(client.id) == client
    assert await stores.registrations.get(client.id) == registration
    assert await stores.registrations.get("another") is None
    assert await events(stores, "client.registered") == 1


async def test_a_token_for_three_uses_registers_three_clients_however_many_race(stores: Stores) -> None:
    token = an_initial_token(uses_left=3)
    await stores.registrations.add_initial_token(token, event=an_event())
    clients = [a_client() for _ in range(12)]
    done = await asyncio.gather(
        *(
            stores.registrations.register(
                client, a_registration(client, initial_token_id=token.id), event=an_event(type="client.registered")
            )
            for client in clients
        )
    )
    assert done.count(True) == 3
    stored = [await stores.clients.get(client.id) is not None for client in clients]
    assert stored == done
    assert await events(stores, "client.registered") == 3
    assert [left.uses_left for left in await stores.registrations.initial_tokens()] == [0]


@pytest.mark.parametrize("wrong", ["expired", "removed"])
async def test_a_token_that_is_no_good_by_then_registers_nobody(stores: Stores, wrong: str) -> None:
    token = an_initial_token(expires_at=NOW if wrong == "expired" else None)
    if wrong == "expired":
        await stores.registrations.add_initial_token(token, event=an_event())
    client = a_client()
    registration = a_registration(client, initial_token_id=token.id)
    assert not await stores.registrations.register(client, registration, event=an_event())
    assert await stores.clients.get(client.id) is None


async def test_a_token_without_a_limit_stays_without_one(stores: Stores) -> None:
    token = an_initial_token()
    await stores.registrations.add_initial_token(token, event=an_event())
    for _ in range(3):
        await registered(stores, initial_token_id=token.id)
    assert list(await stores.registrations.initial_tokens()) == [token]


async def test_an_id_that_is_taken_is_refused_and_costs_the_token_nothing(stores: Stores) -> None:
    client, _ = await registered(stores)
    token = an_initial_token(uses_left=1)
    await stores.registrations.add_initial_token(token, event=an_event())
    with pytest.raises(AlreadyExists):
        await stores.registrations.register(client, a_registration(client, initial_token_id=token.id), event=an_event())
    assert await stores.registrations.initial_token(token.sha256, now=NOW) == token


# -- changing


async def test_client_secrets_and_registration_are_replaced_together(stores: Stores) -> None:
    before, registration = await registered(stores)
    await stores.registrations.used(before.id, at=NOW + DAY, interval=1)
    after = replace(
        before,
        name="Another",
        secrets=(a_secret(sha256=digest("new")),),
        jwks_uri="https://c.example/jwks",
        post_logout_redirect_uris=("https://c.example/bye",),
        updated_at=NOW + 7,
    )
    changed = replace(registration, token_sha256=digest("next"), fresh_until=NOW + 9, etag="x", used_at=0, created_at=0)
    done = await stores.registrations.replace(
        after, changed, unless_changed_since=before.updated_at, event=an_event(type="client.updated")
    )
    assert done
    assert await stores.clients.get(before.id) == after
    assert await stores.registrations.get(before.id) == replace(changed, used_at=NOW + DAY, created_at=NOW)
    assert await events(stores, "client.updated") == 1


async def test_a_change_that_came_second_changes_nothing(stores: Stores) -> None:
    client, registration = await registered(stores)
    await stores.clients.set_enabled(client.id, True, at=NOW + 1, event=an_event())
    stored = await stores.clients.get(client.id)
    after = replace(client, name="Another", secrets=())
    for event in (an_event(), None):
        done = await stores.registrations.replace(
            after, replace(registration, etag="x"), unless_changed_since=NOW, event=event
        )
        assert not done
    assert await stores.clients.get(client.id) == stored
    assert await stores.registrations.get(client.id) == registration


@pytest.mark.parametrize("change", ["added", "removed"])
async def test_no_secret_comes_back_or_is_lost_by_who_read_the_client_before(stores: Stores, change: str) -> None:
    read, registration = await registered(stores)
    (old,), new = read.secrets, a_secret()
    if change == "added":
        assert await stores.clients.add_secret(read.id, new, retire_others_at=NOW + 9, event=an_event())
    else:
        assert await stores.clients.remove_secret(read.id, old.id, event=an_event())
    settled = await stores.clients.get(read.id)
    assert settled is not None
    assert settled.updated_at > read.updated_at
    late = replace(read, name="Late")
    assert not await stores.registrations.replace(
        late, registration, unless_changed_since=read.updated_at, event=an_event()
    )
    assert await stores.clients.get(read.id) == settled


async def test_a_client_that_never_registered_is_not_replaced(stores: Stores) -> None:
    client = a_client()
    await stores.clients.add(client, event=an_event())
    after = replace(client, name="Another")
    for event in (an_event(), None):
        done = await stores.registrations.replace(
            after, a_registration(client), unless_changed_since=client.updated_at, event=event
        )
        assert not done
    assert await stores.clients.get(client.id) == client


async def test_new_freshness_alone_writes_no_client_and_moves_no_configuration(stores: Stores) -> None:
    client, registration = await registered(stores)
    version = await stores.maintenance.config_version()
    fresh = replace(registration, fresh_until=NOW + 99, etag="y")
    assert await stores.registrations.replace(client, fresh, unless_changed_since=client.updated_at, event=None)
    assert await stores.registrations.get(client.id) == fresh
    assert await stores.clients.get(client.id) == client
    assert await stores.maintenance.config_version() == version


# -- use


async def test_a_use_is_noted_once_in_an_interval(stores: Stores) -> None:
    client, _ = await registered(stores)
    noted = []
    for at in (NOW + DAY - 1, NOW + DAY, NOW + 2 * DAY - 1, NOW + 2 * DAY):
        await stores.registrations.used(client.id, at=at, interval=DAY)
        registration = await stores.registrations.get(client.id)
        assert registration is not None
        noted.append(registration.used_at - NOW)
    assert noted == [0, DAY, DAY, 2 * DAY]
    await stores.registrations.used("nobody", at=NOW, interval=DAY)


async def test_the_long_unused_come_first_and_the_used_not_at_all(stores: Stores) -> None:
    ids = [(await registered(stores, used_at=NOW + used))[0].id for used in (3, 1, 2, 9)]
    assert list(await stores.registrations.unused(before=NOW + 9, limit=9)) == [ids[1], ids[2], ids[0]]
    assert list(await stores.registrations.unused(before=NOW + 9, limit=1)) == [ids[1]]
    await stores.registrations.used(ids[1], at=NOW + DAY, interval=1)
    assert list(await stores.registrations.unused(before=NOW + 9, limit=1)) == [ids[2]]


async def test_a_registration_goes_with_its_client(stores: Stores) -> None:
    client, _ = await registered(stores)
    await stores.clients.remove(client.id, at=NOW, event=an_event())
    assert await stores.registrations.get(client.id) is None
    assert await stores.registrations.register(client, a_registration(client), event=an_event())
