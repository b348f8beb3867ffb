"""SessionStore: beginning, being alive, ending."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from authserver.model.page import PageRequest
from authserver.model.session import Session
from authserver.model.time import DAY, HOUR, MINUTE
from authserver.storage.interface import AlreadyExists, SessionFilter, SessionTouch
from authserver.storage.sql import rows
from tests.conftest import Stores
from tests.storage.builders import NOW, a_client, a_family, a_session, a_user, an_event, digest
from tests.storage.conftest import World

LATER = NOW + 10


async def test_a_browser_session_is_known_by_its_secret_only(world: World) -> None:
    session = await world.browser(acr="urn:acr", client_id=world.client.id)
    sessions = world.stores.sessions
    assert await sessions.authenticate(session.id, digest("cookie"), now=LATER) == session
    assert await sessions.authenticate(session.id, digest("guess"), now=LATER) is None
    assert await sessions.authenticate("unknown", digest("cookie"), now=LATER) is None
    assert await sessions.get(session.id, now=LATER) == session


async def test_a_log_in_is_born_with_the_stored_versions_not_the_claimed_ones(world: World) -> None:
    await world.revoke("user", world.user.id)
    await world.revoke("all")
    await world.revoke("all")
    session = a_session(world.user, kind="token", user_version=77, issuer_version=77)
    family = a_family(session, world.client, user_version=77, client_version=77, issuer_version=77)
    begun = await world.stores.sessions.begin(session, family, password_hash="$hash$1", event=an_event())
    assert begun == (1, 0, 2)
    stored = await world.stores.families.get(family.id)
    assert stored is not None
    assert stored.versions == (1, 0, 2)
    assert stored == replace(family, user_version=1, client_version=0, issuer_version=2)


@pytest.mark.parametrize("spoil", ["password", "user disabled", "unknown user", "client disabled", "unknown client"])
async def test_a_log_in_that_fails_a_check_writes_nothing(world: World, spoil: str) -> None:
    user, client = world.user, world.client
    if spoil == "user disabled":
        await world.stores.users.set_enabled(user.id, False, at=NOW, event=an_event())
    if spoil == "client disabled":
        await world.stores.clients.set_enabled(client.id, False, at=NOW, event=an_event())
    session = a_session(a_user() if spoil == "unknown user" else user, kind="token")
    family = a_family(session, a_client() if spoil == "unknown client" else client)
    password = "$other" if spoil == "password" else "$hash$1"
    event = an_event(type="login.succeeded")
    assert await world.stores.sessions.begin(session, family, password_hash=password, event=event) is None
    assert await world.sql("SELECT id FROM sessions UNION SELECT id FROM families") == []
    assert await world.sql("SELECT id FROM audit WHERE type = 'login.succeeded'") == []


def _renewed(session: Session, **changes: Any) -> Session:
    """As its user's second log-in would have it, a minute later."""
    later = {
        "secret_hash": digest("second cookie"),
        "auth_time": NOW + MINUTE,
        "last_seen_at": NOW + MINUTE,
        "idle_until": NOW + HOUR + MINUTE,
        "abs_until": NOW + DAY + MINUTE,
        "acr": "urn:second",
        "amr": ("pwd", "otp"),
        "user_agent": "second browser",
        "address": "198.51.100.2",
    }
    return replace(session, **{**later, **changes})


async def _renew(
    world: World, renewed: Session, cookie: str = "cookie", password: str = "$hash$1", since: int = NOW + 1
) -> Session | str | None:
    event = an_event(type="login.succeeded", session_id=renewed.id)
    return await world.stores.sessions.renew(
        renewed, digest(cookie), repeated_since=since, password_hash=password, event=event
    )


