"""The token response, whichever grant earned it: which tokens, by which algorithm, and what is said beside them."""

from __future__ import annotations

import base64
from typing import Any

import jwt as pyjwt
import pytest

from authserver.model.client import Client
from authserver.model.errors import InvalidToken
from authserver.model.grant import Authorization, Confirmation, OpenIdFacts, Terms, Versions
from authserver.oauth.errors import InvalidGrant
from authserver.oauth.issuance import TokenIssuance
from authserver.tokens.id_token import IdTokens
from authserver.tokens.issuer import TokenIssuer
from authserver.tokens.keyring import NoSigningKey
from authserver.tokens.validation import AccessTokens
from tests.oauth_server import API, ISSUER, MINUTE, TOKEN_TTL, OAuthServer, claims_of


@pytest.fixture
async def server(sqlite_stores: Any) -> OAuthServer:
    return await OAuthServer(sqlite_stores).start()


@pytest.fixture
def issuance(server: OAuthServer) -> TokenIssuance:
    issuer = TokenIssuer(ISSUER, server.ring, TOKEN_TTL, server.clock)
    return TokenIssuance(issuer, server.opaque, IdTokens(ISSUER, server.ring, TOKEN_TTL, server.clock))


def earned(client: dict[str, Any] | None = None, **differs: Any) -> Authorization:
    usual = {"id": "app", "name": "App", "auth_method": "none", "scopes": ("openid",), "resources": (API,)}
    record = Client(**{**usual, **(client or {})})
    fields: dict[str, Any] = {"client": record, "subject": "ada", "scope": ("openid",), "audience": (API,)}
    return Authorization(**{"versions": Versions(0, 0, 0), "family_id": "f", **fields, **differs})


def unverified(token: object) -> tuple[dict[str, Any], dict[str, Any]]:
    text = str(token)
    return pyjwt.get_unverified_header(text), pyjwt.decode(text, options={"verify_signature": False})


async def test_a_plain_authorization_gives_a_bearer_token_and_nothing_else(issuance: TokenIssuance) -> None:
    answer = await issuance.answer(earned())
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 300, "openid")
    assert unverified(answer["access_token"])[0]["typ"] == "at+jwt"


async def test_an_openid_request_gives_an_id_token_that_vouches_for_the_access_token(issuance: TokenIssuance) -> None:
    for form in ("jwt", "opaque"):
        answer = await issuance.answer(earned({"access_token_format": form}, openid=OpenIdFacts("n")))
        header, claims = unverified(answer["id_token"])
        algorithm = pyjwt.get_algorithm_by_name("RS256")
        digest = algorithm.compute_hash_digest(str(answer["access_token"]).encode())
        assert claims["at_hash"] == base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
        assert (header["typ"], claims["aud"], claims["nonce"]) == ("JWT", "app", "n")


async def test_what_the_client_has_lost_since_is_not_given(issuance: TokenIssuance) -> None:
    granted: dict[str, Any] = {"scope": ("openid", "read"), "audience": (API, "https://b"), "openid": OpenIdFacts("n")}
    answer = await issuance.answer(earned({"scopes": ("read", "write")}, **granted))
    assert "id_token" not in answer
    claims = unverified(answer["access_token"])[1]
    assert (answer["scope"], claims["scope"], claims["aud"]) == ("read", "read", API)
    with pytest.raises(InvalidGrant, match="resources"):
        await issuance.answer(earned({"resources": ("https://c",)}, **granted))


async def test_a_program_has_no_id_token_whatever_it_asks_for(issuance: TokenIssuance) -> None:
    answer = await issuance.answer(earned(subject="app", family_id=None, openid=OpenIdFacts()))
    assert "id_token" not in answer


@pytest.mark.parametrize(
    ("confirmation", "token_type"),
    [(None, "Bearer"), (Confirmation("jkt", "k"), "DPoP"), (Confirmation("x5t#S256", "c"), "Bearer")],
)
async def test_the_token_says_what_it_is_bound_to_and_the_answer_how_to_show_it(
    issuance: TokenIssuance, confirmation: Confirmation | None, token_type: str
) -> None:
    answer = await issuance.answer(earned(confirmation=confirmation))
    assert answer["token_type"] == token_type
    assert unverified(answer["access_token"])[1].get("cnf") == (confirmation and confirmation.claim)


