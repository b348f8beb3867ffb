"""What this server hands out is good for one thing: each kind is shown wherever another is expected (ATTACKS A)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from authserver.oauth.device import DEVICE_CODE
from authserver.oauth.pkce import challenge_of
from authserver.tokens.logout_token import LogoutTokens
from tests.grants.test_token_exchange import ACCESS_TOKEN, EXCHANGE
from tests.openid import openid_client, openid_log_in
from tests.signers import ASSERTION_TYPE
from tests.site import API, Party, Site, make_keys_dir, open_site

SIGNED_ANSWER = {"Accept": "application/token-introspection+jwt"}


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(sqlite_url, make_keys_dir(tmp_path / "keys"), registration="open") as opened:
        yield opened


@dataclass
class Everything:
    """One living example of each kind, by name, most of them of one log-in at one client."""

    client: Party
    kinds: dict[str, str]


@pytest.fixture
async def everything(site: Site) -> Everything:
    grants = ("authorization_code", "refresh_token", DEVICE_CODE, EXCHANGE)
    client = await openid_client(site, grant_types=grants, userinfo_signed_response_alg="RS256")
    login = await openid_log_in(site, client, scope="openid read offline_access")
    api, services = await site.resource_server(), site.services
    access, refresh = login.tokens["access_token"], login.tokens["refresh_token"]
    challenge = {"code_challenge": challenge_of("v" * 43), "code_challenge_method": "S256"}
    asked = {"response_type": "code", "redirect_uri": client.record.redirect_uris[0], "scope": "read", **challenge}
    post, auth = site.http.post, client.auth
    said = await post("/introspect", data={"token": access}, auth=api.auth, headers=SIGNED_ANSWER)
    device = await post("/device_authorization", data={"scope": "read"}, auth=auth)
    registered = await post("/register", json={"redirect_uris": ["https://new.example/cb"]})
    logout = LogoutTokens(services.issuer, services.keys, services.now).token(
        client.record, jti="x", subject=login.user.id, sid=login.claims["sid"]
    )
    return Everything(
        client,
        {
            "access token": access,
            "refresh token": refresh,
            "id token": login.id_token,
            "userinfo": (await site.http.get("/userinfo", headers=login.bearer)).text,
            "introspection": said.text,
            "logout token": logout,
            "opaque access token": await _opaque(site),
            "pushed request": (await post("/par", data=asked, auth=auth)).json()["request_uri"],
            "device code": device.json()["device_code"],
            "registration token": registered.json()["registration_access_token"],
            "auth session": (await post("/authorize-challenge", data=asked, auth=auth)).json()["auth_session"],
            "client secret": client.secret or "",
            "cookie": login.browser.cookies["__Host-authserver"],
        },
    )


async def _opaque(site: Site) -> str:
    one = await site.client(access_token_format="opaque", resources=(API,))
    return str((await site.own_token(one))["access_token"])


PLACES = {
    "a bearer of userinfo": ("access token",),
    "an introspected token": ("access token", "opaque access token", "refresh token"),
    "a refresh token": ("refresh token",),
    "a code": (),
    "a device code": ("device code",),
    "an assertion": (),
    "a traded token": ("access token",),
    "a registration token": (),
    "an auth session": ("auth session",),
    "a request_uri": ("pushed request",),
    "a request object": (),
    "a bearer of administrators": (),
}
"""Place -> what is taken there. A code is not among those that are shown, nor is the right client's registration."""


@pytest.mark.parametrize("place", PLACES)
async def test_each_kind_is_taken_where_it_belongs_and_nowhere_else(
    site: Site, everything: Everything, place: str
) -> None:
    taken = [kind for kind, text in everything.kinds.items() if await _is_taken(site, everything.client, place, text)]
    assert sorted(taken) == sorted(PLACES[place])


async def _is_taken(site: Site, client: Party, place: str, text: str) -> bool:
    answer = await _shown(site, client, place, text)
    assert answer.status_code < 500, (place, answer.text)
    if place == "an introspected token":
        return bool(answer.json()["active"])
    if place == "a device code":
        return answer.json()["error"] == "authorization_pending"
    if place == "an auth session":
        return answer.json()["error"] == "insufficient_authorization"
    if place in ("a request_uri", "a request object"):
        return "/account/login" in answer.headers.get("location", "")
    return answer.status_code < 400


async def _shown(site: Site, client: Party, place: str, text: str) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {text}"}
    forms = {
        "a refresh token": {"grant_type": "refresh_token", "refresh_token": text},
        "a code": {"grant_type": "authorization_code", "code": text, "code_verifier": "v" * 43},
        "a device code": {"grant_type": DEVICE_CODE, "device_code": text},
        "a traded token": {"grant_type": EXCHANGE, "subject_token": text, "subject_token_type": ACCESS_TOKEN},
    }
    if place in forms:
        return await site.http.post("/token", data=forms[place], auth=client.auth)
    match place:
        case "a bearer of userinfo":
            return await site.http.get("/userinfo", headers=bearer)
        case "an introspected token":
            api = await site.client(audiences=(API, site.services.issuer))
            own = await site.http.post("/introspect", data={"token": text}, auth=client.auth)
            return (
                own
                if own.json()["active"]
                else await site.http.post("/introspect", data={"token": text}, auth=api.auth)
            )
        case "an assertion":
            form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
            return await site.http.post("/token", data={**form, "client_assertion": text})
        case "a registration token":
            return await site.http.get(f"/register/{client.id}", headers=bearer)
        case "an auth session":
            return await site.http.post("/authorize-challenge", data={"auth_session": text}, auth=client.auth)
        case "a request_uri":
            query = {"client_id": client.id, "request_uri": text}
        case "a request object":
            query = {"client_id": client.id, "request": text}
        case _:
            return await site.http.get("/admin/clients", headers=bearer)
    return await site.http.get("/authorize", params=query)
