"""AuthorizationStore: one pushed request gives one code, one code gives one family."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from authserver.ids import uuid7
from authserver.model.authorization import AuthorizationCode
from authserver.model.page import PageRequest
from authserver.model.session import Session
from authserver.model.time import DAY, MINUTE
from authserver.storage.interface import AuditFilter, FirstFamilies, Redeemed, StorageUnavailable
from tests.storage.builders import (
    NOW,
    a_client,
    a_code,
    a_consent,
    a_pushed_request,
    a_session,
    a_user,
    an_authorization_request,
    an_event,
    digest,
    first_families,
    with_offline,
)
from tests.storage.conftest import World

FAR = replace(
    an_authorization_request(a_client()),
    claims={"userinfo": {"email": None}, "id_token": {"acr": {"values": ["a"], "essential": True}}},
    authorization_details=({"type": "payment", "amount": {"value": "1", "note": "ü \ud800 \x00"}},),
    acr_values=("x",),
    prompt=("consent",),
    max_age=0,
    nonce="n",
    state="s",
)
"""A request with what JSON can hold and no text column takes: half a surrogate pair, a NUL."""


async def coded(world: World, **changes: Any) -> tuple[Session, AuthorizationCode]:
    session = await world.browser()
    code = a_code(session, world.client, **changes)
    assert await world.stores.authorizations.add_code(code, pushed=None, event=an_event())
    return session, code


def first_of(world: World, session: Session, code: AuthorizationCode, **changes: Any) -> FirstFamilies:
    return first_families(session, world.client, code.family_id, **changes)


async def redeem(world: World, code: AuthorizationCode, first: FirstFamilies, at: int = NOW + 1) -> Any:
    event = an_event(type="code.redeemed")
    return await world.stores.authorizations.redeem(code.handle_hash, at=at, first=first, event=event)


async def replayed(world: World, code: AuthorizationCode) -> Any:
    event = an_event(type="code.replayed")
    return await world.stores.authorizations.replayed(code.family_id, at=NOW + 5, event=event)


async def events(world: World, type: str) -> int:
    return len((await world.stores.audit.list(PageRequest(), AuditFilter(type=type))).items)


# -- pushed requests


async def test_a_pushed_request_comes_back_as_it_was_until_it_expires(world: World) -> None:
    pushed = a_pushed_request(world.client, request=FAR)
    await world.stores.authorizations.push(pushed)
    for _ in range(2):  # looking at it spends nothing
        assert await world.stores.authorizations.pushed(pushed.handle_hash, now=NOW + MINUTE - 1) == pushed
    assert await world.stores.authorizations.pushed(pushed.handle_hash, now=NOW + MINUTE) is None
    assert await world.stores.authorizations.pushed(digest("another"), now=NOW) is None


async def test_a_pushed_request_gives_one_code_however_many_race(world: World) -> None:
    store, session = world.stores.authorizations, await world.browser()
    pushed = a_pushed_request(world.client)
    await store.push(pushed)
    codes = [a_code(session, world.client) for _ in range(20)]
    kept = await asyncio.gather(
        *(store.add_code(code, pushed=pushed.handle_hash, event=an_event(type="code.issued")) for code in codes)
    )
    assert kept.count(True) == 1
    assert await store.pushed(pushed.handle_hash, now=NOW) is None
    stored = [await store.code(code.handle_hash) for code in codes]
    assert [code is not None for code in stored] == kept
    assert await events(world, "code.issued") == 1


@pytest.mark.parametrize("wrong", ["expired", "another client's", "unknown"])
async def test_a_pushed_request_that_is_no_good_gives_no_code(world: World, wrong: str) -> None:
    store, session = world.stores.authorizations, await world.browser()
    pushed = a_pushed_request(world.client if wrong != "another client's" else a_client())
    if wrong != "unknown":
        await store.push(pushed)
    code = a_code(session, world.client, created_at=pushed.expires_at if wrong == "expired" else NOW)
    assert not await store.add_code(code, pushed=pushed.handle_hash, event=an_event(type="code.issued"))
    assert await store.code(code.handle_hash) is None
    assert await events(world, "code.issued") == 0


# -- codes


async def test_a_code_comes_back_as_it_was_stored_and_then_as_spent(world: World) -> None:
    request = replace(FAR, client_id=world.client.id)
    session, code = await coded(world, request=request)
    assert await world.stores.authorizations.code(code.handle_hash) == code
    await redeem(world, code, first_of(world, session, code))
    assert await world.stores.authorizations.code(code.handle_hash) == replace(code, spent_at=NOW + 1)
    assert await world.stores.authorizations.code(digest("another")) is None


async def test_a_redeemed_code_opens_its_family_under_the_session_at_the_stored_versions(world: World) -> None:
    await world.revoke("all")
    await world.revoke("user", world.user.id)
    await world.revoke("client", world.client.id)
    session, code = await coded(world)
    first = first_of(world, session, code, bound_to="jkt:x")
    assert await redeem(world, code, first) == Redeemed((1, 1, 1), None)
    stored = await world.stores.families.get(code.family_id)
    assert stored == replace(first.family, user_version=1, client_version=1, issuer_version=1)
    assert await world.is_alive(first.family)
    assert await events(world, "code.redeemed") == 1


async def test_of_racing_redeems_exactly_one_gets_the_family(world: World) -> None:
    session, code = await coded(world)
    first = with_offline(first_of(world, session, code), world.user, world.client)
    answers = await asyncio.gather(*(redeem(world, code, first) for _ in range(20)))
    assert answers.count("spent") == 19
    assert Redeemed((0, 0, 0), (0, 0, 0)) in answers
    assert len(await world.sql("SELECT id FROM families")) == 2
    assert await events(world, "code.redeemed") == 1


async def test_a_code_is_late_at_its_end(world: World) -> None:
    session, code = await coded(world)
    assert await redeem(world, code, first_of(world, session, code), at=code.expires_at) == "expired"
    assert await world.stores.families.get(code.family_id) is None
    assert await world.stores.authorizations.code(code.handle_hash) == code


async def test_a_code_gives_no_family_but_the_one_it_names(world: World) -> None:
    session, code = await coded(world)
    other = a_client()
    await world.stores.clients.add(other, event=an_event())
    somebody = a_user()
    wrong = [
        first_families(session, world.client, uuid7(NOW)),
        first_families(session, other, code.family_id),
        first_families(await world.browser(), world.client, code.family_id),
        first_families(replace(session, user_id=somebody.id), world.client, code.family_id),
    ]
    assert [await redeem(world, code, first) for first in wrong] == ["expired"] * 4
    assert isinstance(await redeem(world, code, first_of(world, session, code)), Redeemed)


@pytest.mark.parametrize("gone", ["session", "user", "disabled", "client", "all"])
async def test_a_code_whose_giver_is_no_more_is_over_and_spent(world: World, gone: str) -> None:
    session, code = await coded(world)
    first = with_offline(first_of(world, session, code), world.user, world.client)
    if gone == "session":
        await world.stores.sessions.end(session.id, at=NOW, reason="x", event=an_event())
    elif gone == "disabled":
        await world.sql("UPDATE users SET enabled = false")
    elif gone == "client":
        await world.stores.clients.set_enabled(world.client.id, False, at=NOW, event=an_event())
    else:
        await world.revoke(gone, world.user.id if gone == "user" else "")
    assert await redeem(world, code, first) == "over"
    assert await redeem(world, code, first) == "spent"
    assert await world.sql("SELECT id FROM families") == []
    assert len(await world.sql("SELECT id FROM sessions")) == 1
    assert await events(world, "code.redeemed") == 0


@pytest.mark.parametrize("deadline", [{"idle_until": NOW + 50}, {"abs_until": NOW + 50}])
async def test_a_code_of_a_session_that_has_expired_is_over(world: World, deadline: dict[str, int]) -> None:
    session = await world.browser(**deadline)
    code = a_code(session, world.client)
    await world.stores.authorizations.add_code(code, pushed=None, event=an_event())
    assert await redeem(world, code, first_of(world, session, code), at=NOW + 50) == "over"


# -- offline access


async def test_offline_access_outlives_the_log_out_and_dies_by_the_versions_of_the_log_in(world: World) -> None:
    session, code = await coded(world)
    first = with_offline(first_of(world, session, code), world.user, world.client)
    assert first.offline is not None
    offline_session, offline = first.offline
    assert await redeem(world, code, first) == Redeemed((0, 0, 0), (0, 0, 0))
    await world.stores.sessions.end(session.id, at=NOW + 2, reason="logout", event=an_event())
    assert [await world.is_alive(family) for family in (first.family, offline)] == [False, True]
    stored = await world.stores.families.get(offline.id)
    assert stored == offline
    found = await world.stores.sessions.get(offline_session.id, now=NOW + 3)
    assert found == offline_session
    await world.revoke("user", world.user.id)
    assert not await world.is_alive(offline)


async def test_an_offline_session_of_somebody_else_is_not_opened(world: World) -> None:
    session, code = await coded(world)
    stranger = a_user()
    await world.stores.users.add(stranger, event=an_event())
    first = first_of(world, session, code)
    offline = a_session(stranger, kind="token", secret_hash=None)
    family = replace(first.family, id=uuid7(NOW), session_id=offline.id, user_id=stranger.id)
    with pytest.raises(StorageUnavailable):  # a bug of the caller's, and nothing is written
        await redeem(world, code, replace(first, offline=(offline, family)))
    assert await world.sql("SELECT id FROM families") == []


# -- replays


async def test_a_replay_ends_everything_the_code_gave_and_nothing_else(world: World) -> None:
    session, code = await coded(world)
    first = with_offline(first_of(world, session, code), world.user, world.client)
    assert first.offline is not None
    sibling = await world.family_of(session)
    await redeem(world, code, first)
    outcome = await replayed(world, code)
    assert (outcome.found, outcome.changed, outcome.sessions, outcome.families) == (True, True, 1, 2)
    assert [await world.is_alive(each) for each in (first.family, first.offline[1], sibling)] == [False, False, True]
    assert await world.stores.sessions.get(first.offline[0].id, now=NOW + 6) is None
    assert await world.stores.sessions.get(session.id, now=NOW + 6) is not None
    assert sorted(await world.entries()) == sorted([("sid", first.family.id, 0), ("sid", first.offline[1].id, 0)])
    assert outcome.outbox_id == (await world.outbox())[-1].id
    again = await replayed(world, code)
    assert (again.found, again.changed) == (True, False)
    assert await events(world, "code.replayed") == 1


async def test_a_replay_finds_what_the_code_gave_when_the_log_ins_family_is_long_gone(world: World) -> None:
    session, code = await coded(world)
    first = with_offline(first_of(world, session, code), world.user, world.client)
    assert first.offline is not None
    await redeem(world, code, first)
    await world.sql("DELETE FROM families WHERE id = :id", id=first.family.id)
    assert (await replayed(world, code)).sessions == 1
    assert not await world.is_alive(first.offline[1])


async def test_a_replay_of_an_unknown_code_is_not_found(world: World) -> None:
    outcome = await world.stores.authorizations.replayed(uuid7(NOW), at=NOW, event=an_event())
    assert (outcome.found, outcome.changed) == (False, False)


async def test_families_that_merely_speak_of_the_code_s_are_left_alone(world: World) -> None:
    session, code = await coded(world)
    await redeem(world, code, first_of(world, session, code))
    details = ({"type": "x", "sid": code.family_id},)
    other = await world.login(terms=replace(first_of(world, session, code).family.terms, authorization_details=details))
    await replayed(world, code)
    assert await world.is_alive(other[1])


# -- how long it is remembered


async def test_a_code_is_known_for_spent_as_long_as_what_it_gave_may_live(world: World) -> None:
    session, code = await coded(world)
    plain, idle = await coded(world), await coded(world)
    await redeem(world, code, with_offline(first_of(world, session, code), world.user, world.client))
    await redeem(world, plain[1], first_of(world, *plain))
    kept = {code.handle_hash: NOW + 30 * DAY, plain[1].handle_hash: NOW + DAY, idle[1].handle_hash: NOW + MINUTE}
    stored = await world.sql("SELECT handle_hash, kept_until FROM authorization_codes")
    assert {bytes(row.handle_hash): row.kept_until for row in stored} == kept


# -- what a code stands on


async def test_a_code_that_stands_on_a_consent_needs_one(world: World) -> None:
    code = a_code(await world.browser(), world.client)
    store = world.stores.authorizations
    assert not await store.add_code(code, pushed=None, consented=True, event=an_event(type="code.issued"))
    assert (await store.code(code.handle_hash), await events(world, "code.issued")) == (None, 0)
    await world.stores.consents.grant(a_consent(world.user, world.client), event=an_event())
    assert await store.add_code(code, pushed=None, consented=True, event=an_event(type="code.issued"))


async def test_a_code_knows_its_clients_version_and_is_over_with_another_one(world: World) -> None:
    session, code = await coded(world, client_version=world.client.version)
    later, older = await coded(world, client_version=7), await world.stores.authorizations.code(code.handle_hash)
    assert older == code
    assert await world.stores.authorizations.code(later[1].handle_hash) == later[1]
    wrong = replace(first_of(world, *later), client_version=7)
    assert await redeem(world, later[1], wrong) == "over"
    right = replace(first_of(world, session, code), client_version=world.client.version)
    assert isinstance(await redeem(world, code, right), Redeemed)