async def test_details_and_actor_go_into_the_token_and_details_into_the_answer(issuance: TokenIssuance) -> None:
    details, actor = ({"type": "payment"},), {"sub": "service"}
    answer = await issuance.answer(earned(terms=Terms(authorization_details=details, actor=actor)))
    claims = unverified(answer["access_token"])[1]
    assert (claims["authorization_details"], claims["act"]) == (list(details), actor)
    assert answer["authorization_details"] == list(details)
    assert "act" not in answer


async def test_an_exchange_says_what_kind_of_token_it_gave(issuance: TokenIssuance) -> None:
    kind = "urn:ietf:params:oauth:token-type:access_token"
    assert (await issuance.answer(earned(issued_token_type=kind)))["issued_token_type"] == kind


async def test_some_resource_servers_know_no_type_but_jwt(issuance: TokenIssuance, server: OAuthServer) -> None:
    answer = await issuance.answer(earned({"access_token_typ": "JWT"}))
    token = str(answer["access_token"])
    assert unverified(token)[0]["typ"] == "JWT"
    assert server.tokens.verify(token).client_id == "app"


async def test_an_opaque_tokens_life_is_as_long_as_that_of_a_jwt(issuance: TokenIssuance, server: OAuthServer) -> None:
    opaque = {"access_token_format": "opaque", "access_token_ttl": MINUTE}
    answer = await issuance.answer(earned(opaque))
    assert answer["expires_in"] == 60
    kept = await server.opaque.find(str(answer["access_token"]), now=server.clock() + MINUTE - 1)
    assert kept is not None
    assert kept.claims["exp"] * 1000 == kept.expires_at == server.clock() + MINUTE  # type: ignore[operator]  # a claim is any JSON
    assert await server.opaque.find(str(answer["access_token"]), now=server.clock() + MINUTE) is None


async def test_what_cannot_be_signed_is_found_out_before_anything_is_spent(issuance: TokenIssuance) -> None:
    ready = [{}, {"access_token_format": "opaque", "access_token_signed_response_alg": "ES256"}]
    ready += [{"scopes": (), "id_token_signed_response_alg": "ES256"}]
    for fields in ready:
        issuance.require_ready(earned(fields).client)
    for fields in ({"access_token_signed_response_alg": "ES256"}, {"id_token_signed_response_alg": "ES256"}):
        with pytest.raises(NoSigningKey):
            issuance.require_ready(earned(fields).client)


async def test_a_refresh_token_is_not_spent_on_tokens_that_cannot_be_signed(server: OAuthServer) -> None:
    client = await server.a_public_client(access_token_signed_response_alg="ES256")
    log_in = await server.a_log_in(client)
    answer = await server.refresh(log_in)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert (await server.family(log_in)).generation == 0


async def test_a_refresh_of_an_openid_log_in_gives_an_id_token_of_the_same_log_in(server: OAuthServer) -> None:
    client = await server.a_public_client(scopes=("openid", "read"))
    log_in = await server.a_log_in(client, scope=("openid", "read"))
    answer = await server.refresh(log_in)
    claims = unverified(answer.json()["id_token"])[1]
    assert (claims["sub"], claims["sid"]) == (log_in.user.id, log_in.family_id)
    assert claims["auth_time"] == claims_of(answer)["auth_time"]
    assert "nonce" not in claims
    plain = await server.a_log_in()
    assert "id_token" not in (await server.refresh(plain)).json()


async def test_an_issuer_under_a_new_name_takes_no_opaque_token_of_the_old_one(
    issuance: TokenIssuance, server: OAuthServer
) -> None:
    token = str((await issuance.answer(earned({"access_token_format": "opaque"})))["access_token"])
    assert (await server.tokens.genuine(token)).iss == ISSUER
    renamed = AccessTokens(server.ring, server.stores.revocations, "https://new.example", server.clock, server.opaque)
    with pytest.raises(InvalidToken):
        await renamed.genuine(token)
