"""POST /introspect answered by a JWT (RFC 9701), and what else introspection says of new kinds of tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt as pyjwt
import pytest

from authserver.model.grant import Authorization, Confirmation, Terms, Versions
from authserver.tokens.jwt import Signer
from tests.site import API, ISSUER, Party, Site, make_keys_dir, open_site

JWT = "application/token-introspection+jwt"


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    keys = make_keys_dir(tmp_path)
    async with open_site(sqlite_url, keys, signing_algorithms=("RS256", "PS256", "ES256")) as opened:
        yield opened


async def ask(site: Site, caller: Party, token: str, accept: str | None = JWT) -> httpx.Response:
    headers = {} if accept is None else {"Accept": accept}
    return await site.http.post("/introspect", data={"token": token}, auth=caller.auth, headers=headers)


async def read(site: Site, response: httpx.Response, audience: str, algorithm: str = "RS256") -> dict[str, Any]:
    """With an independent library and the published keys."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].partition(";")[0] == JWT
    assert response.headers["cache-control"] == "no-store"
    header = pyjwt.get_unverified_header(response.text)
    assert (header["typ"], header["alg"]) == ("token-introspection+jwt", algorithm)
    keys = pyjwt.PyJWKSet.from_json((await site.http.get("/.well-known/jwks.json")).text)
    claims: dict[str, Any] = pyjwt.decode(
        response.text, keys[header["kid"]], algorithms=[algorithm], issuer=ISSUER, audience=audience
    )
    return claims


async def test_the_answer_is_the_same_inside_the_jwt_and_meant_for_the_caller_alone(site: Site) -> None:
    api = await site.resource_server()
    login = await site.log_in(await site.user(), await site.app())
    plain = (await ask(site, api, login.tokens["access_token"], accept=None)).json()
    claims = await read(site, await ask(site, api, login.tokens["access_token"]), api.id)
    assert claims.pop("token_introspection") == plain
    assert plain["active"] is True
    assert claims.keys() == {"iss", "aud", "iat"}, "no sub and no exp: it is no access token"
    assert (claims["iss"], claims["aud"]) == (ISSUER, api.id)


@pytest.mark.parametrize("token", ["", "nonsense", "e30.e30.e30", "other audience"])
async def test_of_a_token_that_is_not_the_callers_it_says_that_and_nothing_else(site: Site, token: str) -> None:
    api = await site.client(audiences=("https://elsewhere.example",))
    login = await site.log_in(await site.user(), await site.app())
    shown = login.tokens["access_token"] if token == "other audience" else token
    response = await ask(site, api, shown)
    if not token:
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
        return
    assert (await read(site, response, api.id))["token_introspection"] == {"active": False}


@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "RS256"])
async def test_the_caller_chooses_the_algorithm_at_registration(site: Site, algorithm: str) -> None:
    api = await site.client(audiences=(API,), introspection_signed_response_alg=algorithm)
    login = await site.log_in(await site.user(), await site.app())
    claims = await read(site, await ask(site, api, login.tokens["access_token"]), api.id, algorithm)
    assert claims["token_introspection"]["active"] is True


async def test_an_algorithm_without_a_key_is_a_503_and_plain_answers_go_on(site: Site) -> None:
    api = await site.client(audiences=(API,), introspection_signed_response_alg="EdDSA")
    assert (await ask(site, api, "x")).status_code == 503
    assert (await ask(site, api, "x", accept="application/json")).json() == {"active": False}


@pytest.mark.parametrize(
    ("accept", "signed"),
    [
        (JWT, True),
        (JWT.upper(), True),
        (f"application/json, {JWT}", True),
        (f"{JWT};q=0.5, application/json;q=0.4", True),
        (f"{JWT};q=0.4, application/json;q=0.5", False),
        (f"{JWT};q=0", False),
        (f"{JWT};q=x", False),
        (None, False),
        ("*/*", False),
        ("application/*", False),
        ("application/json", False),
        ("application/jwt", False),
        ("text/html", False),
        ("", False),
    ],
)
async def test_whoever_does_not_ask_for_a_jwt_by_its_name_gets_json(
    site: Site, accept: str | None, signed: bool
) -> None:
    api = await site.resource_server()
    response = await ask(site, api, "x", accept)
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == (JWT if signed else "application/json")


async def test_a_refusal_stays_json(site: Site) -> None:
    app = await site.app()
    response = await site.http.post("/introspect", data={"token": "x", "client_id": app.id}, headers={"Accept": JWT})
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


async def test_the_answer_is_no_access_token_and_no_id_token(site: Site) -> None:
    api = await site.resource_server()
    program = await site.client(resources=(API,), scopes=("admin",))
    token = (await site.own_token(program))["access_token"]
    answer = (await ask(site, api, token)).text
    assert (await ask(site, api, answer, accept=None)).json() == {"active": False}
    assert (await site.http.get("/admin/keys", headers={"Authorization": f"Bearer {answer}"})).status_code == 401


# -- what is new in the answers ---------------------------------------------------------------


async def minted(site: Site, **differs: Any) -> str:
    """For a program, as a grant that proved these things would have it."""
    program = await site.client(resources=(API,))
    authorization = Authorization(
        client=program.record,
        subject=program.id,
        scope=("read",),
        audience=(API,),
        versions=Versions(0, 0, 0),
        **differs,
    )
    return str((await site.services.issuance.answer(authorization))["access_token"])


@pytest.mark.parametrize(
    ("confirmation", "token_type"),
    [(Confirmation("jkt", "key"), "DPoP"), (Confirmation("x5t#S256", "certificate"), "Bearer")],
)
async def test_a_bound_token_says_to_what_and_how_it_is_shown(
    site: Site, confirmation: Confirmation, token_type: str
) -> None:
    api = await site.resource_server()
    answer = (await ask(site, api, await minted(site, confirmation=confirmation), accept=None)).json()
    assert (answer["cnf"], answer["token_type"]) == (confirmation.claim, token_type)


async def test_who_acts_for_the_subject_and_what_was_granted_in_detail_are_said(site: Site) -> None:
    api = await site.resource_server()
    details = ({"type": "payment", "amount": {"value": 5}}, {"type": "account"})
    actor = {"sub": "service", "act": {"sub": "gateway"}}
    token = await minted(site, terms=Terms(actor=actor, authorization_details=details))
    answer = (await ask(site, api, token, accept=None)).json()
    assert (answer["act"], answer["authorization_details"]) == (actor, list(details))
    plain = (await ask(site, api, await minted(site), accept=None)).json()
    assert plain.keys().isdisjoint({"act", "authorization_details", "cnf"})


@pytest.mark.parametrize(
    "cnf", [{}, {"jkt": ""}, {"jkt": 1}, {"jkt": "a", "x5t#S256": "b"}, {"x5t": "a"}, [], "jkt", {"jkt": "a", "y": 1}]
)
async def test_a_binding_that_is_not_understood_is_no_bearer_token(site: Site, cnf: object) -> None:
    api, token = await site.resource_server(), await minted(site)
    assert await site.active(token)
    claims = pyjwt.decode(token, options={"verify_signature": False})
    bound = Signer(site.services.keys)(claims | {"cnf": cnf}, "RS256", "at+jwt")
    assert (await ask(site, api, bound, accept=None)).json() == {"active": False}
