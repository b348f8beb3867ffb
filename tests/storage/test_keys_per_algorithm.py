"""KeyStore: each algorithm has a ring of its own."""

from __future__ import annotations

import asyncio

from tests.conftest import Stores
from tests.storage.builders import NOW, a_key, an_event
from tests.storage.test_keys import states


async def ring(stores: Stores, algorithm: str, active: str, announced: str) -> None:
    keys = stores.keys
    for kid in (active, announced):
        assert await keys.add_announced(a_key(kid=kid, algorithm=algorithm), event=an_event())
        if kid == active:
            assert await keys.activate(kid, instead_of=None, at=NOW, remove_at=NOW, event=an_event())


async def test_each_algorithm_has_one_key_that_signs_and_one_that_is_announced(stores: Stores) -> None:
    await ring(stores, "RS256", "r1", "r2")
    await ring(stores, "ES256", "e1", "e2")
    assert not await stores.keys.add_announced(a_key(kid="e3", algorithm="ES256"), event=an_event())
    assert not await stores.keys.activate("e2", instead_of=None, at=NOW, remove_at=NOW, event=an_event())
    assert await states(stores) == {"r1": "active", "r2": "announced", "e1": "active", "e2": "announced"}


async def test_a_key_takes_the_place_of_one_of_its_own_algorithm_only(stores: Stores) -> None:
    await ring(stores, "RS256", "r1", "r2")
    await ring(stores, "ES256", "e1", "e2")
    assert not await stores.keys.activate("e2", instead_of="r1", at=NOW, remove_at=NOW, event=an_event())
    assert await states(stores) == {"r1": "active", "r2": "announced", "e1": "active", "e2": "announced"}
    assert await stores.keys.activate("e2", instead_of="e1", at=NOW, remove_at=NOW, event=an_event())
    assert await states(stores) == {"r1": "active", "r2": "announced", "e1": "retired", "e2": "active"}


async def test_a_first_key_cannot_push_another_algorithms_aside(stores: Stores) -> None:
    await ring(stores, "RS256", "r1", "r2")
    await stores.keys.add_announced(a_key(kid="e1", algorithm="ES256"), event=an_event())
    assert not await stores.keys.activate("e1", instead_of="r1", at=NOW, remove_at=NOW, event=an_event())
    assert await states(stores) == {"r1": "active", "r2": "announced", "e1": "announced"}


async def test_an_emergency_in_one_algorithm_leaves_the_others_keys_alone(stores: Stores) -> None:
    await ring(stores, "RS256", "r1", "r2")
    await ring(stores, "ES256", "e1", "e2")
    key = a_key(kid="e3", algorithm="ES256")
    assert not await stores.keys.replace_now(key, instead_of="r1", at=NOW, reason="leak", event=an_event())
    assert await stores.keys.replace_now(key, instead_of="e1", at=NOW, reason="leak", event=an_event())
    expected = {"r1": "active", "r2": "announced", "e1": "revoked", "e2": "revoked", "e3": "active"}
    assert await states(stores) == expected
    entries = await stores.revocations.outbox(after=0, limit=9)
    assert sorted(entry.value for entry in entries) == ["e1", "e2"]


async def test_algorithms_that_start_at_once_get_a_key_each(stores: Stores) -> None:
    keys = [a_key(algorithm=algorithm) for algorithm in ("RS256", "PS256", "ES256", "EdDSA") for _ in range(5)]
    announced = await asyncio.gather(*(stores.keys.add_announced(key, event=an_event()) for key in keys))
    assert announced.count(True) == 4
    waiting = await stores.keys.all()
    activated = await asyncio.gather(
        *(stores.keys.activate(key.kid, instead_of=None, at=NOW, remove_at=NOW, event=an_event()) for key in waiting)
    )
    assert activated == [True] * 4
    assert sorted(key.algorithm for key in await stores.keys.all()) == ["ES256", "EdDSA", "PS256", "RS256"]
