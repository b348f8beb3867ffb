"""A service trades the token it was called with for one to call the next service (RFC 8693)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.attacks.conftest import keys_dir, site
from tests.browser_flow import asker, log_in
from tests.site import API, LogIn, Party, Site, claims_of

__all__ = ["keys_dir", "site"]

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
NEXT = "https://next.example"


@pytest.fixture
async def login(site: Site) -> LogIn:
    return await site.log_in(await site.user(), await site.app(id="app"))


async def service(site: Site, **different: Any) -> Party:
    """What answers for API, and calls NEXT for its users."""
    usual: dict[str, Any] = {
        "grant_types": (EXCHANGE, "client_credentials"),
        "audiences": (API,),
        "resources": (NEXT,),
        "scopes": ("read", "admin"),
        "token_exchange_clients": ("app",),
    }
    return await site.client(**usual | different)


async def exchange(site: Site, client: Party, subject_token: str, **form: str) -> httpx.Response:
    data = {
        "grant_type": EXCHANGE,
        "subject_token": subject_token,
        "subject_token_type": ACCESS_TOKEN,
        "resource": NEXT,
        **form,
    }
    return await site.http.post("/token", data={name: value for name, value in data.items() if value}, auth=client.auth)


def error_of(answer: httpx.Response) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"])


async def test_the_new_token_is_the_users_and_says_who_acts(site: Site, login: LogIn) -> None:
    api = await service(site)
    answer = await exchange(site, api, login.tokens["access_token"])
    body = answer.json()
    assert (answer.status_code, body["issued_token_type"], body["token_type"]) == (200, ACCESS_TOKEN, "Bearer")
    assert "refresh_token" not in body
    assert answer.headers["cache-control"] == "no-store"
    claims = claims_of(body["access_token"])
    assert (claims["sub"], claims["client_id"], claims["aud"]) == (login.user.id, api.id, NEXT)
    assert claims["act"] == {"sub": api.id}
    assert claims["scope"] == body["scope"] == "read"
    assert claims["sid"] == login.claims["sid"]
    assert claims["exp"] <= login.claims["exp"]


async def test_the_next_exchange_puts_its_actor_outermost(site: Site, login: LogIn) -> None:
    first = await service(site)
    second = await service(site, audiences=(NEXT,), resources=("https://last.example",), token_exchange_clients=("*",))
    token = (await exchange(site, first, login.tokens["access_token"])).json()["access_token"]
    deeper = await exchange(site, second, token, resource="https://last.example")
    assert claims_of(deeper.json()["access_token"])["act"] == {"sub": second.id, "act": {"sub": first.id}}


async def test_an_actor_token_names_who_acts(site: Site, login: LogIn) -> None:
    api = await service(site)
    own = (await site.own_token(api))["access_token"]
    actor = {"actor_token": own, "actor_token_type": ACCESS_TOKEN}
    claims = claims_of((await exchange(site, api, login.tokens["access_token"], **actor)).json()["access_token"])
    assert claims["act"] == {"sub": api.id}


async def test_another_clients_actor_token_is_refused(site: Site, login: LogIn) -> None:
    api, other = await service(site), await site.client(scopes=("read",))
    foreign = (await site.own_token(other))["access_token"]
    answer = await exchange(site, api, login.tokens["access_token"], actor_token=foreign, actor_token_type=ACCESS_TOKEN)
    assert error_of(answer) == "invalid_request"


async def test_a_client_that_may_impersonate_leaves_out_who_acts(site: Site, login: LogIn) -> None:
    api = await service(site, may_impersonate=True)
    answer = await exchange(site, api, login.tokens["access_token"])
    assert "act" not in claims_of(answer.json()["access_token"])
    events = (await site.http.get("/admin/audit?type=token.exchanged", headers=await site.admin())).json()["items"]
    assert [event["detail"]["impersonation"] for event in events] == [True]
    assert (events[0]["user_id"], events[0]["client_id"], events[0]["detail"]["from_client"]) == (
        login.user.id,
        api.id,
        "app",
    )


async def test_more_scope_than_the_users_token_has_is_refused(site: Site, login: LogIn) -> None:
    """The client is registered for `admin`; the user's token does not have it."""
    api = await service(site)
    assert error_of(await exchange(site, api, login.tokens["access_token"], scope="read admin")) == "invalid_scope"


