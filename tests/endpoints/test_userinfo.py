"""GET and POST /userinfo (OpenID Connect Core section 5.3)."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from authserver.model.account import User
from authserver.model.time import SECOND
from authserver.verifier.testing import ProofKey
from tests import people
from tests.openid import openid_client, openid_log_in
from tests.site import API, ISSUER, PASSWORD, TEST, Site

site = people.site

CLAIMS: dict[str, object] = {
    "name": "Ada Lovelace",
    "email": "ada@example.org",
    "email_verified": True,
    "phone_number": "+431234567",
    "address": {"country": "UK"},
    "locale": "en",
}


async def ada(site: Site) -> User:
    user = await site.user("ada")
    return await site.services.directory.change_claims(user.id, CLAIMS, caller=TEST)


async def test_openid_alone_tells_the_subject_and_nothing_else(site: Site) -> None:
    login = await openid_log_in(site, user=await ada(site))
    answer = await site.http.get("/userinfo", headers=login.bearer)
    assert (answer.status_code, answer.json()) == (200, {"sub": login.user.id})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["sub"] == login.claims["sub"]


async def test_scopes_tell_their_claims(site: Site) -> None:
    login = await openid_log_in(site, user=await ada(site), scope="openid email phone address profile")
    told = (await site.http.get("/userinfo", headers=login.bearer)).json()
    updated_at = told.pop("updated_at")
    assert told == {"sub": login.user.id, "preferred_username": "ada", **CLAIMS}
    assert isinstance(updated_at, int)


async def test_claims_asked_for_by_name_come_where_they_were_asked_for(site: Site) -> None:
    claims: dict[str, object] = {
        "userinfo": {"locale": {"value": "en"}, "name": {"value": "Bob"}, "gender": {"essential": True}},
        "id_token": {"email": None, "phone_number": {"values": ["+49"]}, "sub": None, "nonce": None},
    }
    login = await openid_log_in(site, user=await ada(site), claims=claims)
    told = (await site.http.get("/userinfo", headers=login.bearer)).json()
    assert told == {"sub": login.user.id, "locale": "en"}
    assert login.claims["email"] == "ada@example.org"
    assert not {"phone_number", "nonce", "locale"} & login.claims.keys()


async def test_single_claims_are_not_for_a_service_that_traded_for_a_token(site: Site) -> None:
    login = await openid_log_in(
        site, user=await ada(site), scope="openid email", claims={"userinfo": {"phone_number": None}}
    )
    exchange, access_token = "urn:ietf:params:oauth:grant-type:token-exchange", "access_token"
    service = await site.client(
        grant_types=(exchange,), audiences=(API,), scopes=("openid", "email"), token_exchange_clients=("*",)
    )
    form = {
        "grant_type": exchange,
        "subject_token": login.tokens["access_token"],
        "subject_token_type": f"urn:ietf:params:oauth:token-type:{access_token}",
        "resource": ISSUER,
        "scope": "openid email",
    }
    traded = (await site.http.post("/token", data=form, auth=service.auth)).json()
    told = await site.http.get("/userinfo", headers={"Authorization": f"Bearer {traded['access_token']}"})
    assert told.json() == {"sub": login.user.id, "email": "ada@example.org", "email_verified": True}
    assert "phone_number" in (await site.http.get("/userinfo", headers=login.bearer)).json()


async def test_a_narrowed_token_tells_less(site: Site) -> None:
    login = await openid_log_in(site, user=await ada(site), scope="openid email")
    form = {"grant_type": "refresh_token", "refresh_token": login.tokens["refresh_token"], "scope": "openid"}
    tokens = (await site.http.post("/token", data=form, auth=login.client.auth)).json()
    told = await site.http.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert told.json() == {"sub": login.user.id}


async def test_a_post_takes_the_token_in_the_header_or_in_the_form(site: Site) -> None:
    login = await openid_log_in(site)
    token = login.tokens["access_token"]
    for answer in (
        await site.http.post("/userinfo", headers=login.bearer),
        await site.http.post("/userinfo", data={"access_token": token}),
        await site.http.post("/userinfo", headers=login.bearer, data={"other": "x"}),
    ):
        assert answer.json() == {"sub": login.user.id}
    both = await site.http.post("/userinfo", headers=login.bearer, data={"access_token": token})
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
    twice = await site.http.post("/userinfo", headers=[*login.bearer.items(), *login.bearer.items()])
    assert twice.status_code == 401


async def test_a_token_in_the_url_is_none(site: Site) -> None:
    login = await openid_log_in(site)
    answer = await site.http.get("/userinfo", params={"access_token": login.tokens["access_token"]})
    assert answer.status_code == 401


async def test_without_a_token_there_is_a_bare_challenge(site: Site) -> None:
    answer = await site.http.get("/userinfo")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("in_body", [True, False])
async def test_a_token_without_openid_is_refused_with_the_scope_it_lacks(site: Site, in_body: bool) -> None:
    client = await openid_client(site)
    login = await openid_log_in(site, client, scope="openid email")
    form = {"grant_type": "refresh_token", "refresh_token": login.tokens["refresh_token"], "scope": "email"}
    token = (await site.http.post("/token", data=form, auth=client.auth)).json()["access_token"]
    sent: dict[str, Any] = {"data": {"access_token": token}} if in_body else {}
    headers = {} if in_body else {"Authorization": f"Bearer {token}"}
    answer = await site.http.post("/userinfo", headers=headers, **sent)
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="openid"'


async def test_the_tokens_of_programs_are_about_nobody(site: Site) -> None:
    program = await site.client(scopes=("openid",))
    token = (await site.own_token(program, scope="openid"))["access_token"]
    answer = await site.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


@pytest.mark.parametrize("what", ["user removed", "user disabled", "client disabled", "logged out", "nonsense"])
async def test_who_is_gone_is_not_told_of(site: Site, what: str) -> None:
    login = await openid_log_in(site)
    admin = await site.admin()
    if what == "user removed":
        await site.http.delete(f"/admin/users/{login.user.id}", headers=admin)
    elif what == "user disabled":
        await site.http.patch(f"/admin/users/{login.user.id}", json={"enabled": False}, headers=admin)
    elif what == "client disabled":
        await site.http.patch(f"/admin/clients/{login.client.id}", json={"enabled": False}, headers=admin)
    elif what == "logged out":
        await login.browser.get(f"/end_session?id_token_hint={login.id_token}")
    else:
        login.tokens["access_token"] += "x"
    answer = await site.http.get("/userinfo", headers=login.bearer)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


async def test_an_id_token_is_no_access_token(site: Site) -> None:
    login = await openid_log_in(site)
    answer = await site.http.get("/userinfo", headers={"Authorization": f"Bearer {login.id_token}"})
    assert answer.status_code == 401


async def test_signed_for_a_client_that_wants_it_so(site: Site) -> None:
    client = await openid_client(site, userinfo_signed_response_alg="RS256")
    login = await openid_log_in(site, client, user=await ada(site), scope="openid email")
    answer = await site.http.get("/userinfo", headers=login.bearer)
    assert answer.headers["content-type"] == "application/jwt"
    keys = jwt.PyJWKSet.from_dict((await site.http.get("/.well-known/jwks.json")).json())
    header = jwt.get_unverified_header(answer.text)
    claims = jwt.decode(
        answer.text,
        keys[header["kid"]],
        algorithms=["RS256"],
        audience=client.id,
        issuer=ISSUER,
        options={"require": []},
    )
    assert claims == {
        "iss": ISSUER,
        "aud": client.id,
        "sub": login.user.id,
        "email": "ada@example.org",
        "email_verified": True,
    }
    # It is no other token of ours.
    assert (await site.http.get("/userinfo", headers={"Authorization": f"Bearer {answer.text}"})).status_code == 401
    hinted = await login.browser.get(f"/end_session?id_token_hint={answer.text}")
    assert "logout" in hinted.forms


async def test_a_pairwise_client_knows_the_user_by_another_name_everywhere(site: Site) -> None:
    pairwise = await openid_client(site, subject_type="pairwise", access_token_format="opaque")
    login = await openid_log_in(site, pairwise)
    told = (await site.http.get("/userinfo", headers=login.bearer)).json()
    assert told["sub"] == login.claims["sub"] != login.user.id
    other = await openid_client(
        site, subject_type="pairwise", access_token_format="opaque", redirect_uris=("https://other.example/cb",)
    )
    elsewhere = await openid_log_in(site, other, login.user)
    assert elsewhere.claims["sub"] not in (told["sub"], login.user.id)


async def test_no_other_endpoint_tells_a_pairwise_client_who_the_user_is(site: Site) -> None:
    pairwise = await openid_client(site, subject_type="pairwise", access_token_format="opaque")
    login = await openid_log_in(site, pairwise)
    refresh = {"token": login.tokens["refresh_token"]}
    told = (await site.http.post("/introspect", data=refresh, auth=pairwise.auth)).json()
    assert told["sub"] == login.claims["sub"]
    asked = await site.http.get("/forward-auth", headers=login.bearer)
    assert asked.status_code == 401
    for answer in (json.dumps(told), asked.text, str(asked.headers)):
        assert login.user.id not in answer


async def test_a_token_that_is_bound_to_a_key_needs_its_proof(site: Site) -> None:
    key, other = (ProofKey("ES256", now=lambda: site.services.now() / SECOND) for _ in range(2))
    user, app = await site.user(), await site.app(scopes=("openid",))
    body = {"username": user.username, "password": PASSWORD, "client_id": app.id, "scope": "openid"}
    proven = {"DPoP": key.proof("POST", f"{ISSUER}/login")}
    token = (await site.http.post("/login", json=body, headers=proven)).json()["access_token"]
    url = f"{ISSUER}/userinfo"
    good = await site.http.get("/userinfo", headers=key.headers("GET", url, token))
    assert good.json() == {"sub": user.id}
    for refused in (
        await site.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"}),
        await site.http.get("/userinfo", headers={"Authorization": f"DPoP {token}"}),
        await site.http.get("/userinfo", headers=other.headers("GET", url, token)),
        await site.http.post("/userinfo", data={"access_token": token}),
    ):
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("DPoP ")


async def test_pages_of_any_origin_may_ask_and_read_the_challenge(site: Site) -> None:
    preflight = await site.http.options("/userinfo", headers={"Origin": "https://spa.example"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    refused = await site.http.get("/userinfo", headers={"Origin": "https://spa.example"})
    exposed = refused.headers["access-control-expose-headers"].lower()
    assert {"www-authenticate", "dpop-nonce"} <= {name.strip() for name in exposed.split(",")}
    assert "access-control-allow-credentials" not in refused.headers


async def test_a_cookie_is_no_credential_here(site: Site) -> None:
    login = await openid_log_in(site)
    assert (await login.browser.get("/userinfo")).status == 401
