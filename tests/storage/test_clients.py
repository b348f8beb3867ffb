"""ClientStore and ClientLookup, the latter also behind the cache."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from authserver.model.client import Client
from authserver.model.page import PageRequest
from authserver.storage.cached import CachedClients
from authserver.storage.interface import AlreadyExists, AuditFilter, ClientLookup
from tests.conftest import Stores
from tests.storage.builders import NOW, a_client, a_secret, an_event, digest
from tests.storage.conftest import World


@pytest.fixture(params=["plain", "cached"])
def lookup(request: pytest.FixtureRequest, stores: Stores) -> ClientLookup:
    return stores.clients if request.param == "plain" else CachedClients(stores.clients)


async def test_a_client_comes_back_as_it_was_stored(stores: Stores, lookup: ClientLookup) -> None:
    client = a_client(
        secrets=(a_secret(expires_at=NOW), a_secret()),
        grant_types=("a", "b"),
        audiences=("https://x",),
        redirect_uris=("https://app.example/cb",),
        access_token_ttl=60_000,
        name='Größe "1"',
    )
    await stores.clients.add(client, event=an_event())
    assert await lookup.get(client.id) == client


async def test_an_unknown_client_is_none(lookup: ClientLookup) -> None:
    assert await lookup.get("nobody") is None


async def test_the_issuer_version_starts_at_zero(lookup: ClientLookup) -> None:
    assert await lookup.issuer_version() == 0


async def test_a_taken_id_is_refused_and_nothing_is_written(stores: Stores) -> None:
    client = a_client()
    await stores.clients.add(client, event=an_event())
    event = an_event(type="client.created.again")
    with pytest.raises(AlreadyExists):
        await stores.clients.add(replace(client, name="Other"), event=event)
    assert await stores.clients.get(client.id) == client
    assert await types_of_audit(stores) == ["test.happened"]


async def test_an_update_leaves_enabled_version_and_secrets_alone(stores: Stores) -> None:
    client = a_client(secrets=(a_secret(),))
    await stores.clients.add(client, event=an_event())
    changed = replace(client, name="New", scopes=("x",), enabled=False, version=9, secrets=(), updated_at=NOW + 1)
    assert await stores.clients.update(changed, unless_changed_since=NOW, event=an_event())
    assert await stores.clients.get(client.id) == replace(client, name="New", scopes=("x",), updated_at=NOW + 1)


async def test_a_client_that_was_changed_since_it_was_read_is_left_as_it_is(stores: Stores) -> None:
    client, clients = a_client(), stores.clients
    await clients.add(client, event=an_event())
    read = await known(stores, client.id)
    assert await clients.update(replace(read, scopes=()), unless_changed_since=read.updated_at, event=an_event())
    late = replace(read, name="Late", updated_at=NOW + 1)
    assert not await clients.update(late, unless_changed_since=read.updated_at, event=an_event(type="late"))
    stored = await known(stores, client.id)
    assert (stored.name, stored.scopes) == (read.name, ())
    assert "late" not in await types_of_audit(stores)


async def test_of_many_who_change_what_they_read_one_does(stores: Stores) -> None:
    client = a_client()
    await stores.clients.add(client, event=an_event())
    news = [replace(client, name=str(n)) for n in range(10)]
    done = await asyncio.gather(
        *(stores.clients.update(new, unless_changed_since=NOW, event=an_event()) for new in news)
    )
    assert done.count(True) == 1
    assert (await known(stores, client.id)).name == str(done.index(True))


async def test_changes_to_an_unknown_client_are_false_and_leave_no_event(stores: Stores) -> None:
    clients = stores.clients
    assert not await clients.update(a_client(id="ghost"), unless_changed_since=NOW, event=an_event())
    assert not await clients.set_enabled("ghost", False, at=NOW, event=an_event())
    assert not await clients.add_secret("ghost", a_secret(), retire_others_at=None, event=an_event())
    assert not await clients.remove_secret("ghost", "x", event=an_event())
    assert not await clients.remove("ghost", at=NOW, event=an_event())
    assert await types_of_audit(stores) == []


async def test_disabling_moves_the_version_on_once_and_enabling_does_not(stores: Stores) -> None:
    client = a_client()
    await stores.clients.add(client, event=an_event())
    versions = []
    for enabled in (False, False, True, False):
        assert await stores.clients.set_enabled(client.id, enabled, at=NOW + 1, event=an_event())
        versions.append((await known(stores, client.id)).version)
    assert versions == [1, 1, 1, 2]


async def test_a_new_secret_retires_the_others_but_never_prolongs_them(stores: Stores) -> None:
    short, long, endless = a_secret(expires_at=NOW + 1), a_secret(expires_at=NOW + 100), a_secret()
    client = a_client(secrets=(short, long, endless))
    await stores.clients.add(client, event=an_event())
    fresh = a_secret(sha256=digest("new"))
    assert await stores.clients.add_secret(client.id, fresh, retire_others_at=NOW + 50, event=an_event())
    ends = [secret.expires_at for secret in (await known(stores, client.id)).secrets]
    assert ends == [NOW + 1, NOW + 50, NOW + 50, None]


async def test_a_removed_secret_is_gone(stores: Stores) -> None:
    kept, removed = a_secret(), a_secret()
    client = a_client(secrets=(kept, removed))
    await stores.clients.add(client, event=an_event())
    assert await stores.clients.remove_secret(client.id, removed.id, event=an_event())
    assert (await known(stores, client.id)).secrets == (kept,)


async def test_a_removed_client_ends_its_families_and_tokens_even_if_its_id_is_used_again(world: World) -> None:
    _, family = await world.login()
    assert await world.stores.clients.remove(world.client.id, at=NOW + 1, event=an_event())
    assert not await world.is_alive(family)
    await world.stores.clients.add(world.client, event=an_event())
    assert not await world.is_alive(family)
    assert await world.state(world.facts()) == "client"
    assert ("cli", world.client.id, 1) in await world.entries()
    assert (await known(world.stores, world.client.id)).version == 1


async def test_pages_follow_ids_and_queries_take_wildcards_literally(stores: Stores) -> None:
    for client in (a_client(id="a", name="100% juice"), a_client(id="b", name="Under_score"), a_client(id="c")):
        await stores.clients.add(client, event=an_event())
    first = await stores.clients.list(PageRequest(limit=2))
    assert ([client.id for client in first.items], first.next_after) == (["a", "b"], "b")
    rest = await stores.clients.list(PageRequest(limit=2, after="b"))
    assert ([client.id for client in rest.items], rest.next_after) == (["c"], None)
    found = {
        query: [client.id for client in (await stores.clients.list(PageRequest(), query=query)).items]
        for query in ("%", "_", "JUICE", "nothing")
    }
    assert found == {"%": ["a"], "_": ["b"], "JUICE": ["a"], "nothing": []}


async def test_every_change_moves_the_configuration_version_on(stores: Stores) -> None:
    client, secret = a_client(), a_secret()
    seen = [await stores.maintenance.config_version()]
    for change in (
        lambda: stores.clients.add(client, event=an_event()),
        lambda: stores.clients.update(client, unless_changed_since=NOW, event=an_event()),
        lambda: stores.clients.add_secret(client.id, secret, retire_others_at=None, event=an_event()),
        lambda: stores.clients.remove_secret(client.id, secret.id, event=an_event()),
        lambda: stores.clients.set_enabled(client.id, False, at=NOW, event=an_event()),
        lambda: stores.clients.remove(client.id, at=NOW, event=an_event()),
    ):
        await change()
        seen.append(await stores.maintenance.config_version())
    assert all(later > earlier for earlier, later in pairwise(seen))


async def known(stores: Stores, client_id: str) -> Client:
    client = await stores.clients.get(client_id)
    assert client is not None
    return client


async def types_of_audit(stores: Stores) -> list[str]:
    return [event.type for event in (await stores.audit.list(PageRequest(), AuditFilter())).items]