async def test_a_renewed_session_has_a_new_secret_and_keeps_its_families(world: World) -> None:
    session = await world.browser()
    family = await world.family_of(session)
    renewed = _renewed(session)
    assert await _renew(world, _renewed(session, created_at=77, user_version=77, issuer_version=77)) == renewed
    sessions = world.stores.sessions
    assert await sessions.authenticate(session.id, digest("second cookie"), now=NOW + MINUTE) == renewed
    assert await sessions.authenticate(session.id, digest("cookie"), now=NOW + MINUTE) is None
    assert await world.is_alive(family)
    assert await world.stores.families.get(family.id) == family
    assert await world.sql("SELECT session_id FROM audit WHERE type = 'login.succeeded'") == [(session.id,)]
    assert await world.entries() == []


async def test_a_session_that_its_browser_left_is_renewed_too(world: World) -> None:
    session = await world.browser(idle_until=NOW + 1)
    assert await _renew(world, _renewed(session)) == _renewed(session)


async def test_a_log_in_that_is_sent_twice_renews_twice(world: World) -> None:
    session = await world.browser()
    assert await _renew(world, _renewed(session)) == _renewed(session)
    again = _renewed(session, secret_hash=digest("third cookie"))
    assert await _renew(world, again, "cookie", since=NOW + MINUTE + 1) is None
    assert await _renew(world, again, "cookie", since=NOW + MINUTE) == again
    assert await world.stores.sessions.authenticate(session.id, digest("second cookie"), now=NOW + MINUTE) is None


@pytest.mark.parametrize(
    "spoil",
    [
        "cookie",
        "password",
        "another user",
        "ended",
        "over",
        "through a client",
        "no browser",
        "revoked",
        "all",
        "shut out",
    ],
)
async def test_what_may_not_go_on_is_not_renewed_and_nothing_is_written(world: World, spoil: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "over": {"abs_until": NOW + MINUTE},
        "through a client": {"client_id": world.client.id},
        "no browser": {"kind": "token"},
    }
    session = await world.browser(**changes.get(spoil, {}))
    other = a_user()
    await world.stores.users.add(other, event=an_event())
    if spoil == "ended":
        await world.stores.sessions.end(session.id, at=NOW, reason="logout", event=an_event())
    if spoil == "revoked":
        await world.revoke("user", world.user.id)
    if spoil == "all":
        await world.revoke("all")
    if spoil == "shut out":
        await world.stores.users.set_enabled(world.user.id, False, at=NOW, event=an_event())
    before = await world.sql("SELECT * FROM sessions")
    renewed = _renewed(session, user_id=other.id if spoil == "another user" else world.user.id)
    cookie = "guess" if spoil == "cookie" else "cookie"
    password = "$other" if spoil == "password" else "$hash$1"
    changed = "changed" if spoil in ("password", "shut out") else None
    assert await _renew(world, renewed, cookie, password) == changed
    assert await world.sql("SELECT * FROM sessions") == before
    assert await world.sql("SELECT id FROM audit WHERE type = 'login.succeeded'") == []


async def test_a_session_id_is_taken_once(world: World) -> None:
    session = await world.browser()
    with pytest.raises(AlreadyExists):
        await world.stores.sessions.begin(session, None, password_hash=None, event=an_event())


async def test_a_session_ends_with_its_idle_and_its_absolute_deadline(world: World) -> None:
    session = await world.browser(idle_until=NOW + 100, abs_until=NOW + 200)
    sessions = world.stores.sessions
    assert await sessions.authenticate(session.id, digest("cookie"), now=NOW + 99) is not None
    assert await sessions.authenticate(session.id, digest("cookie"), now=NOW + 100) is None
    assert await sessions.get(session.id, now=NOW + 100) is None


async def test_a_touch_moves_the_idle_end_but_rarely_and_never_past_the_absolute_one(world: World) -> None:
    session = await world.browser(abs_until=NOW + 2 * HOUR)
    touch = SessionTouch(idle=HOUR, interval=MINUTE)

    async def used(after: int) -> tuple[int, int]:
        found = await world.stores.sessions.authenticate(session.id, digest("cookie"), now=NOW + after, touch=touch)
        assert found is not None
        return found.last_seen_at - NOW, found.idle_until - NOW

    assert await used(MINUTE - 1) == (0, HOUR)
    assert await used(MINUTE) == (MINUTE, MINUTE + HOUR)
    assert await used(MINUTE + 5) == (MINUTE, MINUTE + HOUR)
    assert await used(HOUR + MINUTE - 1) == (HOUR + MINUTE - 1, 2 * HOUR)


