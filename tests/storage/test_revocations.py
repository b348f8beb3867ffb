"""RevocationStore: each level of taking back, and the check that honours it."""

from __future__ import annotations

from typing import Any

import pytest

from authserver.model.grant import Versions
from authserver.model.page import PageRequest
from authserver.model.revocation import RevocationTarget, TokenState
from authserver.storage.interface import AuditFilter, KeyIsUsed
from tests.storage.builders import NOW, a_key, an_event
from tests.storage.conftest import World


async def test_a_token_is_alive_until_something_denies_it(world: World) -> None:
    session, family = await world.login()
    state = await world.stores.revocations.check(world.facts(family))
    assert state == TokenState(alive=True, session_id=session.id, username=world.user.username)
    own = await world.stores.revocations.check(world.facts(subject=world.client.id))
    assert own == TokenState(alive=True)


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        ({"kid": "unknown"}, "kid"),
        ({"family_id": "unknown"}, "session"),
        ({"subject": "unknown"}, "subject"),
        ({"client_id": "unknown"}, "client"),
    ],
)
async def test_what_is_unknown_is_dead(world: World, fact: dict[str, Any], reason: str) -> None:
    assert await world.state(world.facts(**fact)) == reason


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("jti", "jti"),
        ("family", "session"),
        ("session", "session"),
        ("user", "subject"),
        ("client", "client"),
        ("all", "issuer"),
    ],
)
async def test_each_level_denies_the_token_and_leaves_one_entry(world: World, kind: str, reason: str) -> None:
    session, family = await world.login()
    values = {
        "jti": "a-token",
        "family": family.id,
        "session": session.id,
        "user": world.user.id,
        "client": world.client.id,
        "all": "",
    }
    outcome = await world.revoke(kind, values[kind], **({"expires_at": NOW + 60_000} if kind == "jti" else {}))
    (entry,) = await world.outbox()
    assert (outcome.found, outcome.changed, outcome.outbox_id) == (True, True, entry.id)
    expected = {
        "jti": ("jti", "a-token", 0, NOW + 60_000),
        "family": ("sid", family.id, 0, None),
        "session": ("sid", family.id, 0, None),
        "user": ("sub", world.user.id, 1, None),
        "client": ("cli", world.client.id, 1, None),
        "all": ("iss", "", 1, None),
    }
    assert (entry.kind, entry.value, entry.version, entry.expires_at) == expected[kind]
    if kind != "all":
        assert entry.created_at == NOW + 5
    assert await world.state(world.facts(family)) == reason


async def test_a_token_of_the_new_version_is_alive(world: World) -> None:
    for kind, value in (("user", world.user.id), ("client", world.client.id), ("all", "")):
        await world.revoke(kind, value)
    assert await world.state(world.facts(versions=Versions(1, 1, 1))) == "alive"


async def test_outcomes_count_what_was_alive_and_previews_tell_it_beforehand(world: World) -> None:
    session, family = await world.login()
    browser = await world.browser()
    await world.family_of(browser)
    ended, _ = await world.login()
    await world.stores.sessions.end(ended.id, at=NOW, reason="x", event=an_event())
    expected = {
        ("family", family.id): (0, 1),
        ("session", session.id): (1, 1),
        ("user", world.user.id): (2, 2),
        ("client", world.client.id): (0, 2),
        ("all", ""): (2, 2),
        ("jti", "x"): (0, 0),
    }
    for (kind, value), numbers in expected.items():
        target = RevocationTarget(kind=kind, value=value)  # type: ignore[arg-type]  # kinds are parameters of pytest
        seen = await world.stores.revocations.preview(target, now=NOW + 5)
        assert (kind, seen.found, seen.changed, seen.outbox_id) == (kind, True, False, None)
        assert (kind, seen.sessions, seen.families) == (kind, *numbers)
    assert len(await world.outbox()) == 1
    outcome = await world.revoke("client", world.client.id)
    assert (outcome.sessions, outcome.families) == (0, 2)
    outcome = await world.revoke("user", world.user.id)
    assert (outcome.sessions, outcome.families) == (1, 0)  # their families had died with the client


