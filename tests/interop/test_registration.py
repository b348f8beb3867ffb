"""Registration as other people's libraries write it and read its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from authlib.oauth2.rfc7591 import ClientMetadataClaims
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata

from tests.site import ISSUER, Site, make_keys_dir, open_site


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(sqlite_url, make_keys_dir(tmp_path), registration="open") as opened:
        yield opened


async def test_the_sdk_of_the_model_context_protocol_registers_and_reads_the_answer(site: Site) -> None:
    asked = OAuthClientMetadata(
        client_name="An agent",
        redirect_uris=["http://localhost:3030/callback"],  # type: ignore[list-item]  # pydantic reads text as a URL
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
        scope=" ".join((await site.http.get("/.well-known/oauth-authorization-server")).json()["scopes_supported"]),
    )
    sent = asked.model_dump(by_alias=True, mode="json", exclude_none=True)
    response = await site.http.post("/register", json=sent)
    assert response.status_code == 201, response.text
    told = OAuthClientInformationFull.model_validate(response.json())
    assert told.client_id
    assert told.client_secret is None
    assert told.redirect_uris == asked.redirect_uris
    assert told.scope == asked.scope


async def test_authlibs_reader_of_metadata_takes_the_answer(site: Site) -> None:
    body = {
        "redirect_uris": ["https://app.example/cb"],
        "contacts": ["a@b.example"],
        "client_uri": "https://app.example",
    }
    answer = (await site.http.post("/register", json=body)).json()
    claims = ClientMetadataClaims(answer, {}, {}, None)
    claims.validate()
    assert answer["registration_client_uri"].startswith(ISSUER)