@pytest.mark.parametrize("kind", ["user", "all"])
async def test_a_session_dies_with_the_version_it_was_born_under(world: World, kind: str) -> None:
    session = await world.browser()
    await world.revoke(kind, world.user.id if kind == "user" else "")
    assert await world.stores.sessions.authenticate(session.id, digest("cookie"), now=LATER) is None
    assert await world.stores.sessions.get(session.id, now=LATER) is None


async def test_a_token_session_lives_as_long_as_one_of_its_families(world: World) -> None:
    session, family = await world.login(idle_until=NOW + 100)
    sessions = world.stores.sessions
    assert await sessions.get(session.id, now=LATER) is not None
    assert await sessions.authenticate(session.id, digest("cookie"), now=LATER) is None
    assert await sessions.get(session.id, now=NOW + 100) is None
    await world.stores.families.end(family.id, client_id=None, at=LATER, reason="x", event=an_event())
    assert await sessions.get(session.id, now=LATER) is None


async def test_a_token_session_in_use_outlives_the_idle_end_of_its_first_day(world: World) -> None:
    session, family = await world.login()
    await world.rotate(family, "s0", "s1", now=NOW + HOUR - 1)
    found = await world.stores.sessions.get(session.id, now=NOW + HOUR + 1)
    assert found is not None
    assert found.last_seen_at == NOW + HOUR - 1


async def test_a_family_opens_under_a_living_session_only(world: World) -> None:
    session = await world.browser()
    assert await world.is_alive(await world.family_of(session))
    stores = world.stores
    refused = [
        a_family(a_session(world.user), world.client),
        a_family(session, a_client()),
        a_family(session, world.client, user_id=a_user().id),
        a_family(session, world.client, created_at=NOW + DAY),
    ]
    await stores.sessions.end(session.id, at=LATER, reason="logout", event=an_event())
    for family in (*refused, a_family(session, world.client)):
        assert await stores.sessions.add_family(family, event=an_event(type="family.opened")) is None
        assert await stores.families.get(family.id) is None
    assert await world.sql("SELECT id FROM audit WHERE type = 'family.opened'") == []


async def test_ending_a_session_ends_its_families_with_an_entry_each_and_is_idempotent(world: World) -> None:
    session = await world.browser()
    families = [await world.family_of(session) for _ in range(3)]
    await world.stores.families.end(families[0].id, client_id=None, at=NOW + 1, reason="x", event=an_event())
    outcome = await world.stores.sessions.end(session.id, at=LATER, reason="logout", event=an_event())
    assert (outcome.found, outcome.changed, outcome.sessions, outcome.families) == (True, True, 1, 2)
    assert sorted(await world.entries()) == sorted(("sid", family.id, 0) for family in families)
    assert outcome.outbox_id == (await world.outbox())[-1].id
    again = await world.stores.sessions.end(session.id, at=LATER + 1, reason="again", event=an_event(type="again"))
    assert (again.found, again.changed, again.outbox_id) == (True, False, None)
    assert len(await world.entries()) == 3
    assert await world.sql("SELECT id FROM audit WHERE type = 'again'") == []
    stored = await world.stores.families.get(families[1].id)
    assert stored is not None
    assert (stored.dead_at, stored.dead_reason) == (LATER, "logout")


async def test_ending_an_unknown_session_finds_nothing(stores: Stores) -> None:
    outcome = await stores.sessions.end("unknown", at=NOW, reason="x", event=an_event())
    assert (outcome.found, outcome.changed) == (False, False)


