"""Authlib's client, as a web application uses it."""

from __future__ import annotations

import secrets
import warnings
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from tests.interop.provider import EMAIL, Provider
from tests.interop.surfer import Surfer

with warnings.catch_warnings(action="ignore"):  # it would rather have another HTTP library
    from authlib.integrations.httpx_client import AsyncOAuth2Client

BACK, BYE = "https://rp.example/back", "https://rp.example/bye"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
async def test_authlib_logs_in_refreshes_and_logs_out(provider: Provider, surfer: Surfer, method: str) -> None:
    client_id = provider.client(
        f"authlib-{method}", "--redirect-uri", BACK, "--set", f"post_logout_redirect_uris={BYE}", method=method
    )
    about = discover(provider)
    async with AsyncOAuth2Client(
        client_id,
        provider.secrets[client_id] or None,
        token_endpoint_auth_method=method,
        scope="openid email offline_access read",
        redirect_uri=BACK,
        code_challenge_method="S256",
        verify=provider.trust,
    ) as client:
        verifier, nonce = generate_token(48), secrets.token_urlsafe()
        link, state = client.create_authorization_url(
            about["authorization_endpoint"], code_verifier=verifier, nonce=nonce
        )
        assert create_s256_code_challenge(verifier) in link
        back = surfer.follow(link)
        tokens = await client.fetch_token(
            about["token_endpoint"], authorization_response=back, code_verifier=verifier, state=state
        )
        claims = read_id_token(about, provider, tokens["id_token"])
        assert (claims["nonce"], claims["aud"]) == (nonce, client_id)
        userinfo = (await client.get(about["userinfo_endpoint"])).json()
        assert (userinfo["sub"], userinfo["email"]) == (claims["sub"], EMAIL)
        fresh = await client.refresh_token(about["token_endpoint"], tokens["refresh_token"])
        assert fresh["refresh_token"] != tokens["refresh_token"]
        with pytest.raises(OAuthError, match="invalid_grant"):
            await client.fetch_token(about["token_endpoint"], authorization_response=back, code_verifier=verifier)
    bye = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE, "state": "after"}
    assert surfer.follow(f"{about['end_session_endpoint']}?{urlencode(bye)}") == f"{BYE}?state=after"
    silent = surfer.follow(f"{link}&prompt=none")
    assert parse_qs(urlsplit(silent).query)["error"] == ["login_required"]


def discover(provider: Provider) -> dict[str, Any]:
    return dict(httpx.get(f"{provider.issuer}/.well-known/openid-configuration", verify=provider.trust).json())


def read_id_token(about: dict[str, Any], provider: Provider, id_token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(httpx.get(about["jwks_uri"], verify=provider.trust).json())
    token = jwt.decode(id_token, keys)
    JWTClaimsRegistry(iss={"essential": True, "value": provider.issuer}).validate(token.claims)
    return dict(token.claims)
