"""Whatever takes something back tells the others at once, so that they need not wait for their next poll."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from authserver.model.audit import SYSTEM
from authserver.storage.channels import REVOCATIONS
from tests import people
from tests.site import LogIn, Site

site = people.site


async def end_one(site: Site, login: LogIn) -> None:
    (session,) = (await site.http.get("/sessions", headers=login.bearer)).json()["sessions"]
    await site.http.delete(f"/sessions/{session['session_id']}", headers=login.bearer)


async def end_others(site: Site, login: LogIn) -> None:
    await site.log_in(login.user, login.client)
    await site.http.delete("/sessions?except=current", headers=login.bearer)


async def set_password(site: Site, login: LogIn) -> None:
    await site.services.directory.set_password(login.user.id, "another horse entirely", caller=SYSTEM)


async def disable_user(site: Site, login: LogIn) -> None:
    await site.services.directory.set_enabled(login.user.id, False, caller=SYSTEM)


async def remove_user(site: Site, login: LogIn) -> None:
    await site.services.directory.remove(login.user.id, caller=SYSTEM)


async def disable_client(site: Site, login: LogIn) -> None:
    path, admin = f"/admin/clients/{login.client.id}", await site.admin()
    assert (await site.http.patch(path, headers=admin, json={"enabled": False})).status_code == 200


async def remove_client(site: Site, login: LogIn) -> None:
    path, admin = f"/admin/clients/{login.client.id}", await site.admin()
    assert (await site.http.delete(path, headers=admin)).status_code == 204


async def reuse_a_refresh_token(site: Site, login: LogIn) -> None:
    stolen = dict(login.tokens)
    await site.refresh(login)
    await site.refresh(login)
    login.tokens = stolen
    assert (await site.refresh(login)).json()["error_reason"] == "reused"


async def revoke_a_token(site: Site, login: LogIn) -> None:
    form = {"token": login.tokens["refresh_token"], "client_id": login.client.id}
    assert (await site.http.post("/revoke", data=form)).status_code == 200


ENDINGS = [
    end_one,
    end_others,
    set_password,
    disable_user,
    remove_user,
    disable_client,
    remove_client,
    reuse_a_refresh_token,
    revoke_a_token,
]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
async def test_the_others_are_told(site: Site, ending: Callable[[Site, LogIn], Awaitable[None]]) -> None:
    login = await site.log_in(await site.user(), await site.app())
    told = site.services.bus.subscribe(REVOCATIONS)
    await anext(told)  # the empty one, which says that it listens
    await ending(site, login)
    async with asyncio.timeout(2):
        await anext(told)


async def test_an_account_that_is_enabled_again_is_no_revocation(site: Site) -> None:
    user = await site.user()
    await disable_user(site, LogIn(user, await site.app()))
    told = site.services.bus.subscribe(REVOCATIONS)
    await anext(told)
    await site.services.directory.set_enabled(user.id, True, caller=SYSTEM)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(told)
