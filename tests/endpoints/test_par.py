"""POST /par: requests that the client sends itself (RFC 9126), and requests that it signs (RFC 9101)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from authserver.model.time import HOUR, MINUTE, SECOND
from authserver.verifier.testing_proof import ProofKey
from tests import people
from tests.browser_flow import REDIRECT, Asker, asker, jwks_of, log_in, logged_in, public_app, request_object, web_app
from tests.people import pass_time
from tests.site import API, ISSUER, PASSWORD, Site, claims_of

site = people.site
PREFIX = "urn:ietf:params:oauth:request_uri:"


async def test_a_pushed_request_is_answered_like_any_other(site: Site) -> None:
    one = await logged_in(site)
    answer = await one.push()
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"request_uri", "expires_in"}
    assert answer.json()["expires_in"] == 60
    assert answer.json()["request_uri"].startswith(PREFIX)
    page = await one.come(answer.json()["request_uri"])
    assert page.answer["state"] == "a state"
    assert (await one.trade(page.answer["code"])).status_code == 200


async def test_beside_the_request_uri_only_the_client_counts(site: Site) -> None:
    one = await logged_in(site)
    uri = (await one.push()).json()["request_uri"]
    page = await one.come(uri, state="another", redirect_uri="https://evil.example/", scope="openid write")
    assert page.location.startswith(f"{REDIRECT}?")
    assert page.answer["state"] == "a state"
    assert (await one.trade(page.answer["code"])).json()["scope"] == "openid read"


async def test_it_is_spent_when_the_code_is_given_and_not_when_it_is_looked_at(site: Site) -> None:
    one, user = await asker(site, first_party=True), await site.user()
    uri = (await one.push()).json()["request_uri"]
    assert (await one.come(uri)).path == "/account/login"
    assert (await one.come(uri)).path == "/account/login"
    page = await one.browser.submit("login", username=user.username, password=PASSWORD)
    assert "code" in page.answer
    page = await one.come(uri)
    assert (page.status, page.location) == (400, "")
    assert "invalid_request_uri" in page.text


async def test_a_long_log_in_does_not_lose_it(site: Site) -> None:
    one, user = await asker(site, first_party=True), await site.user()
    await one.pushed()
    pass_time(site, 20 * MINUTE)
    page = await one.browser.submit("login", username=user.username, password=PASSWORD)
    assert "code" in page.answer


async def test_two_pages_of_one_pushed_request_give_one_code(site: Site) -> None:
    one, user = await asker(site, first_party=True), await site.user()
    page = await one.pushed()
    again = page.url.replace("/account/login", "/authorize/continue")
    assert "code" in (await one.browser.submit("login", username=user.username, password=PASSWORD)).answer
    page = await one.browser.get(again)
    assert (page.status, page.location) == (400, "")
    assert "answered already" in page.text


async def test_a_redirect_uri_that_was_taken_back_since_is_not_used(site: Site) -> None:
    one, user = await asker(site, first_party=True), await site.user()
    page, uri = await one.pushed(), (await one.push()).json()["request_uri"]
    path, headers = f"/admin/clients/{one.client.id}", await site.admin()
    changed = {"redirect_uris": ["https://app.example/new"]}
    assert (await site.http.patch(path, headers=headers, json=changed)).status_code == 200
    under_way = await one.browser.get(page.url.replace("/account/login", "/authorize/continue"))
    assert (under_way.status, under_way.location) == (400, "")
    await log_in(one.browser, user)
    late = await one.come(uri)
    assert (late.status, late.location) == (400, "")


async def test_a_request_too_long_for_a_url_can_be_pushed(site: Site) -> None:
    one, user = await asker(site), await site.user()
    long = json.dumps({"userinfo": {"x" * 90 + str(n): None for n in range(38)}})
    page = await one.pushed(claims=long, state="s" * 2000, nonce="n" * 500)
    assert page.path == "/account/login"
    page = await one.browser.submit("login", username=user.username, password=PASSWORD)
    page = await one.browser.submit("consent", "allow")
    assert page.answer["state"] == "s" * 2000


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"request_uri": PREFIX + "x"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"code_challenge": None}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"client_id": "somebody-else"}, "invalid_request"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
    ],
)
async def test_it_is_checked_from_the_first_parameter_to_the_last(
    site: Site, changes: dict[str, Any], error: str
) -> None:
    answer = await (await asker(site)).push(**changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.headers["cache-control"] == "no-store"


async def test_the_client_has_to_prove_who_it_is(site: Site) -> None:
    one = await asker(site)
    answer = await site.http.post("/par", data=one.parameters())
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    answer = await site.http.post("/par", data=one.parameters(), auth=(one.client.id, "wrong"))
    assert answer.status_code == 401
    assert "request_uri" not in answer.json()


async def test_a_public_client_may_push_too(site: Site) -> None:
    one = await logged_in(site, await public_app(site, first_party=True))
    assert "code" in (await one.pushed()).answer


async def test_get_is_no_way_to_push(site: Site) -> None:
    answer = await site.http.get("/par")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_pages_of_other_origins_get_no_answer(site: Site) -> None:
    answer = await (await asker(site)).push({"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("fields", [{"require_pushed_authorization_requests": True}, {"profile": "fapi2"}])
async def test_a_client_may_be_bound_to_push(site: Site, fields: dict[str, Any]) -> None:
    one = await logged_in(site, **fields)
    assert (await one.ask()).answer["error"] == "invalid_request"
    assert "code" in (await one.pushed()).answer


async def test_fapi_wants_the_redirect_uri_said(site: Site) -> None:
    one = await asker(site, profile="fapi2")
    answer = await one.push(redirect_uri=None, scope="read")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


# -- DPoP -------------------------------------------------------------------------------------


def proof(key: ProofKey, path: str = "/token") -> dict[str, str]:
    return {"DPoP": key.proof("POST", ISSUER + path)}


async def test_a_proof_that_comes_with_the_request_binds_the_code_to_its_key(site: Site) -> None:
    one, key, other = await logged_in(site), ProofKey(), ProofKey()
    uri = (await one.push(proof(key, "/par"))).json()["request_uri"]
    code = (await one.come(uri)).answer["code"]
    assert (await one.trade(code)).json()["error"] == "invalid_grant"
    assert (await one.trade(code, headers=proof(other))).json()["error"] == "invalid_grant"
    answer = await one.trade(code, headers=proof(key))
    assert answer.json()["token_type"] == "DPoP"
    assert claims_of(answer.json()["access_token"])["cnf"] == {"jkt": key.jkt}


async def test_the_proof_and_dpop_jkt_name_one_key(site: Site) -> None:
    one, key, other = await asker(site), ProofKey(), ProofKey()
    assert (await one.push(proof(key, "/par"), dpop_jkt=key.jkt)).status_code == 201
    answer = await one.push(proof(key, "/par"), dpop_jkt=other.jkt)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_wrong_proof_is_refused(site: Site) -> None:
    answer = await (await asker(site)).push(proof(ProofKey(), "/token"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


# -- request objects --------------------------------------------------------------------------


async def signing(site: Site, **fields: Any) -> tuple[Asker, ProofKey]:
    """Somebody is logged in, at a client that signs."""
    key = ProofKey()
    return await logged_in(site, jwks=jwks_of(key), **fields), key


async def sent(one: Asker, object_: str, **beside: str) -> dict[str, str]:
    page = await one.browser.get("/authorize?" + urlencode({"client_id": one.client.id, "request": object_, **beside}))
    return page.answer | {"status": str(page.status), "text": page.text}


async def test_a_signed_request_is_answered_by_what_it_says(site: Site) -> None:
    one, key = await signing(site)
    told = await sent(one, request_object(one, key))
    assert told["state"] == "a state"
    assert (await one.trade(told["code"])).status_code == 200


@pytest.mark.parametrize("typ", ["oauth-authz-req+jwt", "application/oauth-authz-req+jwt", "JWT", None])
async def test_these_types_are_taken(site: Site, typ: str | None) -> None:
    one, key = await signing(site)
    assert "code" in await sent(one, request_object(one, key, header={"typ": typ}))


async def test_what_stands_beside_it_does_not_count(site: Site) -> None:
    one, key = await signing(site)
    told = await sent(one, request_object(one, key, state=None), state="mine", scope="write", nonce="mine")
    assert "state" not in told
    claims = claims_of((await one.trade(told["code"])).json()["id_token"])
    assert "nonce" not in claims


async def test_json_members_may_stand_in_it_as_they_are(site: Site) -> None:
    one, key = await signing(site, resources=(API, "https://files.example"))
    object_ = request_object(
        one, key, claims={"id_token": {"acr": None}}, max_age=3600, resource=["https://files.example", API]
    )
    answer = await one.trade((await sent(one, object_))["code"])
    assert claims_of(answer.json()["access_token"])["aud"] == ["https://files.example", API]


@pytest.mark.parametrize(
    "different",
    [
        {"header": {"alg": "none"}},
        {"header": {"typ": "at+jwt"}},
        {"header": {"kid": "two"}},
        {"header": {"crit": ["exp"]}},
        {"jwt": {"iss": "somebody-else"}},
        {"jwt": {"iss": None}},
        {"jwt": {"aud": "https://other.example"}},
        {"jwt": {"aud": None}},
        {"jwt": {"exp": 1}},
        {"jwt": {"exp": None}},
        {"jwt": {"nbf": 4_000_000_000}},
        {"jwt": {"jti": 7}},
        {"client_id": "somebody-else"},
        {"client_id": None},
        {"request": "e30.e30.e30"},
        {"request_uri": "https://app.example/request"},
    ],
)
async def test_an_object_that_is_not_the_clients_for_here_and_now_is_refused(
    site: Site, different: dict[str, Any]
) -> None:
    one, key = await signing(site)
    told = await sent(one, request_object(one, key, **different), redirect_uri=REDIRECT, state="outer")
    assert told["error"] == "invalid_request_object", told
    assert told["state"] == "outer"


async def test_one_signed_by_somebody_else_is_refused(site: Site) -> None:
    one, _ = await signing(site)
    told = await sent(one, request_object(one, ProofKey()), redirect_uri=REDIRECT)
    assert told["error"] == "invalid_request_object"


async def test_where_an_error_goes_is_not_taken_from_an_object_that_is_not_good(site: Site) -> None:
    one, _ = await signing(site, redirect_uris=(REDIRECT, "https://app.example/other"))
    told = await sent(one, request_object(one, ProofKey()))
    assert told["status"] == "400"
    assert "invalid_request_object" in told["text"]


async def test_mistakes_inside_are_told_to_the_redirect_uri_inside(site: Site) -> None:
    one, key = await signing(site)
    told = await sent(one, request_object(one, key, scope="admin"), state="outer")
    assert (told["error"], told["state"]) == ("invalid_scope", "a state")


async def test_a_jti_counts_once_and_an_hour_at_most(site: Site) -> None:
    one, key = await signing(site)
    object_ = request_object(one, key, jwt={"jti": "once"})
    assert "code" in await sent(one, object_)
    assert (await sent(one, object_, redirect_uri=REDIRECT))["error"] == "invalid_request_object"
    late = site.services.now() // SECOND + 2 * HOUR // SECOND
    far = request_object(one, key, jwt={"jti": "far", "exp": late})
    assert (await sent(one, far, redirect_uri=REDIRECT))["error"] == "invalid_request_object"


async def test_the_algorithm_that_a_client_chose_is_the_only_one(site: Site) -> None:
    one, key = await signing(site, request_object_signing_alg="PS256")
    told = await sent(one, request_object(one, key), redirect_uri=REDIRECT)
    assert told["error"] == "invalid_request_object"


@pytest.mark.parametrize(("alg", "status"), [("RS256", 400), ("PS256", 201)])
async def test_fapi_narrows_the_algorithms_of_a_client_that_chose_none(site: Site, alg: str, status: int) -> None:
    key = ProofKey(alg)
    one = await logged_in(site, profile="fapi2", jwks=jwks_of(key))
    answer = await one.post("/par", {"request": request_object(one, key)})
    assert answer.status_code == status
    assert answer.json().get("error") in (None, "invalid_request_object")


@pytest.mark.parametrize(("alg", "status"), [("RS256", 400), ("PS256", 201), ("ES256", 201), ("EdDSA", 201)])
async def test_fapi_narrows_the_algorithms_of_dpop_proofs_too(site: Site, alg: str, status: int) -> None:
    key = ProofKey(alg, now=lambda: site.services.now() / SECOND)
    answer = await (await logged_in(site, profile="fapi2")).push({"DPoP": key.proof("POST", f"{ISSUER}/par")})
    assert answer.status_code == status
    assert answer.json().get("error") in (None, "invalid_dpop_proof")


async def test_a_client_may_be_bound_to_sign(site: Site) -> None:
    one, key = await signing(site, require_signed_request_object=True)
    assert (await one.ask()).answer["error"] == "invalid_request"
    assert "code" in await sent(one, request_object(one, key))
    assert (await one.push()).json()["error"] == "invalid_request"


async def test_a_signed_request_can_be_pushed(site: Site) -> None:
    one, key = await signing(site, require_signed_request_object=True)
    answer = await one.post("/par", {"request": request_object(one, key)})
    assert answer.status_code == 201, answer.text
    assert "code" in (await one.come(answer.json()["request_uri"])).answer


async def test_a_client_without_keys_can_sign_nothing(site: Site) -> None:
    one = await logged_in(site)
    told = await sent(one, request_object(one, ProofKey()), redirect_uri=REDIRECT)
    assert told["error"] == "invalid_request_object"


async def test_consent_to_a_pushed_request_is_remembered(site: Site) -> None:
    one = await asker(site, await web_app(site))
    await log_in(one.browser, await site.user())
    assert (await one.pushed()).path == "/account/consent"
    assert "code" in (await one.browser.submit("consent", "allow")).answer
    assert "code" in (await one.pushed()).answer
