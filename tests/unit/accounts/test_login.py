"""Log-in when something fails half-way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from authserver.accounts.errors import InvalidCredentials
from authserver.accounts.login import Login, PasswordAttempt
from authserver.accounts.passwords import Passwords
from authserver.audit.events import EventType
from authserver.model.audit import SYSTEM, Caller
from authserver.model.page import PageRequest
from authserver.model.time import Duration, Instant
from authserver.storage.interface import SessionFilter, StorageUnavailable, ThrottleStore
from tests import people
from tests.people import HERE
from tests.site import API, PASSWORD, Party, Site

site = people.site
CALLER = Caller(actor="anonymous", address=HERE)


class ForgetsToRefund:
    """The database goes away after the log-in was stored."""

    def __init__(self, inner: ThrottleStore) -> None:
        self._inner = inner

    async def admit(self, bucket: bytes, *, burst: int, interval: Duration, now: Instant) -> Duration:
        return await self._inner.admit(bucket, burst=burst, interval=interval, now=now)

    async def refund(self, bucket: bytes, *, interval: Duration) -> None:
        raise StorageUnavailable("gone")


def attempt(username: str, app: Party, **changes: object) -> PasswordAttempt:
    made = PasswordAttempt(username=username, password=PASSWORD, client=app.record, scope=("read",), resources=(API,))
    return replace(made, **changes)  # type: ignore[arg-type]  # mixed values


async def sessions_of(site: Site, user_id: str) -> int:
    services = site.services
    page = await services.session_store.list(PageRequest(), SessionFilter(user_id=user_id), now=services.now())
    return len(page.items)


async def test_what_fails_after_the_session_is_stored_does_not_refuse_it(site: Site) -> None:
    login: Login = site.services.login
    broken = replace(login, throttle=replace(login.throttle, store=ForgetsToRefund(login.throttle.store)))
    user = await site.user()
    logged_in = await broken.with_password(attempt(user.username, await site.app()), CALLER)
    assert logged_in.refresh_token
    assert await sessions_of(site, user.id) == 1


async def test_a_refused_log_in_stores_nothing_and_ends_nothing(site: Site) -> None:
    login, app, user = site.services.login, await site.app(), await site.user()
    first = await login.with_password(attempt(user.username, app, mode="session"), CALLER)
    wrong = attempt(user.username, app, mode="session", password="wrong", session_cookie=first.session_cookie)
    with pytest.raises(InvalidCredentials):
        await login.with_password(wrong, CALLER)
    assert await sessions_of(site, user.id) == 1


async def test_a_client_disabled_between_check_and_log_in_stores_nothing(site: Site) -> None:
    app, user, services = await site.app(), await site.user(), site.services
    event = services.audit.event(EventType.CLIENT_DISABLED, SYSTEM)
    await services.clients.set_enabled(app.id, False, at=services.now(), event=event)
    with pytest.raises(InvalidCredentials):
        await services.login.with_password(attempt(user.username, app), CALLER)
    assert await sessions_of(site, user.id) == 0


async def test_no_credential_prints_itself(site: Site) -> None:
    app, user = await site.app(), await site.user()
    made = attempt(user.username, app, mode="session")
    logged_in = await site.services.login.with_password(made, CALLER)
    shown = repr(made) + repr(logged_in)
    for secret in (PASSWORD, logged_in.session_cookie or "", logged_in.csrf_token or "", logged_in.device_cookie):
        assert secret
        assert secret not in shown


async def test_log_ins_beside_one_that_renews_the_hash_succeed_too(site: Site) -> None:
    """Both read the old hash; the one that is done first stores a new one."""
    login, app, user = site.services.login, await site.app(), await site.user()
    stored = (await site.services.users.get(user.id) or user).password_hash or ""

    class RenewedMeanwhile:
        """Passwords, but another log-in renews the hash while this one is checked."""

        async def verify(self, password: str, of: str | None) -> bool:
            right = await login.passwords.verify(password, of)
            await site.services.users.rehash_password(user.id, stored, await login.passwords.hash(password))
            return right

        def needs_rehash(self, of: str) -> bool:
            return False

    beside = replace(login, passwords=cast("Passwords", RenewedMeanwhile()))
    logged_in = await beside.with_password(attempt(user.username, app), CALLER)
    assert logged_in.refresh_token
    assert await sessions_of(site, user.id) == 1


async def test_a_recognised_device_stays_the_same_until_the_password_changes(site: Site) -> None:
    services, app, user = site.services, await site.app(), await site.user()

    async def log_in(password: str, cookie: str | None = None) -> str:
        made = attempt(user.username, app, password=password, device_cookie=cookie)
        return (await services.login.with_password(made, CALLER)).device_cookie

    def device(cookie: str) -> bytes:
        parsed = services.device_cookies.parse(cookie, user.username_key, services.now())
        assert parsed is not None
        return parsed.id

    first = await log_in(PASSWORD)
    again = await log_in(PASSWORD, first)
    assert device(first) == device(again)
    await services.directory.set_password(user.id, "an entirely new one 77", caller=SYSTEM)
    assert device(await log_in("an entirely new one 77", again)) != device(first)


async def test_a_log_in_that_is_given_up_leaves_its_turn_to_the_next(site: Site) -> None:
    login, app, user = site.services.login, await site.app(), await site.user()
    given_up = [asyncio.create_task(login.with_password(attempt(user.username, app), CALLER)) for _ in range(8)]
    await asyncio.sleep(0.002)
    for task in given_up:
        task.cancel()
    await asyncio.gather(*given_up, return_exceptions=True)
    assert not login.throttle._gate._lanes
