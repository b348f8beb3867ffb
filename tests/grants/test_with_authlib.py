"""An OAuth client that somebody else wrote, against this server: Authlib's AsyncOAuth2Client."""

from __future__ import annotations

import warnings
from typing import Any

import httpx2
import pytest
from authlib.integrations.base_client.errors import OAuthError

from tests.oauth_server import ISSUER, App, LogIn, OAuthServer

with warnings.catch_warnings(action="ignore"):  # it would rather have another HTTP library
    from authlib.integrations.httpx_client import AsyncOAuth2Client


@pytest.fixture
async def server(sqlite_stores: Any) -> OAuthServer:
    return await OAuthServer(sqlite_stores).start()


def authlib_client(server: OAuthServer, app: App, token: dict[str, Any] | None = None) -> AsyncOAuth2Client:
    return AsyncOAuth2Client(
        client_id=app.id,
        client_secret=app.secret or None,
        token_endpoint_auth_method=app.record.auth_method,
        token_endpoint=f"{ISSUER}/token",
        revocation_endpoint_auth_method=app.record.auth_method,
        token=token,
        transport=httpx2.ASGITransport(server.app()),
        base_url=ISSUER,
    )


def stored_token(log_in: LogIn) -> dict[str, Any]:
    return {"access_token": "gone", "refresh_token": log_in.refresh_token, "token_type": "Bearer", "expires_at": 1}


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_it_fetches_a_token_of_its_own(server: OAuthServer, method: str):
    app = await server.a_confidential_client(auth_method=method)
    async with authlib_client(server, app) as client:
        token = await client.fetch_token(f"{ISSUER}/token", grant_type="client_credentials", scope="read")
    assert (token["token_type"], token["scope"]) == ("Bearer", "read")


async def test_a_public_client_refreshes_time_and_again(server: OAuthServer):
    log_in = await server.a_log_in()
    async with authlib_client(server, log_in.client, stored_token(log_in)) as client:
        first = await client.refresh_token(f"{ISSUER}/token")
        second = await client.refresh_token(f"{ISSUER}/token")
    assert len({log_in.refresh_token, first["refresh_token"], second["refresh_token"]}) == 3


async def test_it_reads_our_refusals(server: OAuthServer):
    app = await server.a_confidential_client()
    async with authlib_client(server, app) as client:
        with pytest.raises(OAuthError, match="invalid_scope"):
            await client.fetch_token(f"{ISSUER}/token", grant_type="client_credentials", scope="admin")
    app.secret = "guess"
    async with authlib_client(server, app) as client:
        with pytest.raises(OAuthError, match="invalid_client"):
            await client.fetch_token(f"{ISSUER}/token", grant_type="client_credentials")


async def test_it_introspects_and_revokes(server: OAuthServer):
    app, resource_server = await server.a_confidential_client(), await server.a_resource_server()
    async with authlib_client(server, app) as client, authlib_client(server, resource_server) as asking:
        token = (await client.fetch_token(f"{ISSUER}/token", grant_type="client_credentials"))["access_token"]
        before = await asking.introspect_token(f"{ISSUER}/introspect", token=token)
        revoked = await client.revoke_token(f"{ISSUER}/revoke", token=token, token_type_hint="access_token")
        after = await asking.introspect_token(f"{ISSUER}/introspect", token=token)
    assert (before.json()["active"], revoked.status_code, after.json()) == (True, 200, {"active": False})
