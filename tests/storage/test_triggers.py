"""What a hand-typed statement cannot forget either."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError

from authserver.storage.interface import AlreadyExists
from tests.storage.builders import NOW, a_key, an_event
from tests.storage.conftest import World


@pytest.mark.parametrize(("table", "kind"), [("users", "sub"), ("clients", "cli")])
async def test_disabling_by_hand_moves_the_version_on_and_writes_the_entry(world: World, table: str, kind: str) -> None:
    value = world.user.id if kind == "sub" else world.client.id
    _, family = await world.login()
    await world.sql(f"UPDATE {table} SET enabled = false WHERE id = :id", id=value)
    await world.sql(f"UPDATE {table} SET enabled = true WHERE id = :id", id=value)
    assert await world.entries() == [(kind, value, 1)]
    assert not await world.is_alive(family)


@pytest.mark.parametrize(("table", "kind"), [("users", "sub"), ("clients", "cli")])
async def test_moving_a_version_by_hand_writes_the_entry(world: World, table: str, kind: str) -> None:
    value = world.user.id if kind == "sub" else world.client.id
    await world.sql(f"UPDATE {table} SET version = version + 5 WHERE id = :id", id=value)
    assert await world.entries() == [(kind, value, 5)]


@pytest.mark.parametrize(("table", "kind"), [("users", "sub"), ("clients", "cli")])
async def test_deleting_by_hand_writes_an_entry_past_every_version_issued(world: World, table: str, kind: str) -> None:
    value = world.user.id if kind == "sub" else world.client.id
    await world.sql(f"UPDATE {table} SET version = 3 WHERE id = :id", id=value)
    await world.sql(f"DELETE FROM {table} WHERE id = :id", id=value)
    assert await world.entries() == [(kind, value, 3), (kind, value, 4)]


async def test_an_entry_takes_the_time_of_its_row_or_else_the_databases(world: World) -> None:
    await world.sql("UPDATE users SET version = 1, updated_at = :at", at=NOW + 77)
    await world.sql("UPDATE users SET version = 2")
    first, second = await world.outbox()
    assert first.created_at == NOW + 77
    assert abs(second.created_at - await world.stores.maintenance.now()) < 10_000


async def test_moving_the_issuers_version_by_hand_writes_the_entry_and_tells_the_caches(world: World) -> None:
    before = await world.stores.maintenance.config_version()
    await world.sql("UPDATE issuer SET revocation_version = revocation_version + 1")
    assert await world.entries() == [("iss", "", 1)]
    assert await world.stores.maintenance.config_version() == before + 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET version = version - 1",
        "UPDATE clients SET version = version - 1",
        "UPDATE issuer SET revocation_version = revocation_version - 1",
        "UPDATE sessions SET dead_at = NULL WHERE dead_at IS NOT NULL",
        "UPDATE families SET dead_at = NULL WHERE dead_at IS NOT NULL",
        "UPDATE signing_keys SET state = 'retired' WHERE state = 'revoked'",
    ],
)
async def test_nothing_that_was_taken_back_can_be_given_again(world: World, statement: str) -> None:
    session, _ = await world.login()
    await world.stores.sessions.end(session.id, at=NOW, reason="x", event=an_event())
    for kind, value in (("user", world.user.id), ("client", world.client.id), ("all", "")):
        await world.revoke(kind, value)
    await world.sql("UPDATE signing_keys SET state = 'revoked'")
    with pytest.raises(DBAPIError):
        await world.sql(statement)


async def test_ending_a_session_by_hand_ends_its_families_with_the_same_reason(world: World) -> None:
    session, family = await world.login()
    await world.sql(
        "UPDATE sessions SET dead_at = :at, dead_reason = 'by hand' WHERE id = :id", at=NOW + 3, id=session.id
    )
    stored = await world.stores.families.get(family.id)
    assert stored is not None
    assert (stored.dead_at, stored.dead_reason) == (NOW + 3, "by hand")
    assert [(entry.kind, entry.value, entry.created_at) for entry in await world.outbox()] == [
        ("sid", family.id, NOW + 3)
    ]


async def test_ending_a_family_by_hand_writes_the_entry_once(world: World) -> None:
    _, family = await world.login()
    for at in (NOW + 1, NOW + 2):
        await world.sql("UPDATE families SET dead_at = :at WHERE id = :id", at=at, id=family.id)
    assert await world.entries() == [("sid", family.id, 0)]


async def test_a_family_past_its_absolute_end_needs_no_entry(world: World) -> None:
    _, family = await world.login(abs_until=NOW + 50)
    await world.sql("UPDATE families SET dead_at = :at WHERE id = :id", at=NOW + 50, id=family.id)
    assert await world.entries() == []


async def test_deleting_a_living_family_by_hand_writes_the_entry(world: World) -> None:
    _, family = await world.login()
    await world.sql("DELETE FROM families WHERE id = :id", id=family.id)
    assert await world.entries() == [("sid", family.id, 0)]


async def test_deleting_a_session_by_hand_ends_its_living_families(world: World) -> None:
    session, family = await world.login()
    await world.sql("DELETE FROM sessions WHERE id = :id", id=session.id)
    assert await world.entries() == [("sid", family.id, 0)]
    stored = await world.stores.families.get(family.id)
    assert stored is not None
    assert stored.dead_reason == "session removed"


async def test_revoking_a_token_by_hand_writes_the_entry(world: World) -> None:
    await world.sql(
        "INSERT INTO revoked_tokens (jti, expires_at, revoked_at, reason) VALUES ('j', :x, :at, '')",
        x=NOW + 9,
        at=NOW + 1,
    )
    (entry,) = await world.outbox()
    assert (entry.kind, entry.value, entry.expires_at, entry.created_at) == ("jti", "j", NOW + 9, NOW + 1)


async def test_revoking_a_key_by_hand_writes_the_entry(world: World) -> None:
    await world.sql("UPDATE signing_keys SET state = 'revoked' WHERE kid = :kid", kid=world.kid)
    assert await world.entries() == [("kid", world.kid, 0)]


async def test_a_second_active_key_is_impossible(world: World) -> None:
    await world.stores.keys.add_announced(a_key(kid="b"), event=an_event())
    with pytest.raises(AlreadyExists):
        await world.sql("UPDATE signing_keys SET state = 'active' WHERE kid = 'b'")


async def test_a_client_added_by_hand_under_a_removed_name_starts_past_every_version(world: World) -> None:
    await world.sql("UPDATE clients SET version = 6")
    row = (await world.sql("SELECT * FROM clients"))[0]._mapping
    await world.sql("DELETE FROM clients")
    names = ", ".join(row)
    await world.sql(
        f"INSERT INTO clients ({names}) VALUES ({', '.join(f':{name}' for name in row)})", **{**row, "version": 0}
    )
    assert (await world.sql("SELECT version FROM clients"))[0].version == 7


async def test_a_rotation_by_itself_writes_no_entry(world: World) -> None:
    _, family = await world.login()
    await world.rotate(family, "s0", "s1")
    assert await world.entries() == []
