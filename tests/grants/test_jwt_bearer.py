"""Assertions of other issuers for access tokens (RFC 7523 section 2.1), and identity assertion grants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from authserver.settings import SettingsError
from tests.signers import LEFT_OUT, signer
from tests.site import API, ISSUER, TEST, Party, Site, claims_of, make_keys_dir, open_site
from tests.strangers import answer, stranger

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
IDP, PLATFORM = "https://idp.example", "https://platform.example"
FILES = "https://files.example"
IDP_KEY, PLATFORM_KEY = signer("ES256"), signer("RS256")


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """One identity provider, which writes identity assertion grants for the client "app", and one platform, whose
    workloads are the client "robot"."""
    async with (
        stranger(answer(IDP_KEY.jwks().encode())) as idp,
        stranger(answer(PLATFORM_KEY.jwks().encode())) as platform,
    ):
        trusted = [
            {
                "issuer": IDP,
                "jwks_uri": f"http://127.0.0.1:{idp.port}/",
                "kind": "id-jag",
                "user_claim": "email",
                "clients": ["app", "other", "public"],
                "scopes": ["read", "write"],
            },
            {
                "issuer": PLATFORM,
                "jwks_uri": f"http://127.0.0.1:{platform.port}/",
                "subject": "client",
                "subjects": ["repo:main"],
                "audience": "https://here.example/ci",
                "clients": ["robot", "app"],
                "single_use": False,
            },
        ]
        options = {"outgoing_allow_loopback": True, "trusted_issuers": trusted}
        async with open_site(sqlite_url, make_keys_dir(tmp_path / "keys"), **options) as opened:
            yield opened


async def a_client(site: Site, named: str = "app", **fields: Any) -> Party:
    settled = {"grant_types": (GRANT,), "scopes": ("read", "write", "admin"), "resources": (API, FILES), **fields}
    return await site.client(id=named, **settled)


def id_jag(site: Site, user: str, **claims: Any) -> str:
    header = {"typ": "oauth-id-jag+jwt"}
    said = {"iss": IDP, "email": user, "client_id": "app", **claims}
    return IDP_KEY.assertion("employee-5", ISSUER, site.services.now(), header, **said)


def of_platform(site: Site, **claims: Any) -> str:
    said = {"iss": PLATFORM, "sub": "repo:main", **claims}
    return PLATFORM_KEY.assertion("repo:main", said.pop("aud", ISSUER), site.services.now(), **said)


async def trade(site: Site, client: Party, assertion: str, **form: Any) -> httpx.Response:
    return await site.http.post("/token", data={"grant_type": GRANT, "assertion": assertion, **form}, auth=client.auth)


def refused(response: httpx.Response, code: str = "invalid_grant") -> str:
    assert response.status_code == 400, response.text
    assert response.json()["error"] == code
    return str(response.json()["error_description"])


async def test_an_identity_assertion_gives_a_token_for_the_user_and_nothing_that_lasts(site: Site) -> None:
    client, user = await a_client(site), await site.user("Ada@Example.com")
    response = await trade(site, client, id_jag(site, "ada@example.com"))
    assert response.status_code == 200, response.text
    assert "refresh_token" not in response.json()
    claims = claims_of(response.json()["access_token"])
    assert (claims["sub"], claims["client_id"], claims["aud"]) == (user.id, "app", API)
    assert claims["scope"] == "read write"
    assert "sid" not in claims
    assert await site.active(response.json()["access_token"])


async def test_scope_and_resource_of_the_assertion_bound_what_is_given(site: Site) -> None:
    client, _ = await a_client(site), await site.user("ada")
    bounds = {"scope": "write admin", "resource": FILES}
    given = claims_of((await trade(site, client, id_jag(site, "ada", **bounds))).json()["access_token"])
    assert (given["scope"], given["aud"]) == ("write", FILES)
    refused(await trade(site, client, id_jag(site, "ada", **bounds), scope="read"), "invalid_scope")
    assert "resource" in refused(await trade(site, client, id_jag(site, "ada", **bounds), resource=API))
    refused(await trade(site, client, id_jag(site, "ada", resource="https://elsewhere.example")), "invalid_target")
    narrowed = await trade(site, client, id_jag(site, "ada", resource=[API, FILES]), scope="read", resource=FILES)
    assert (claims_of(narrowed.json()["access_token"])["aud"], narrowed.json()["scope"]) == (FILES, "read")


async def test_a_trade_is_in_the_audit_log(site: Site) -> None:
    client, user = await a_client(site), await site.user("ada")
    await trade(site, client, id_jag(site, "ada"))
    events = (await site.http.get("/admin/audit?type=assertion.accepted", headers=await site.admin())).json()["items"]
    assert [(event["user_id"], event["client_id"]) for event in events] == [(user.id, "app")]
    assert events[0]["detail"]["issuer"] == IDP


async def test_an_assertion_counts_once_however_many_bring_it(site: Site) -> None:
    client, _ = await a_client(site), await site.user("ada")
    assertion = id_jag(site, "ada")
    answers = await asyncio.gather(*(trade(site, client, assertion) for _ in range(5)))
    assert sorted(response.status_code for response in answers) == [200, 400, 400, 400, 400]
    assert "jti" in refused(await trade(site, client, assertion))
    assert "jti" in refused(await trade(site, client, id_jag(site, "ada", jti=LEFT_OUT)))


async def test_an_assertion_written_for_another_client_is_refused(site: Site) -> None:
    await a_client(site)
    other, _ = await a_client(site, "other"), await site.user("ada")
    assert "another client" in refused(await trade(site, other, id_jag(site, "ada")))
    assert "another client" in refused(await trade(site, other, id_jag(site, "ada", client_id=LEFT_OUT)))


async def test_only_clients_that_are_named_may_bring_assertions_of_an_issuer(site: Site) -> None:
    stranger_, _ = await a_client(site, "stranger"), await site.user("ada")
    refused(await trade(site, stranger_, id_jag(site, "ada", client_id="stranger")), "unauthorized_client")
    unregistered = await a_client(site, "other", grant_types=("client_credentials",))
    refused(await trade(site, unregistered, id_jag(site, "ada", client_id="other")), "unauthorized_client")
    await site.client(secret=False, id="public", grant_types=(GRANT,))
    form = {"grant_type": GRANT, "assertion": id_jag(site, "ada", client_id="public"), "client_id": "public"}
    refused(await site.http.post("/token", data=form), "unauthorized_client")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": f"{IDP}/"},
        {"iss": LEFT_OUT},
        {"iss": [IDP]},
        {"iss": PLATFORM},
        {"aud": "https://other.example"},
        {"aud": [ISSUER, "https://other.example"]},
        {"aud": f"{ISSUER}/token"},
        {"sub": LEFT_OUT},
        {"sub": 5},
        {"exp": 1},
        {"exp": LEFT_OUT},
        {"scope": ["read"]},
        {"resource": 5},
        {"email": LEFT_OUT},
        {"email": "nobody"},
        {"email": ["ada"]},
        {"email": ""},
        {"email": "\u0000"},
        {"email": "ａｄａ"},
    ],
    ids=str,
)
async def test_an_assertion_that_says_something_else_is_refused(site: Site, claims: dict[str, Any]) -> None:
    client, _ = await a_client(site), await site.user("ada")
    said = {"aud": ISSUER, **claims}
    assertion = IDP_KEY.assertion(
        "employee-5",
        said.pop("aud"),
        site.services.now(),
        {"typ": "oauth-id-jag+jwt"},
        **{"iss": IDP, "email": "ada", "client_id": "app", **said},
    )
    refused(await trade(site, client, assertion))


async def test_another_type_of_token_of_that_issuer_is_no_identity_assertion(site: Site) -> None:
    client, _ = await a_client(site), await site.user("ada")
    for typ in (LEFT_OUT, "JWT", "at+jwt", "logout+jwt"):
        said = {"iss": IDP, "email": "ada", "client_id": "app"}
        assertion = IDP_KEY.assertion("employee-5", ISSUER, site.services.now(), {"typ": typ}, **said)
        assert "typ" in refused(await trade(site, client, assertion))


async def test_a_forged_assertion_and_one_of_our_own_are_refused(site: Site) -> None:
    client, _ = await a_client(site, grant_types=(GRANT, "client_credentials")), await site.user("ada")
    forger = signer("ES256", 1)
    header = {"typ": "oauth-id-jag+jwt", "kid": IDP_KEY.kid}
    said = {"iss": IDP, "email": "ada", "client_id": "app"}
    refused(await trade(site, client, forger.assertion("employee-5", ISSUER, site.services.now(), header, **said)))
    refused(await trade(site, client, (await site.own_token(client))["access_token"]))
    for nonsense in ("x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."):
        refused(await trade(site, client, nonsense))


async def test_a_disabled_or_removed_user_gets_nothing_and_what_was_given_ends(site: Site) -> None:
    client, user = await a_client(site), await site.user("ada")
    given = (await trade(site, client, id_jag(site, "ada"))).json()["access_token"]
    await site.services.directory.set_enabled(user.id, False, caller=TEST)
    assert not await site.active(given)
    refused(await trade(site, client, id_jag(site, "ada")))


async def test_a_workload_gets_a_token_of_the_client_and_may_show_its_assertion_again(site: Site) -> None:
    robot = await a_client(site, "robot")
    for audience in (ISSUER, f"{ISSUER}/token", "https://here.example/ci", ["https://here.example/ci", "x"]):
        assertion = of_platform(site, aud=audience, exp=site.services.now() // 1000 + 3000, jti=LEFT_OUT)
        for _ in range(2):
            response = await trade(site, robot, assertion, scope="read")
            assert response.status_code == 200, response.text
            assert claims_of(response.json()["access_token"])["sub"] == "robot"
    assert "sub" in refused(await trade(site, robot, of_platform(site, sub="repo:fork")))
    refused(await trade(site, robot, of_platform(site, exp=site.services.now() // 1000 + 3700)))


async def test_the_grant_is_announced_exactly_where_somebody_is_trusted(
    site: Site, sqlite_url: str, tmp_path: Path
) -> None:
    document = (await site.http.get("/.well-known/oauth-authorization-server")).json()
    assert GRANT in document["grant_types_supported"]
    async with open_site(sqlite_url, make_keys_dir(tmp_path / "others")) as plain:
        document = (await plain.http.get("/.well-known/oauth-authorization-server")).json()
        assert GRANT not in document["grant_types_supported"]


@pytest.mark.parametrize(
    "issuers",
    [
        [{"issuer": IDP, "jwks_uri": "http://idp.example/", "clients": ["a"]}],
        [{"issuer": IDP, "jwks_uri": "https://10.0.0.1/", "clients": ["a"]}],
        [{"issuer": ISSUER, "jwks_uri": "https://idp.example/", "clients": ["a"]}],
        [{"issuer": IDP, "jwks_uri": "https://idp.example/", "clients": ["a"]}] * 2,
    ],
    ids=["http", "inside", "itself", "twice"],
)
async def test_trust_that_cannot_work_stops_the_start(sqlite_url: str, tmp_path: Path, issuers: list[Any]) -> None:
    with pytest.raises(SettingsError, match="trusted_issuers"):
        async with open_site(sqlite_url, make_keys_dir(tmp_path / "keys"), trusted_issuers=issuers):
            pass