@pytest.mark.parametrize("kind", ["user", "all"])
async def test_the_number_that_a_bump_ended_is_counted_as_it_stood_before(world: World, kind: str) -> None:
    await world.login()
    await world.family_of(await world.browser())
    outcome = await world.revoke(kind, world.user.id if kind == "user" else "")
    assert (outcome.sessions, outcome.families) == (2, 2)


async def test_a_token_revoked_for_too_short_a_time_can_be_revoked_for_longer_but_not_for_shorter(world: World) -> None:
    ends = [NOW + 60_000, NOW + 3_600_000, NOW + 60_000, NOW + 3_600_000]
    outcomes = [await world.revoke("jti", "j", expires_at=end) for end in ends]
    assert [outcome.changed for outcome in outcomes] == [True, True, False, False]
    assert [entry.expires_at for entry in await world.outbox()] == ends[:2]
    assert [entry.id for entry in await world.outbox()] == [outcome.outbox_id for outcome in outcomes[:2]]
    assert await world.sql("SELECT expires_at FROM revoked_tokens") == [(ends[1],)]


@pytest.mark.parametrize("kind", ["family", "session", "user", "client", "kid"])
async def test_what_does_not_exist_is_not_found_and_leaves_nothing(world: World, kind: str) -> None:
    outcome = await world.revoke(kind, "ghost")
    assert (outcome.found, outcome.changed, outcome.outbox_id) == (False, False, None)
    preview = await world.stores.revocations.preview(RevocationTarget(kind=kind, value="ghost"), now=NOW)  # type: ignore[arg-type]  # kinds are parameters of pytest
    assert not preview.found
    assert await world.outbox() == []


@pytest.mark.parametrize("kind", ["jti", "family", "session"])
async def test_a_second_revocation_finds_it_and_changes_nothing(world: World, kind: str) -> None:
    session, family = await world.login()
    value = {"jti": "a-token", "family": family.id, "session": session.id}[kind]
    await world.revoke(kind, value)
    again = await world.revoke(kind, value)
    assert (again.found, again.changed, again.outbox_id) == (True, False, None)
    assert len(await world.outbox()) == 1


async def test_a_token_that_has_expired_need_not_be_remembered(world: World) -> None:
    outcome = await world.revoke("jti", "old", expires_at=NOW)
    assert (outcome.found, outcome.changed) == (True, False)
    assert await world.outbox() == []


async def test_a_retired_key_is_withdrawn_and_the_active_one_only_by_rotation(world: World) -> None:
    fresh = a_key()
    await world.stores.keys.add_announced(fresh, event=an_event())
    await world.stores.keys.activate(fresh.kid, instead_of=world.kid, at=NOW, remove_at=NOW + 99, event=an_event())
    with pytest.raises(KeyIsUsed):
        await world.revoke("kid", fresh.kid)
    assert await world.state(world.facts()) == "alive"
    retired = await world.revoke("kid", world.kid)
    assert (retired.found, retired.changed) == (True, True)
    again = await world.revoke("kid", world.kid)
    assert (again.found, again.changed) == (True, False)
    assert await world.entries() == [("kid", world.kid, 0)]
    assert await world.state(world.facts()) == "kid"


async def test_the_audit_event_is_written_with_the_change_and_only_then(world: World) -> None:
    target = RevocationTarget(kind="user", value=world.user.id)
    await world.stores.revocations.revoke(target, at=NOW, reason="x", event=an_event(type="user.revoked"))
    ghost = RevocationTarget(kind="user", value="ghost")
    await world.stores.revocations.revoke(ghost, at=NOW, reason="x", event=an_event(type="user.revoked"))
    assert len((await world.stores.audit.list(PageRequest(), AuditFilter(type="user.revoked"))).items) == 1


async def test_the_outbox_is_read_in_order_from_a_cursor(world: World) -> None:
    for name in ("a", "b", "c"):
        await world.revoke("jti", name, expires_at=NOW + 99)
    first, second, _ = await world.outbox()
    after = await world.stores.revocations.outbox(after=first.id, limit=1)
    assert list(after) == [second]
