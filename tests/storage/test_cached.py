"""What stands between a cache of clients and a stale answer. That it is a lookup like any other is in test_clients."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from authserver.model.client import Client
from authserver.storage.cached import AnnouncedClients, CachedClients
from authserver.storage.interface import ClientStore
from authserver.storage.local import LocalBus


@dataclass
class Counting:
    """A lookup that counts how often it is asked, and can be made to wait."""

    names: dict[str, str] = field(default_factory=lambda: {"app": "before"})
    version: int = 0
    asked: int = 0
    gate: asyncio.Event | None = None

    async def get(self, client_id: str) -> Client | None:
        self.asked += 1
        name = self.names.get(client_id)
        if self.gate is not None:
            await self.gate.wait()
        return None if name is None else Client(id=client_id, name=name, auth_method="none")

    async def issuer_version(self) -> int:
        self.asked += 1
        return self.version


@pytest.fixture
def store() -> Counting:
    return Counting()


@pytest.fixture
def cached(store: Counting) -> CachedClients:
    made = CachedClients(store, size=3)
    made.confirm()
    return made


async def name_of(cached: CachedClients, client_id: str = "app") -> str | None:
    client = await cached.get(client_id)
    return client.name if client else None


async def test_what_is_confirmed_is_asked_for_once(cached: CachedClients, store: Counting) -> None:
    for _ in range(5):
        assert await name_of(cached) == "before"
        assert await cached.issuer_version() == 0
    assert store.asked == 2


async def test_after_an_invalidation_it_is_asked_for_again(cached: CachedClients, store: Counting) -> None:
    await name_of(cached)
    store.names["app"] = "after"
    cached.invalidate()
    assert await name_of(cached) == "after"


async def test_a_version_too(cached: CachedClients, store: Counting) -> None:
    await cached.issuer_version()
    store.version = 1
    cached.invalidate()
    assert await cached.issuer_version() == 1


async def test_without_confirmation_every_question_goes_to_the_store(store: Counting) -> None:
    cached = CachedClients(store)
    await name_of(cached)
    store.names["app"] = "after"
    assert await name_of(cached) == "after"
    assert await cached.issuer_version() == 0
    store.version = 1
    assert await cached.issuer_version() == 1


async def test_a_confirmation_that_is_too_old_is_none(store: Counting) -> None:
    cached = CachedClients(store, max_age=0.05)
    cached.confirm()
    await name_of(cached)
    store.names["app"] = "after"
    await asyncio.sleep(0.1)
    assert await name_of(cached) == "after"


async def test_an_answer_that_was_under_way_during_an_invalidation_is_not_kept(
    cached: CachedClients, store: Counting
) -> None:
    store.gate = asyncio.Event()
    reading = asyncio.create_task(cached.get("app"))
    await asyncio.sleep(0)
    store.names["app"] = "after"
    cached.invalidate()
    store.gate.set()
    await reading
    assert await name_of(cached) == "after"


async def test_made_up_ids_do_not_push_out_real_clients(cached: CachedClients, store: Counting) -> None:
    await name_of(cached)
    for n in range(10):
        assert await name_of(cached, f"made-up-{n}") is None
    before = store.asked
    await name_of(cached)
    assert store.asked == before


async def test_it_keeps_no_more_than_its_size(cached: CachedClients, store: Counting) -> None:
    store.names |= {str(n): str(n) for n in range(10)}
    for n in range(10):
        await name_of(cached, str(n))
    before = store.asked
    await name_of(cached, "9")
    assert store.asked == before
    await name_of(cached, "0")
    assert store.asked == before + 1


@dataclass
class Answering:
    """A store whose changes all have the same outcome."""

    outcome: bool

    def __getattr__(self, name: str) -> Any:
        async def change(*arguments: object, **named: object) -> bool:
            return self.outcome

        return change


@pytest.mark.parametrize(("outcome", "told"), [(True, 5), (False, 0)])
async def test_each_change_that_was_made_is_announced(outcome: bool, told: int) -> None:
    count = 0

    async def changed() -> None:
        nonlocal count
        count += 1

    clients = AnnouncedClients(cast("ClientStore", Answering(outcome)), changed, LocalBus())
    client, event = Client(id="app", name="App", auth_method="none"), cast("Any", None)
    assert await clients.update(client, unless_changed_since=0, event=event) is outcome
    assert await clients.set_enabled("app", False, at=0, event=event) is outcome
    assert await clients.add_secret("app", cast("Any", None), retire_others_at=None, event=event) is outcome
    assert await clients.remove_secret("app", "1", event=event) is outcome
    assert await clients.remove("app", at=0, event=event) is outcome
    assert count == told
