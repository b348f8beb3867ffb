"""Attacks on the device grant: guessed user codes, codes of others, keys of others (ATTACKS C)."""

from __future__ import annotations

import asyncio

import pytest

from authserver.model.audit import Caller
from authserver.model.errors import TooManyRequests
from authserver.model.time import SECOND
from authserver.oauth.device import DEVICE_CODE, GUESSES, UnknownUserCode
from authserver.verifier.testing import ProofKey
from tests.browser import Browser
from tests.grants.test_device_code import answer, ask, person, poll, television
from tests.people import pass_time
from tests.site import ISSUER, TEST, Party, Site, claims_of
from tests.storage.builders import a_session

__all__ = ["television"]


async def typed(browser: Browser, code: str) -> int:
    await browser.get("/device")
    await browser.submit("device", user_code=code)
    return int(browser.page.status)


async def test_a_right_code_of_ones_own_gives_no_wrong_guess_back(site: Site, television: Party) -> None:
    browser, own = await person(site), (await ask(site, television))["user_code"]
    statuses = []
    for _ in range(GUESSES):
        assert await typed(browser, own) in (200, 429)
        statuses.append(await typed(browser, "BBBB-BBBB"))
    assert statuses == [400] * GUESSES
    assert await typed(browser, "BBBB-BBBB") == 429


async def test_another_account_at_the_same_address_has_no_guesses_left_either(site: Site, television: Party) -> None:
    first, second = await person(site), await person(site)
    for _ in range(GUESSES):
        assert await typed(first, "BBBB-BBBB") == 400
    assert await typed(second, "BBBB-BBBB") == 429


async def test_a_network_of_addresses_has_the_guesses_of_one(site: Site) -> None:
    wrong = 0
    for number in range(GUESSES + 1):
        caller = Caller(actor="", address=f"2001:db8:0:7::{number:x}")
        session = a_session(await site.user())
        try:
            await site.services.device_authorization.find("BBBB-BBBB", session, caller)
        except UnknownUserCode:
            wrong += 1
        except TooManyRequests:
            break
    assert wrong == GUESSES


async def test_polling_too_fast_is_slowed_down_on_all_servers_and_for_good(site: Site, television: Party) -> None:
    code = (await ask(site, television))["device_code"]
    errors = [(await poll(site, television, code, on=number % 2)).json()["error"] for number in range(3)]
    assert errors == ["authorization_pending", "slow_down", "slow_down"]
    pass_time(site, 6 * SECOND)
    assert (await poll(site, television, code)).json()["error"] == "slow_down"


async def test_of_twenty_that_ask_with_an_approved_code_one_gets_tokens(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    await answer(await person(site), asked["user_code"], "allow")
    answers = await asyncio.gather(*(poll(site, television, asked["device_code"], on=n % 2) for n in range(20)))
    assert sorted(one.status_code for one in answers) == [200] + [400] * 19


async def test_another_clients_try_gives_nothing_and_spends_nothing(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    await answer(await person(site), asked["user_code"], "allow")
    other = await site.client(secret=False, grant_types=(DEVICE_CODE,), scopes=("openid", "read"))
    assert (await poll(site, other, asked["device_code"])).json()["error"] == "invalid_grant"
    assert (await poll(site, television, asked["device_code"])).status_code == 200


@pytest.mark.parametrize("proven", ["nothing", "another key"])
async def test_a_code_that_was_asked_for_with_a_key_is_worth_nothing_without_it(
    site: Site, television: Party, proven: str
) -> None:
    key, other = (ProofKey("ES256", now=lambda: site.services.now() / SECOND) for _ in range(2))
    proof = {"DPoP": key.proof("POST", f"{ISSUER}/device_authorization")}
    form = {"client_id": television.id, "scope": "read"}
    asked = (await site.http.post("/device_authorization", data=form, headers=proof)).json()
    await answer(await person(site), asked["user_code"], "allow")
    form = {"grant_type": DEVICE_CODE, "device_code": asked["device_code"], "client_id": television.id}
    shown = {} if proven == "nothing" else {"DPoP": other.proof("POST", f"{ISSUER}/token")}
    refused = await site.http.post("/token", data=form, headers=shown)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    given = await site.http.post("/token", data=form, headers={"DPoP": key.proof("POST", f"{ISSUER}/token")})
    assert given.json()["token_type"] == "DPoP"


async def test_a_client_that_was_disabled_meanwhile_gets_nothing(site: Site, television: Party) -> None:
    asked, browser = await ask(site, television), await person(site)
    await answer(browser, asked["user_code"], "allow")
    late = await ask(site, television)
    await site.services.client_directory.set_enabled(television.id, False, caller=TEST)
    assert (await poll(site, television, asked["device_code"])).json()["error"] == "invalid_client"
    assert await typed(browser, late["user_code"]) == 400


async def test_a_scope_taken_from_the_client_meanwhile_is_not_given(site: Site, television: Party) -> None:
    asked = await ask(site, television)
    await answer(await person(site), asked["user_code"], "allow")
    await site.services.client_directory.update(television.id, {"scopes": ["openid"]}, caller=TEST)
    given = (await poll(site, television, asked["device_code"], on=0)).json()
    assert given["scope"] == "openid"
    assert claims_of(given["access_token"])["scope"] == "openid"
    refreshed = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"], "client_id": television.id}
    assert (await site.http.post("/token", data=refreshed)).json()["scope"] == "openid"
