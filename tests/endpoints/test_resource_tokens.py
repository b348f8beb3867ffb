"""Resources that want their access tokens in a form of their own (`resource_tokens`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from authserver.model.grant import Authorization, Versions
from authserver.model.resource_tokens import ResourceTokens
from tests.browser_flow import logged_in
from tests.site import API, Party, Site, make_keys_dir, open_site

SECRETIVE, MODERN = "https://secretive.example", "https://modern.example"
RESOURCES = (API, SECRETIVE, MODERN)
WISHES = (
    ResourceTokens(resource=SECRETIVE, format="opaque"),
    ResourceTokens(resource=MODERN, format="jwt", typ="JWT", signed_response_alg="PS256"),
)


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    keys = make_keys_dir(tmp_path)
    async with open_site(database_url, keys, resource_tokens=WISHES, signing_algorithms=("RS256", "PS256")) as site:
        yield site


async def own_token(site: Site, client: Party, *resources: str) -> dict[str, Any]:
    form = {"grant_type": "client_credentials", "resource": list(resources)}
    return dict((await site.http.post("/token", data=form, auth=client.auth)).json())


async def told(site: Site, token: str, resource: str) -> dict[str, Any]:
    reader = await site.client(audiences=(resource,))
    return dict((await site.http.post("/introspect", data={"token": token}, auth=reader.auth)).json())


async def test_each_resource_gets_tokens_of_its_form(site: Site) -> None:
    client = await site.client(resources=RESOURCES)
    plain, secretive, modern = [(await own_token(site, client, one))["access_token"] for one in RESOURCES]
    headers = [jwt.get_unverified_header(token) for token in (plain, modern)]
    assert [(header["typ"], header["alg"]) for header in headers] == [("at+jwt", "RS256"), ("JWT", "PS256")]
    assert "." not in secretive
    for resource, token in zip(RESOURCES, (plain, secretive, modern), strict=True):
        answer = await told(site, token, resource)
        assert (answer["active"], answer["aud"]) == (True, resource)


async def test_a_token_for_several_is_opaque_if_one_wants_that_and_else_as_the_first_one_wants(site: Site) -> None:
    client = await site.client(resources=RESOURCES)
    secret, modern = [(await own_token(site, client, *asked))["access_token"] for asked in (RESOURCES, (API, MODERN))]
    assert "." not in secret
    assert jwt.get_unverified_header(modern)["alg"] == "PS256"


async def test_a_log_in_for_several_gives_each_its_own_by_refresh_and_by_code(site: Site) -> None:
    one = await logged_in(site, resources=(SECRETIVE, MODERN))
    url = one.url(scope="read offline_access") + f"&resource={SECRETIVE}&resource={MODERN}"
    code = (await one.browser.get(url)).answer["code"]
    first = (await one.trade(code, resource=SECRETIVE)).json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "resource": MODERN}
    second = (await one.post("/token", form)).json()
    both = (await one.refresh(second["refresh_token"])).json()
    assert "." not in first["access_token"] + both["access_token"]
    assert jwt.get_unverified_header(second["access_token"])["alg"] == "PS256"


async def test_a_revocation_reaches_tokens_of_all_forms(site: Site) -> None:
    client = await site.client(resources=RESOURCES)
    tokens = [(await own_token(site, client, one))["access_token"] for one in RESOURCES]
    body = {"client_id": client.id, "reason": "a test"}
    revoked = await site.http.post("/admin/revocations", json=body, headers=await site.admin())
    assert revoked.status_code in (200, 201), revoked.text
    for resource, token in zip(RESOURCES, tokens, strict=True):
        assert await told(site, token, resource) == {"active": False}


async def test_forward_auth_hands_on_what_the_resource_wants(site: Site) -> None:
    user, handed = await site.user(), []
    for resource in (SECRETIVE, MODERN):
        login = await site.log_in(user, await site.app(resources=(resource,)), mode="session")
        answers = [await site.http.get("/forward-auth", headers=login.cookie_header) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        (token,) = {answer.headers["authorization"].removeprefix("Bearer ") for answer in answers}
        assert (await told(site, token, resource))["active"] is True
        handed.append(token)
    assert "." not in handed[0]
    assert jwt.get_unverified_header(handed[1])["alg"] == "PS256"


async def test_an_opaque_token_is_signed_by_nobody(site: Site) -> None:
    client = await site.client(resources=RESOURCES)
    versions = Versions(0, 0, 0)
    wanted = Authorization(client=client.record, subject="u", scope=(), audience=(SECRETIVE,), versions=versions)
    with pytest.raises(ValueError, match="opaque"):
        site.services.issuance.tokens.access_token(wanted)
