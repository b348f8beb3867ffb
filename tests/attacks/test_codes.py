"""Attacks on authorization codes: stolen, raced, replayed. On each database, two servers that share nothing else."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest

from authserver.audit.events import EventType
from authserver.model.audit import SYSTEM
from authserver.model.time import SECOND
from authserver.verifier.testing_proof import ProofKey
from tests.browser_flow import Asker, logged_in, public_app, web_app
from tests.feed_wire import key_of, published, split, until
from tests.people import pass_time
from tests.site import API, ISSUER, TEST, Site, claims_of

SESSION = "__Host-authserver"
OFFLINE = "openid offline_access read"
NEXT = "https://next.example"


def is_invalid_grant(answer: Any) -> bool:
    return (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def in_the_log(site: Site, family_id: str) -> bool:
    """On every server: the record that tells resource servers."""
    tails = [(await node.http.get("/revocations/tail")).text for node in site.instances]
    return all(any(key_of("sid", family_id) in record for record in split(tail)[1]) for tail in tails)


# -- replay -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["openid read", OFFLINE])
async def test_a_code_that_comes_again_ends_everything_it_gave_and_the_log_says_so(site: Site, scope: str) -> None:
    for node in range(len(site.instances)):
        await published(site, node)
    one = await logged_in(site)
    code = await one.code(scope=scope)
    first = (await one.trade(code)).json()
    family_id = claims_of(first["access_token"])["sid"]
    assert await site.active(first["access_token"])
    assert is_invalid_grant(await one.trade(code, on=1))
    assert is_invalid_grant(await one.refresh(first["refresh_token"]))
    assert not await site.active(first["access_token"])

    async def told() -> bool:
        return await in_the_log(site, family_id)

    await until(told)
    kinds = await site.audit_types(await site.admin())
    assert kinds.count(EventType.CODE_REPLAYED.value) == 1


async def test_the_browsers_own_session_does_not_end_with_it(site: Site) -> None:
    one = await logged_in(site)
    code = await one.code()
    await one.trade(code)
    assert is_invalid_grant(await one.trade(code))
    assert "code" in (await one.ask(prompt="none")).answer


async def test_a_replay_is_known_long_after_the_code_has_expired(site: Site) -> None:
    one = await logged_in(site)
    code = await one.code()
    first = (await one.trade(code)).json()
    pass_time(site, 3600 * SECOND)
    refreshed = (await one.refresh(first["refresh_token"])).json()
    assert is_invalid_grant(await one.trade(code))
    assert is_invalid_grant(await one.refresh(refreshed["refresh_token"]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": None},
        {"code_verifier": "w" * 43},
        {"redirect_uri": "https://app.example/other"},
    ],
)
async def test_a_replay_by_somebody_who_only_saw_the_code_ends_nothing(
    site: Site, wrong: dict[str, str | None]
) -> None:
    one = await logged_in(site)
    code = await one.code()
    first = (await one.trade(code)).json()
    assert is_invalid_grant(await one.trade(code, **wrong))
    assert await site.active(first["access_token"])
    assert (await one.refresh(first["refresh_token"])).status_code == 200


async def test_nor_does_one_by_another_client_or_with_a_wrong_secret(site: Site) -> None:
    one = await logged_in(site)
    code = await one.code()
    first = (await one.trade(code)).json()
    other = Asker(site, await web_app(site), one.browser, one.verifier)
    assert is_invalid_grant(await other.trade(code))
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": one.verifier}
    answer = await site.http.post("/token", data=form, auth=(one.client.id, "wrong"))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert (await one.refresh(first["refresh_token"])).status_code == 200


async def test_nor_does_one_without_the_key_that_the_code_is_bound_to(site: Site) -> None:
    one, key = await logged_in(site), ProofKey()
    code = await one.code(dpop_jkt=key.jkt)
    headers = {"DPoP": key.proof("POST", f"{ISSUER}/token")}
    first = (await one.trade(code, headers=headers)).json()
    other = {"DPoP": ProofKey().proof("POST", f"{ISSUER}/token")}
    assert is_invalid_grant(await one.trade(code, headers=other))
    assert (await one.refresh(first["refresh_token"])).status_code == 200


# -- races ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["openid read", OFFLINE])
async def test_of_twenty_redemptions_at_once_one_gets_tokens_and_then_they_end(site: Site, scope: str) -> None:
    one = await logged_in(site)
    code = await one.code(scope=scope)
    answers = await asyncio.gather(*(one.trade(code, on=n % len(site.instances)) for n in range(20)))
    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert all(is_invalid_grant(answer) for answer in answers if answer.status_code != 200)
    assert not await site.active(won[0]["access_token"])
    assert is_invalid_grant(await one.refresh(won[0]["refresh_token"]))


async def test_a_log_out_beside_a_redemption_leaves_no_living_token(site: Site) -> None:
    for _ in range(6):
        one = await logged_in(site)
        code = await one.code()
        await one.browser.get("/account/logout")
        answer, _ = await asyncio.gather(one.trade(code, on=1), one.browser.submit("logout"))
        if answer.status_code == 200:
            assert not await site.active(answer.json()["access_token"])
            assert is_invalid_grant(await one.refresh(answer.json()["refresh_token"]))
        else:
            assert is_invalid_grant(answer)


async def test_a_disabled_user_gets_nothing_for_a_code_given_before(site: Site) -> None:
    user = await site.user()
    one = await logged_in(site, user=user)
    code = await one.code(scope=OFFLINE)
    await site.services.directory.set_enabled(user.id, False, caller=SYSTEM)
    assert is_invalid_grant(await one.trade(code))


async def test_a_new_password_ends_codes_given_before(site: Site) -> None:
    user = await site.user()
    one = await logged_in(site, user=user)
    code = await one.code(scope=OFFLINE)
    await site.services.directory.set_password(user.id, "another horse entirely", caller=SYSTEM)
    assert is_invalid_grant(await one.trade(code))


# -- whose it is ------------------------------------------------------------------------------


async def test_a_code_is_one_clients_one_redirect_uris_and_one_keys(site: Site) -> None:
    one, key = await logged_in(site), ProofKey()
    other = Asker(site, await web_app(site, first_party=True), one.browser, one.verifier)
    code = await one.code(dpop_jkt=key.jkt)
    right = {"DPoP": key.proof("POST", f"{ISSUER}/token")}
    wrong = {"DPoP": ProofKey().proof("POST", f"{ISSUER}/token")}
    assert is_invalid_grant(await other.trade(code, headers=right))
    again = {"DPoP": key.proof("POST", f"{ISSUER}/token")}
    assert is_invalid_grant(await one.trade(code, headers=again, redirect_uri="https://app.example/other"))
    assert is_invalid_grant(await one.trade(code, headers=wrong))
    assert is_invalid_grant(await one.trade(code))
    last = {"DPoP": key.proof("POST", f"{ISSUER}/token")}
    assert (await one.trade(code, headers=last)).status_code == 200


async def test_a_public_clients_code_needs_the_verifier_of_whoever_asked(site: Site) -> None:
    """Another program on the machine got the redirect (RFC 7636 section 1)."""
    one = await logged_in(site, await public_app(site, first_party=True))
    thief = Asker(site, one.client, one.browser)
    code = await one.code()
    assert is_invalid_grant(await thief.trade(code))
    assert (await one.trade(code)).status_code == 200


async def test_a_code_is_over_after_sixty_seconds(site: Site) -> None:
    one = await logged_in(site)
    code = await one.code()
    pass_time(site, 60 * SECOND)
    assert is_invalid_grant(await one.trade(code))


async def test_a_forged_code_ends_nobodys_tokens(site: Site) -> None:
    one = await logged_in(site)
    code = await one.code()
    first = (await one.trade(code)).json()
    for at in range(0, len(code), 7):
        forged = code[:at] + ("A" if code[at] != "A" else "B") + code[at + 1 :]
        assert is_invalid_grant(await one.trade(forged))
    assert (await one.refresh(first["refresh_token"])).status_code == 200


async def test_nothing_of_a_code_is_in_the_answer_or_the_address_of_the_tokens(site: Site) -> None:
    one = await logged_in(site)
    page = await one.ask()
    answer = await one.trade(page.answer["code"])
    assert answer.headers["cache-control"] == "no-store"
    assert page.answer["code"] not in answer.text
    assert answer.json()["access_token"] not in page.location


async def test_twenty_browsers_with_one_pushed_request_get_one_code(site: Site) -> None:
    one = await logged_in(site)
    uri = (await one.push()).json()["request_uri"]
    query = urlencode({"client_id": one.client.id, "request_uri": uri})
    headers = {"cookie": f"{SESSION}={one.browser.cookies[SESSION]}"}
    nodes = [instance.http for instance in site.instances]
    answers = await asyncio.gather(
        *(nodes[n % len(nodes)].get(f"/authorize?{query}", headers=headers) for n in range(20))
    )
    assert sum("code=" in answer.headers.get("location", "") for answer in answers) == 1


async def test_a_scope_or_resource_taken_from_the_client_meanwhile_is_not_given(site: Site) -> None:
    one = await logged_in(site, resources=(API, NEXT))
    narrow, nothing = [await one.code(scope="openid write", resource=NEXT) for _ in range(2)]
    change = site.services.client_directory.update
    await change(one.client.id, {"scopes": ["openid", "read"]}, caller=TEST)
    given = (await one.trade(narrow)).json()
    assert given["scope"] == claims_of(given["access_token"])["scope"] == "openid"
    await change(one.client.id, {"resources": [API]}, caller=TEST)
    assert is_invalid_grant(await one.trade(nothing))
