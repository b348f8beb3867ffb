"""KeyStore: at most one key signs, at most one is announced."""

from __future__ import annotations

from authserver.model.time import DAY, HOUR
from tests.conftest import Stores
from tests.storage.builders import NOW, a_key, an_event
from tests.storage.conftest import World


async def states(stores: Stores) -> dict[str, str]:
    return {key.kid: key.state for key in await stores.keys.all()}


async def test_a_key_comes_back_as_it_was_stored(stores: Stores) -> None:
    key = a_key(active_at=NOW + 7)
    assert await stores.keys.add_announced(key, event=an_event())
    assert list(await stores.keys.all()) == [key]


async def test_only_one_key_is_announced(stores: Stores) -> None:
    assert await stores.keys.add_announced(a_key(kid="a"), event=an_event())
    assert not await stores.keys.add_announced(a_key(kid="b"), event=an_event())
    assert await states(stores) == {"a": "announced"}


async def test_a_key_is_announced_then_active_then_retired_then_gone(stores: Stores) -> None:
    keys = stores.keys
    for kid, before in (("a", None), ("b", "a")):
        await keys.add_announced(a_key(kid=kid), event=an_event())
        assert await keys.activate(kid, instead_of=before, at=NOW + 1, remove_at=NOW + 9, event=an_event())
    assert await states(stores) == {"a": "retired", "b": "active"}
    retired = (await keys.all())[0]
    assert (retired.retired_at, retired.remove_at) == (NOW + 1, NOW + 9)
    assert await keys.purge(now=NOW + 8) == 0
    assert await keys.purge(now=NOW + 9) == 1
    assert await states(stores) == {"b": "active"}


async def test_an_activation_that_came_second_changes_nothing(stores: Stores) -> None:
    keys = stores.keys
    await keys.add_announced(a_key(kid="a"), event=an_event())
    await keys.activate("a", instead_of=None, at=NOW, remove_at=NOW, event=an_event())
    await keys.add_announced(a_key(kid="b"), event=an_event())
    for kid, before in (("b", None), ("b", "x"), ("x", "a"), ("a", "a")):
        assert not await keys.activate(kid, instead_of=before, at=NOW, remove_at=NOW, event=an_event())
    assert await states(stores) == {"a": "active", "b": "announced"}


async def test_an_emergency_revokes_the_active_and_the_announced_key_and_signs_with_another(stores: Stores) -> None:
    keys = stores.keys
    assert await keys.replace_now(a_key(kid="a"), instead_of=None, at=NOW, reason="", event=an_event())
    assert await keys.add_announced(a_key(kid="waiting"), event=an_event())
    assert await keys.replace_now(a_key(kid="b"), instead_of="a", at=NOW + 1, reason="leak", event=an_event())
    assert not await keys.replace_now(a_key(kid="c"), instead_of="a", at=NOW + 2, reason="leak", event=an_event())
    assert await states(stores) == {"a": "revoked", "waiting": "revoked", "b": "active"}
    revoked = next(key for key in await keys.all() if key.kid == "a")
    assert (revoked.revoked_at, revoked.reason) == (NOW + 1, "leak")
    entries = await stores.revocations.outbox(after=0, limit=9)
    assert {(entry.kind, entry.value, entry.created_at) for entry in entries} == {
        ("kid", "a", NOW + 1),
        ("kid", "waiting", NOW + 1),
    }


async def test_a_revoked_key_is_gone_once_none_of_its_tokens_can_live(stores: Stores) -> None:
    keys, told = stores.keys, NOW + 1
    await keys.replace_now(a_key(kid="a"), instead_of=None, at=NOW, reason="", event=an_event())
    await keys.add_announced(a_key(kid="waiting"), event=an_event())
    await keys.replace_now(a_key(kid="b"), instead_of="a", at=told, reason="leak", event=an_event())
    assert await keys.purge(now=told + DAY) == 0
    assert await keys.purge(now=told + DAY + HOUR) == 2
    assert await states(stores) == {"b": "active"}


async def test_a_key_that_an_earlier_version_revoked_is_gone_in_the_end_too(world: World) -> None:
    await world.sql("UPDATE signing_keys SET state = 'revoked', revoked_at = :at, remove_at = NULL", at=NOW)
    assert await world.stores.keys.purge(now=NOW + DAY) == 0
    assert await world.stores.keys.purge(now=NOW + DAY + HOUR) == 1


async def test_key_changes_move_the_configuration_version_on(stores: Stores) -> None:
    before = await stores.maintenance.config_version()
    await stores.keys.add_announced(a_key(kid="a"), event=an_event())
    announced = await stores.maintenance.config_version()
    await stores.keys.activate("a", instead_of=None, at=NOW, remove_at=NOW, event=an_event())
    assert before < announced < await stores.maintenance.config_version()