async def test_a_resource_that_the_client_may_not_call_is_refused(site: Site, login: LogIn) -> None:
    api = await service(site)
    answer = await exchange(site, api, login.tokens["access_token"], resource="https://elsewhere.example")
    assert error_of(answer) == "invalid_target"


async def test_its_own_token_gives_a_client_no_resource_that_the_user_was_not_asked_for(site: Site) -> None:
    one = await asker(site, grant_types=("authorization_code", EXCHANGE), resources=(API, NEXT))
    await log_in(one.browser, await site.user())
    await one.ask(resource=API)
    page = await one.browser.submit("consent", "allow")
    token = (await one.trade(page.answer["code"])).json()["access_token"]
    assert error_of(await exchange(site, one.client, token)) == "invalid_target"
    same = await exchange(site, one.client, token, resource="")
    assert claims_of(same.json()["access_token"])["aud"] == API


async def test_audience_means_the_same_as_resource(site: Site, login: LogIn) -> None:
    api = await service(site)
    answer = await exchange(site, api, login.tokens["access_token"], resource="", audience=NEXT)
    assert claims_of(answer.json()["access_token"])["aud"] == NEXT


async def test_a_token_that_was_not_sent_to_the_client_is_refused(site: Site, login: LogIn) -> None:
    stranger = await service(site, audiences=("https://stranger.example",))
    assert error_of(await exchange(site, stranger, login.tokens["access_token"])) == "invalid_grant"


async def test_a_client_acts_only_on_tokens_of_clients_it_may_act_for(site: Site, login: LogIn) -> None:
    api = await service(site, token_exchange_clients=("another-app",))
    assert error_of(await exchange(site, api, login.tokens["access_token"])) == "invalid_grant"


async def test_a_revoked_token_gives_nothing(site: Site, login: LogIn) -> None:
    api = await service(site)
    token = login.tokens["access_token"]
    await site.http.post("/admin/revocations", json={"token": token}, headers=await site.admin())
    assert error_of(await exchange(site, api, token)) == "invalid_request"


async def test_the_end_of_the_log_in_ends_what_was_traded_from_it(site: Site, login: LogIn) -> None:
    api = await service(site)
    traded = (await exchange(site, api, login.tokens["access_token"])).json()["access_token"]
    next_api = await site.client(audiences=(NEXT,))

    async def is_active() -> bool:
        answer = await site.http.post("/introspect", data={"token": traded}, auth=next_api.auth)
        return bool(answer.json()["active"])

    assert await is_active()
    assert (await site.http.post("/logout", headers=login.bearer)).status_code == 204
    assert not await is_active()


async def test_a_clients_own_token_is_nobodys_to_act_for(site: Site) -> None:
    api = await service(site, resources=(API, NEXT))
    own = (await site.own_token(api))["access_token"]
    assert error_of(await exchange(site, api, own)) == "invalid_request"


@pytest.mark.parametrize(
    "form",
    [
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"actor_token_type": ACCESS_TOKEN},
        {"actor_token": "a-token"},
        {"subject_token": "not-a-token"},
    ],
    ids=lambda form: next(iter(form)),
)
async def test_a_malformed_request_is_refused(site: Site, login: LogIn, form: dict[str, str]) -> None:
    api = await service(site)
    given = {"subject_token": login.tokens["access_token"], **form}
    assert error_of(await exchange(site, api, given.pop("subject_token"), **given)) == "invalid_request"


async def test_a_public_client_may_not_exchange(site: Site, login: LogIn) -> None:
    public = await site.client(secret=False, id="public-one", grant_types=(EXCHANGE,), resources=(NEXT,))
    answer = await site.http.post(
        "/token",
        data={
            "grant_type": EXCHANGE,
            "subject_token": login.tokens["access_token"],
            "subject_token_type": ACCESS_TOKEN,
            "client_id": public.id,
        },
    )
    assert error_of(answer) == "unauthorized_client"