async def test_ending_the_others_keeps_the_one_and_leaves_other_users_alone(world: World) -> None:
    kept, other = await world.browser(), await world.browser()
    session, family = await world.login()
    stranger = a_user()
    await world.stores.users.add(stranger, event=an_event())
    theirs = a_session(stranger)
    await world.stores.sessions.begin(theirs, None, password_hash=None, event=an_event())
    outcome = await world.stores.sessions.end_others(world.user.id, kept.id, at=LATER, reason="x", event=an_event())
    assert (outcome.changed, outcome.sessions, outcome.families) == (True, 2, 1)
    alive = [
        id
        for id in (kept.id, other.id, session.id, theirs.id)
        if await world.stores.sessions.get(id, now=LATER) is not None
    ]
    assert alive == [kept.id, theirs.id]
    assert await world.entries() == [("sid", family.id, 0)]


async def test_more_sessions_than_a_statement_takes_parameters_can_be_ended_at_once(world: World) -> None:
    kept = await world.browser()
    await world.login()
    many = 33_000
    columns = ", ".join(name for name in rows.SESSION if name != "id")
    await world.sql(
        f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many})"
        f" INSERT INTO sessions (id, {columns}) SELECT 's' || i, {columns} FROM sessions, n WHERE id = :id",
        id=kept.id,
    )
    outcome = await world.stores.sessions.end_others(world.user.id, kept.id, at=LATER, reason="x", event=an_event())
    assert (outcome.sessions, outcome.families, outcome.outbox_id is None) == (many + 1, 1, False)
    assert await world.sql("SELECT id FROM sessions WHERE dead_at IS NULL") == [(kept.id,)]


@pytest.mark.parametrize("target", ["user", "client", "all", "family"])
async def test_a_list_of_all_tells_what_a_revocation_ended(world: World, target: str) -> None:
    session, family = await world.login()
    named = {"user": world.user.id, "client": world.client.id, "all": "", "family": family.id}[target]
    assert await state_in_list(world) == {session.id: (True, None)}
    await world.revoke(target, named)
    assert await state_in_list(world) == {session.id: (False, "test" if target == "family" else "revoked")}


async def test_a_list_of_all_tells_how_each_session_ended(world: World) -> None:
    alive, expired, ended = await world.browser(), await world.browser(idle_until=NOW + 1), await world.browser()
    unrefreshed, _ = await world.login(idle_until=NOW + 1)
    await world.stores.sessions.end(ended.id, at=NOW + 1, reason="logged out", event=an_event())
    assert await state_in_list(world) == {
        alive.id: (True, None),
        expired.id: (False, "expired"),
        ended.id: (False, "logged out"),
        unrefreshed.id: (False, "expired"),
    }


async def state_in_list(world: World) -> dict[str, tuple[bool, str | None]]:
    page = await world.stores.sessions.list(PageRequest(), SessionFilter(include_dead=True), now=LATER)
    return {session.id: (session.alive, session.dead_reason) for session in page.items}


async def test_lists_show_the_living_newest_first(world: World) -> None:
    first, ended = await world.browser(client_id=world.client.id), await world.browser()
    token, _ = await world.login()
    last = await world.browser()
    await world.stores.sessions.end(ended.id, at=NOW + 1, reason="x", event=an_event())

    async def listed(**where: object) -> list[str]:
        page = await world.stores.sessions.list(PageRequest(), SessionFilter(**where), now=LATER)  # type: ignore[arg-type]  # mixed values
        return [session.id for session in page.items]

    assert await listed() == [last.id, token.id, first.id]
    assert await listed(include_dead=True) == [last.id, token.id, ended.id, first.id]
    assert await listed(client_id=world.client.id) == [token.id, first.id]
    assert await listed(user_id="nobody") == []
    page = await world.stores.sessions.list(PageRequest(limit=2), SessionFilter(user_id=world.user.id), now=LATER)
    assert page.next_after == token.id
    rest = await world.stores.sessions.list(PageRequest(limit=2, after=page.next_after), SessionFilter(), now=LATER)
    assert [session.id for session in rest.items] == [first.id]
