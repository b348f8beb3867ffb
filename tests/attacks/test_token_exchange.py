"""Attacks on token exchange: tokens of the wrong kind, out of date or of somebody else, and more than they gave."""

from __future__ import annotations

import pytest

from authserver.model.time import MINUTE, SECOND
from authserver.verifier.testing import ProofKey
from tests.grants.test_token_exchange import ACCESS_TOKEN, API, NEXT, error_of, exchange, login, service
from tests.openid import openid_client, openid_log_in
from tests.people import pass_time
from tests.site import ISSUER, PASSWORD, TEST, LogIn, Site, claims_of

__all__ = ["login"]

LAST = "https://last.example"


async def test_an_expired_token_gives_nothing(site: Site, login: LogIn) -> None:
    api = await service(site)
    pass_time(site, 6 * MINUTE)
    assert error_of(await exchange(site, api, login.tokens["access_token"])) == "invalid_request"


async def test_trading_again_and_again_prolongs_nothing(site: Site, login: LogIn) -> None:
    api = await service(site)
    pass_time(site, 4 * MINUTE)
    first = (await exchange(site, api, login.tokens["access_token"])).json()
    assert first["expires_in"] <= 60
    again = await exchange(site, api, first["access_token"])
    assert claims_of(again.json()["access_token"])["exp"] <= login.claims["exp"]


@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
async def test_no_other_token_of_a_log_in_can_be_traded(site: Site, kind: str) -> None:
    given = await openid_log_in(site, await openid_client(site), scope="openid read offline_access")
    api = await service(site, token_exchange_clients=("*",))
    for typ in (ACCESS_TOKEN, f"urn:ietf:params:oauth:token-type:{kind}", "urn:ietf:params:oauth:token-type:jwt"):
        answer = await exchange(site, api, given.tokens[kind], subject_token_type=typ)
        assert error_of(answer) == "invalid_request"


async def test_scope_that_one_trade_left_out_does_not_come_back_with_the_next(site: Site, login: LogIn) -> None:
    api = await service(site, scopes=("read", "write"))
    narrow = (await exchange(site, api, login.tokens["access_token"], scope="read")).json()["access_token"]
    assert error_of(await exchange(site, api, narrow, scope="read write")) == "invalid_scope"
    second = await service(site, audiences=(NEXT,), resources=(LAST,), scopes=("read", "write", "admin"))
    deeper = await exchange(site, second, narrow, resource=LAST)
    assert error_of(deeper) == "invalid_grant", "not a client that it may act for"


async def test_an_actor_cannot_be_somebody_elses_or_forgotten_by_a_trade_of_ones_own(site: Site, login: LogIn) -> None:
    api = await service(site, token_exchange_clients=("app",))
    traded = (await exchange(site, api, login.tokens["access_token"])).json()["access_token"]
    impersonator = await service(
        site, audiences=(NEXT,), resources=(LAST,), token_exchange_clients=("*",), may_impersonate=True
    )
    passed_on = await exchange(site, impersonator, traded, resource=LAST)
    assert claims_of(passed_on.json()["access_token"])["act"] == {"sub": api.id}
    actor = {"actor_token": login.tokens["access_token"], "actor_token_type": ACCESS_TOKEN}
    assert error_of(await exchange(site, api, traded, **actor)) == "invalid_request"


async def test_a_disabled_user_is_nobody_to_act_for(site: Site, login: LogIn) -> None:
    api = await service(site)
    traded = (await exchange(site, api, login.tokens["access_token"])).json()["access_token"]
    await site.services.directory.set_enabled(login.user.id, False, caller=TEST)
    assert error_of(await exchange(site, api, login.tokens["access_token"])) == "invalid_request"
    assert error_of(await exchange(site, api, traded)) == "invalid_request"


async def test_a_service_that_must_prove_its_key_gets_no_bearer_token_for_a_bound_one(site: Site) -> None:
    key, own = (ProofKey("ES256", now=lambda: site.services.now() / SECOND) for _ in range(2))
    user, app = await site.user(), await site.app(id="app")
    body = {"username": user.username, "password": PASSWORD, "client_id": app.id}
    proof = {"DPoP": key.proof("POST", f"{ISSUER}/login")}
    bound = (await site.http.post("/login", json=body, headers=proof)).json()["access_token"]
    assert claims_of(bound)["aud"] == API
    api = await service(site, dpop_bound_access_tokens=True)
    assert error_of(await exchange(site, api, bound)) == "invalid_dpop_proof"
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": bound,
        "subject_token_type": ACCESS_TOKEN,
        "resource": NEXT,
    }
    proof = {"DPoP": own.proof("POST", f"{ISSUER}/token")}
    given = (await site.http.post("/token", data=form, auth=api.auth, headers=proof)).json()
    assert given["token_type"] == "DPoP"
    assert claims_of(given["access_token"])["cnf"] == {"jkt": own.jkt}
