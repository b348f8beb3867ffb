"""grant_type=authorization_code: what a code gives, to whom, and for how long that lasts."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from authserver.model.audit import SYSTEM
from authserver.model.time import DAY, HOUR, MINUTE, SECOND
from authserver.verifier.testing_proof import ProofKey
from tests import people
from tests.browser_flow import Asker, logged_in, public_app, web_app
from tests.people import pass_time
from tests.site import API, ISSUER, Site, claims_of

site = people.site
FILES = "https://files.example"
NO_CHALLENGE = {"code_challenge": None, "code_challenge_method": None}


async def tokens(one: Asker, **asked: str | None) -> dict[str, Any]:
    answer = await one.trade(await one.code(**asked))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def log_out(one: Asker) -> None:
    await one.browser.get("/account/logout")
    await one.browser.submit("logout")


def error(answer: Any) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"])


# -- what it gives ----------------------------------------------------------------------------


async def test_the_answer_has_what_was_asked_for(site: Site) -> None:
    one = await logged_in(site)
    answer = await one.trade(await one.code(nonce="n-0S6"))
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 300, "openid read")
    assert answer.headers["cache-control"] == "no-store"
    access, identity = claims_of(body["access_token"]), claims_of(body["id_token"])
    assert (access["aud"], access["client_id"], access["amr"]) == (API, one.client.id, ["pwd"])
    assert (identity["nonce"], identity["sid"], identity["sub"]) == ("n-0S6", access["sid"], access["sub"])
    assert access["auth_time"] == identity["auth_time"]


async def test_without_openid_there_is_no_id_token_and_without_the_grant_no_refresh_token(site: Site) -> None:
    one = await logged_in(site, grant_types=("authorization_code",))
    body = await tokens(one, scope="read")
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}


async def test_offline_access_means_nothing_to_a_client_that_cannot_refresh(site: Site) -> None:
    one = await logged_in(site, grant_types=("authorization_code",))
    body = await tokens(one, scope="openid offline_access read")
    assert body["scope"] == "openid read"
    assert "refresh_token" not in body


async def test_the_audience_may_be_narrowed_and_not_widened(site: Site) -> None:
    one = await logged_in(site, resources=(API, FILES, "https://other.example"))
    query = urlencode([*one.parameters().items(), ("resource", API), ("resource", FILES)])
    page = await one.browser.get(f"/authorize?{query}")
    answer = await one.trade(page.answer["code"], resource="https://other.example")
    assert error(answer) == "invalid_target"
    answer = await one.trade(page.answer["code"], resource=FILES)
    assert claims_of(answer.json()["access_token"])["aud"] == FILES
    refreshed = await one.refresh(answer.json()["refresh_token"])
    assert claims_of(refreshed.json()["access_token"])["aud"] == [API, FILES]


async def test_claims_that_were_asked_for_reach_the_id_token(site: Site) -> None:
    one = await logged_in(site)
    claims = json.dumps({"id_token": {"auth_time": {"essential": True}}})
    assert "auth_time" in claims_of((await tokens(one, claims=claims))["id_token"])


# -- to whom ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": None},
        {"code_verifier": "x" * 43},
        {"code_verifier": "x" * 42},
        {"code_verifier": "x" * 129},
        {"redirect_uri": "https://app.example/callback/"},
        {"redirect_uri": "https://evil.example/"},
    ],
)
async def test_who_cannot_prove_to_have_asked_gets_nothing_and_spoils_nothing(
    site: Site, wrong: dict[str, str | None]
) -> None:
    one = await logged_in(site)
    code = await one.code()
    assert error(await one.trade(code, **wrong)) == "invalid_grant"
    assert (await one.trade(code)).status_code == 200


async def test_the_redirect_uri_need_not_be_repeated(site: Site) -> None:
    one = await logged_in(site)
    assert (await one.trade(await one.code(), redirect_uri=None)).status_code == 200


async def test_a_verifier_without_a_challenge_is_a_downgrade(site: Site) -> None:
    one = await logged_in(site, require_pkce=False)
    code = await one.code(**NO_CHALLENGE)
    assert error(await one.trade(code)) == "invalid_request"  # OAuth 2.1 section 3.2.4
    assert (await one.trade(code, code_verifier=None)).status_code == 200


async def test_another_clients_code_is_no_code(site: Site) -> None:
    one = await logged_in(site)
    other = Asker(site, await web_app(site), one.browser, one.verifier)
    code = await one.code()
    unknown = await other.trade("A" * 68)
    answer = await other.trade(code)
    assert error(answer) == "invalid_grant"
    assert answer.json() == unknown.json()
    assert (await one.trade(code)).status_code == 200


@pytest.mark.parametrize("code", ["", "x", "A" * 68, "ä"])
async def test_what_is_no_code_is_refused(site: Site, code: str) -> None:
    one = await logged_in(site)
    assert error(await one.trade(code)) == ("invalid_grant" if code else "invalid_request")


async def test_other_kinds_of_handles_are_no_codes(site: Site) -> None:
    one = await logged_in(site)
    pushed = (await one.push()).json()["request_uri"].rpartition(":")[2]
    refresh_token = (await tokens(one))["refresh_token"]
    for text in (pushed, refresh_token):
        assert error(await one.trade(text)) == "invalid_grant"


async def test_a_client_that_lost_the_grant_is_refused(site: Site) -> None:
    one = await logged_in(site, await web_app(site, first_party=True))
    other = Asker(site, await site.client(), one.browser)
    assert error(await other.trade(await one.code())) == "unauthorized_client"


# -- keys -------------------------------------------------------------------------------------


def proof(key: ProofKey) -> dict[str, str]:
    return {"DPoP": key.proof("POST", f"{ISSUER}/token")}


async def test_a_code_that_names_a_key_wants_its_proof(site: Site) -> None:
    one, key, other = await logged_in(site), ProofKey(), ProofKey()
    code = await one.code(dpop_jkt=key.jkt)
    assert error(await one.trade(code)) == "invalid_grant"
    assert error(await one.trade(code, headers=proof(other))) == "invalid_grant"
    assert (await one.trade(code, headers=proof(key))).json()["token_type"] == "DPoP"


async def test_a_public_clients_refresh_token_is_bound_to_the_key_and_a_confidential_ones_is_not(site: Site) -> None:
    key, other = ProofKey(), ProofKey()
    public = await logged_in(site, await public_app(site, first_party=True))
    first = (await public.trade(await public.code(), headers=proof(key))).json()
    assert error(await public.refresh(first["refresh_token"])) == "invalid_grant"
    assert error(await public.refresh(first["refresh_token"], headers=proof(other))) == "invalid_grant"
    assert (await public.refresh(first["refresh_token"], headers=proof(key))).status_code == 200
    confidential = await logged_in(site)
    first = (await confidential.trade(await confidential.code(), headers=proof(key))).json()
    assert (await confidential.refresh(first["refresh_token"], headers=proof(other))).status_code == 200


# -- for how long -----------------------------------------------------------------------------


async def test_a_code_is_good_for_a_minute(site: Site) -> None:
    one = await logged_in(site)
    code, late = await one.code(), await one.code()
    pass_time(site, 59 * SECOND)
    assert (await one.trade(code)).status_code == 200
    pass_time(site, 2 * SECOND)
    answer = await one.trade(late)
    assert error(answer) == "invalid_grant"
    assert "expired" in answer.json()["error_description"]


async def test_a_refresh_token_ends_with_the_browsers_session(site: Site) -> None:
    one = await logged_in(site)
    body = await tokens(one)
    body = (await one.refresh(body["refresh_token"])).json()
    assert "nonce" not in claims_of(body["id_token"])
    await log_out(one)
    assert error(await one.refresh(body["refresh_token"])) == "invalid_grant"
    assert not await site.active(body["access_token"])


async def test_it_outlives_the_sessions_idle_time_and_not_its_absolute_one(site: Site) -> None:
    one = await logged_in(site)
    refresh_token = (await tokens(one))["refresh_token"]
    pass_time(site, 20 * HOUR)
    answer = await one.refresh(refresh_token)
    assert answer.status_code == 200, answer.text
    pass_time(site, 5 * HOUR)
    assert error(await one.refresh(answer.json()["refresh_token"])) == "invalid_grant"


async def test_offline_access_outlives_the_log_out(site: Site) -> None:
    one = await logged_in(site)
    body = await tokens(one, scope="openid offline_access read")
    sid = claims_of(body["id_token"])["sid"]
    assert sid != claims_of(body["access_token"])["sid"]
    await log_out(one)
    assert await site.active(body["access_token"])
    answer = await one.refresh(body["refresh_token"])
    assert answer.status_code == 200, answer.text
    assert claims_of(answer.json()["id_token"])["sid"] == sid
    pass_time(site, 10 * DAY)
    assert (await one.refresh(answer.json()["refresh_token"])).status_code == 200


async def test_offline_access_ends_with_the_consent(site: Site) -> None:
    user = await site.user()
    one = await logged_in(site, await web_app(site), user)
    await one.ask(scope="openid offline_access read")
    code = (await one.browser.submit("consent", "allow")).answer["code"]
    body = (await one.trade(code)).json()
    await site.services.remembered_consents.withdraw(user.id, one.client.id, SYSTEM)
    assert error(await one.refresh(body["refresh_token"])) == "invalid_grant"
    assert not await site.active(body["access_token"])


async def test_a_code_given_before_the_log_out_is_worth_nothing_after_it(site: Site) -> None:
    one = await logged_in(site)
    code = await one.code(scope="openid offline_access read")
    await log_out(one)
    answer = await one.trade(code)
    assert error(answer) == "invalid_grant"
    assert "has ended" in answer.json()["error_description"]


async def test_no_token_outlives_the_session(site: Site) -> None:
    one = await logged_in(site)
    for _ in range(24):
        pass_time(site, 59 * MINUTE)
        await one.browser.get("/account")
    assert (await tokens(one))["expires_in"] == 300
    pass_time(site, 22 * MINUTE)
    assert (await tokens(one))["expires_in"] < 180


async def test_a_refresh_may_ask_for_fewer_details(site: Site) -> None:
    one = await logged_in(site, authorization_details_types=("payment",))
    details = [{"type": "payment", "amount": "12"}, {"type": "payment", "amount": "13"}]
    code = await one.code(authorization_details=json.dumps(details))
    body = (await one.trade(code, authorization_details=json.dumps(details[:1]))).json()
    assert body["authorization_details"] == details[:1]
    form = {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}
    more = json.dumps([{"type": "payment", "amount": "14"}])
    assert error(await one.post("/token", {**form, "authorization_details": more})) == "invalid_authorization_details"
    answer = await one.post("/token", {**form, "authorization_details": json.dumps(details[1:])})
    assert answer.json()["authorization_details"] == details[1:]
    answer = await one.refresh(answer.json()["refresh_token"])
    assert answer.json()["authorization_details"] == details
