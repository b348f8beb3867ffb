"""The public documents: keys and metadata, cached as they say (RFC 7517, RFC 8414, RFC 9110 section 13)."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from authserver.model.audit import SYSTEM
from tests.oauth_server import API, ISSUER, OAuthServer

JWKS = "/.well-known/jwks.json"
METADATA = "/.well-known/oauth-authorization-server"


@pytest.fixture
async def server(sqlite_stores: Any) -> OAuthServer:
    return await OAuthServer(sqlite_stores).start()


@pytest.mark.parametrize(("path", "max_age"), [(JWKS, 300), (METADATA, 3600)])
async def test_a_document_is_json_for_everybody_with_an_age(server: OAuthServer, path: str, max_age: int):
    answer = await server.http.get(path)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == f"public, max-age={max_age}"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize("path", [JWKS, METADATA])
@pytest.mark.parametrize("sent", ["{}", "W/{}", '"other", {}', "*"])
async def test_who_has_the_document_is_told_so(server: OAuthServer, path: str, sent: str):
    etag = (await server.http.get(path)).headers["etag"]
    answer = await server.http.get(path, headers={"If-None-Match": sent.format(etag)})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert "cache-control" in answer.headers


@pytest.mark.parametrize("path", [JWKS, METADATA])
async def test_who_has_another_document_gets_this_one(server: OAuthServer, path: str):
    answer = await server.http.get(path, headers={"If-None-Match": '"other", W/"more"'})
    assert answer.status_code == 200


async def test_the_key_set_follows_the_keys(server: OAuthServer):
    before = await server.http.get(JWKS)
    await server.rotation.rotate(now=True, caller=SYSTEM)
    after = await server.http.get(JWKS, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert len(after.json()["keys"]) == 2


async def test_with_nothing_but_the_key_set_a_token_can_be_validated(server: OAuthServer):
    server.clock.now = int(time.time() * 1000)
    token = (await server.token(await server.a_confidential_client())).json()["access_token"]
    keys = jwt.PyJWKSet.from_dict((await server.http.get(JWKS)).json())
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(
        token,
        keys[header["kid"]],
        algorithms=["RS256"],
        audience=API,
        issuer=ISSUER,
        options={"require": ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]},
    )
    assert header["typ"] == "at+jwt"
    assert claims["client_id"] == claims["sub"]


async def test_the_key_set_has_no_private_part(server: OAuthServer):
    for key in (await server.http.get(JWKS)).json()["keys"]:
        assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}
        assert key["use"] == "sig"


async def test_the_metadata_tells_the_issuer_exactly_and_where_things_are(server: OAuthServer):
    document = (await server.http.get(METADATA)).json()
    assert document["issuer"] == ISSUER
    assert document["token_endpoint"] == f"{ISSUER}/token"
    assert set(document["grant_types_supported"]) == {"client_credentials", "refresh_token"}
