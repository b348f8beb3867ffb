"""UserStore."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authserver.model.account import User
from authserver.model.page import PageRequest
from authserver.storage.interface import AlreadyExists
from tests.conftest import Stores
from tests.storage.builders import NOW, a_session, a_user, an_event
from tests.storage.conftest import World


async def test_a_user_comes_back_by_id_and_by_name(stores: Stores) -> None:
    user = a_user(username="Zoë", username_key="zoë", password_hash=None)
    await stores.users.add(user, event=an_event())
    assert await stores.users.get(user.id) == user
    assert await stores.users.by_username("zoë") == user
    assert await stores.users.by_username("zoe") is None
    assert await stores.users.get("nobody") is None


async def test_a_username_is_taken_once(stores: Stores) -> None:
    await stores.users.add(a_user(username_key="anna"), event=an_event())
    with pytest.raises(AlreadyExists):
        await stores.users.add(a_user(username_key="anna"), event=an_event())


async def test_an_id_is_taken_once(stores: Stores) -> None:
    user = a_user()
    await stores.users.add(user, event=an_event())
    with pytest.raises(AlreadyExists):
        await stores.users.add(replace(user, username_key="another"), event=an_event())


async def test_disabling_ends_everything_and_enabling_brings_nothing_back(world: World) -> None:
    session, family = await world.login()
    users = world.stores.users
    assert await users.set_enabled(world.user.id, False, at=NOW + 1, event=an_event())
    assert not await world.is_alive(family)
    assert await users.set_enabled(world.user.id, True, at=NOW + 2, event=an_event())
    assert not await world.is_alive(family)
    assert await world.stores.sessions.get(session.id, now=NOW + 3) is None
    assert await world.entries() == [("sub", world.user.id, 1)]


async def test_a_new_password_ends_everything(world: World) -> None:
    _, family = await world.login()
    assert await world.stores.users.set_password(world.user.id, "$hash$2", at=NOW + 1, event=an_event())
    assert not await world.is_alive(family)
    assert (await known(world.stores, world.user.id)).password_hash == "$hash$2"
    assert await world.entries() == [("sub", world.user.id, 1)]


async def test_a_rehash_ends_nothing_and_only_replaces_the_hash_it_was_made_from(world: World) -> None:
    _, family = await world.login()
    assert await world.stores.users.rehash_password(world.user.id, "$hash$1", "$hash$1b")
    assert not await world.stores.users.rehash_password(world.user.id, "$hash$1", "$hash$1c")
    assert await world.is_alive(family)
    assert (await known(world.stores, world.user.id)).password_hash == "$hash$1b"
    assert await world.entries() == []


async def test_a_removed_user_leaves_one_entry_and_no_rows(world: World) -> None:
    session, family = await world.login()
    await world.browser()
    assert await world.stores.users.remove(world.user.id, at=NOW + 1, event=an_event())
    assert not await world.stores.users.remove(world.user.id, at=NOW + 1, event=an_event())
    assert await world.entries() == [("sub", world.user.id, 1)]
    assert await world.state(world.facts()) == "subject"
    assert await world.stores.families.get(family.id) is None
    assert await world.sql("SELECT id FROM sessions") == []
    assert await world.stores.sessions.begin(a_session(world.user), None, password_hash=None, event=an_event()) is None
    assert session.user_id == world.user.id


async def test_changes_to_an_unknown_user_are_false(stores: Stores) -> None:
    assert not await stores.users.set_enabled("ghost", False, at=NOW, event=an_event())
    assert not await stores.users.set_password("ghost", "x", at=NOW, event=an_event())
    assert not await stores.users.rehash_password("ghost", "x", "y")


async def test_lists_are_by_age_and_filter_by_name_and_state(stores: Stores) -> None:
    names = ["Anna", "Bo_b", "Änne"]
    people = [a_user(username=name, username_key=name.casefold()) for name in names]
    for user in people:
        await stores.users.add(user, event=an_event())
    await stores.users.set_enabled(people[0].id, False, at=NOW, event=an_event())

    async def listed(**where: object) -> list[str]:
        return [user.username for user in (await stores.users.list(PageRequest(), **where)).items]  # type: ignore[arg-type]  # mixed values

    assert await listed() == names
    assert await listed(query="ANN") == ["Anna"]
    assert await listed(query="ÄN") == ["Änne"]
    assert await listed(query="_") == ["Bo_b"]
    assert await listed(enabled=False) == ["Anna"]
    assert await listed(enabled=True) == ["Bo_b", "Änne"]
    second = await stores.users.list(PageRequest(limit=1, after=people[0].id))
    assert (second.items[0].username, second.next_after) == ("Bo_b", people[1].id)


async def known(stores: Stores, user_id: str) -> User:
    user = await stores.users.get(user_id)
    assert user is not None
    return user


async def test_what_is_said_about_a_user_changes_and_ends_nothing(world: World) -> None:
    _, family = await world.login()
    claims = {"name": "Zoë", "address": {"country": "AT"}, "email_verified": True}
    users = world.stores.users
    assert await users.set_claims(world.user.id, claims, instead_of={}, at=NOW + 1, event=an_event())
    changed = await known(world.stores, world.user.id)
    assert (changed.claims, changed.updated_at) == (claims, NOW + 1)
    assert await world.is_alive(family)
    assert await world.entries() == []


async def test_who_changes_claims_that_were_changed_meanwhile_changes_nothing(world: World) -> None:
    users = world.stores.users
    assert await users.set_claims(world.user.id, {"name": "A", "locale": "de"}, instead_of={}, at=NOW, event=an_event())
    assert not await users.set_claims(world.user.id, {"name": "B"}, instead_of={}, at=NOW, event=an_event())
    # However they are ordered.
    same = {"locale": "de", "name": "A"}
    assert await users.set_claims(world.user.id, {"name": "C"}, instead_of=same, at=NOW, event=an_event())
    assert not await users.set_claims("nobody", {}, instead_of={}, at=NOW, event=an_event())
    assert (await known(world.stores, world.user.id)).claims == {"name": "C"}
