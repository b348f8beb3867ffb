"""POST /authorize-challenge: a first-party application's own log-in screens."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from authserver.oauth.pkce import challenge_of
from tests.attacks.conftest import keys_dir, site
from tests.site import API, PASSWORD, Party, Site, claims_of

__all__ = ["keys_dir", "site"]

VERIFIER = "v" * 43
PATH = "/authorize-challenge"


@pytest.fixture
async def app(site: Site) -> Party:
    return await site.client(
        secret=False,
        first_party=True,
        application_type="native",
        grant_types=("authorization_code", "refresh_token"),
        redirect_uris=("com.example.app:/back",),
        scopes=("openid", "read", "write"),
        resources=(API,),
    )


async def challenge(site: Site, app: Party, **form: str) -> httpx.Response:
    return await site.http.post(PATH, data={"client_id": app.id, **form})


def request(**form: str) -> dict[str, str]:
    return {"scope": "openid read", "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256", **form}


async def redeem(site: Site, app: Party, code: str, **form: str) -> httpx.Response:
    data = {"grant_type": "authorization_code", "code": code, "client_id": app.id, "code_verifier": VERIFIER, **form}
    return await site.http.post("/token", data=data)


async def test_one_request_with_the_password_gives_a_code_for_tokens(site: Site, app: Party) -> None:
    user = await site.user()
    answer = await challenge(site, app, **request(username=user.username, password=PASSWORD, nonce="n-1"))
    assert (answer.status_code, list(answer.json())) == (200, ["authorization_code"])
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    tokens = (await redeem(site, app, answer.json()["authorization_code"])).json()
    assert claims_of(tokens["access_token"])["sub"] == user.id
    assert (claims_of(tokens["id_token"])["nonce"], tokens["scope"]) == ("n-1", "openid read")
    refreshed = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": app.id}
    assert (await site.http.post("/token", data=refreshed)).status_code == 200


async def test_the_log_in_is_one_of_the_users_sessions_and_can_be_ended(site: Site, app: Party) -> None:
    user = await site.user()
    code = (await challenge(site, app, **request(username=user.username, password=PASSWORD))).json()
    tokens = (await redeem(site, app, code["authorization_code"])).json()
    headers = await site.admin()
    sessions = (await site.http.get(f"/admin/sessions?user_id={user.id}", headers=headers)).json()["items"]
    assert [session["client_id"] for session in sessions] == [app.id]
    await site.http.delete(f"/admin/sessions/{sessions[0]['session_id']}", headers=headers)
    assert not await site.active(tokens["access_token"])


async def test_the_password_may_come_later_with_the_auth_session(site: Site, app: Party) -> None:
    user = await site.user()
    first = await challenge(site, app, **request())
    assert (first.status_code, first.json()["error"]) == (400, "insufficient_authorization")
    session = first.json()["auth_session"]
    assert len(session) >= 43
    answer = await challenge(site, app, auth_session=session, username=user.username, password=PASSWORD)
    assert answer.status_code == 200, answer.text
    assert (await redeem(site, app, answer.json()["authorization_code"])).status_code == 200


async def test_a_wrong_password_looks_like_an_unknown_user(site: Site, app: Party) -> None:
    user = await site.user()

    async def told(username: str) -> dict[str, Any]:
        answer = await challenge(site, app, **request(username=username, password="wrong wrong wrong"))
        assert answer.status_code == 400
        return {name: value for name, value in answer.json().items() if name != "auth_session"}

    assert await told(user.username) == await told("nobody-at-all")


async def test_guesses_are_throttled_as_at_the_other_log_in(site: Site, app: Party) -> None:
    user = await site.user()
    wrong = request(username=user.username, password="wrong wrong wrong")
    statuses = [(await challenge(site, app, **wrong)).status_code for _ in range(11)]
    assert statuses == [400] * 10 + [429]
    elsewhere = await site.http.post(
        "/login", json={"username": user.username, "password": PASSWORD, "client_id": app.id}
    )
    assert elsewhere.status_code == 429


async def test_a_third_partys_client_may_not_send_passwords(site: Site) -> None:
    user = await site.user()
    other = await site.client(
        secret=False, grant_types=("authorization_code",), redirect_uris=("https://other.example/back",)
    )
    answer = await challenge(
        site,
        other,
        username=user.username,
        password=PASSWORD,
        code_challenge=challenge_of(VERIFIER),
        code_challenge_method="S256",
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


async def test_an_auth_session_of_another_client_is_not_valid(site: Site, app: Party) -> None:
    user = await site.user()
    other = await site.client(
        secret=False,
        first_party=True,
        grant_types=("authorization_code",),
        redirect_uris=("https://other.example/back",),
        scopes=("openid", "read"),
    )
    session = (await challenge(site, app, **request())).json()["auth_session"]
    answer = await challenge(site, other, auth_session=session, username=user.username, password=PASSWORD)
    assert answer.json()["error"] == "invalid_session"


async def test_an_auth_session_goes_on_with_what_it_began_with(site: Site, app: Party) -> None:
    session = (await challenge(site, app, **request())).json()["auth_session"]
    assert (await challenge(site, app, auth_session=session, scope="openid write")).json()["error"] == "invalid_request"


async def test_a_request_too_long_for_an_auth_session_is_refused(site: Site, app: Party) -> None:
    answer = await challenge(site, app, **request(acr_values="x" * 5000))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_the_code_needs_its_verifier(site: Site, app: Party) -> None:
    user = await site.user()
    code = (await challenge(site, app, **request(username=user.username, password=PASSWORD))).json()
    refused = await redeem(site, app, code["authorization_code"], code_verifier="w" * 43)
    assert refused.json()["error"] == "invalid_grant"


async def test_no_challenge_no_code(site: Site, app: Party) -> None:
    user = await site.user()
    answer = await challenge(site, app, scope="openid", username=user.username, password=PASSWORD)
    assert answer.json()["error"] == "invalid_request"


async def test_what_only_a_browser_can_do_leads_there(site: Site, app: Party) -> None:
    claims = '{"id_token":{"acr":{"essential":true,"values":["urn:example:two-factors"]}}}'
    answer = await challenge(site, app, **request(claims=claims))
    assert answer.json()["error"] == "redirect_to_web"


async def test_a_page_of_another_site_is_refused(site: Site, app: Party) -> None:
    answer = await site.http.post(
        PATH, data={"client_id": app.id, **request()}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
