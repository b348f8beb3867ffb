"""Opaque access tokens: taken wherever a JWT is taken, refused for the same reasons, known to nobody else."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from authserver.model.authorization import ReferenceToken
from authserver.model.time import MINUTE
from tests import people
from tests.people import pass_time
from tests.site import API, ISSUER, PASSWORD, LogIn, Party, Site

site = people.site
two_nodes = people.two_nodes


async def an_app(site: Site, **fields: Any) -> Party:
    return await site.app(access_token_format="opaque", **fields)


async def a_log_in(site: Site, **fields: Any) -> LogIn:
    return await site.log_in(await site.user(), await an_app(site, **fields))


async def a_program(site: Site, **fields: Any) -> tuple[Party, str]:
    program = await site.client(access_token_format="opaque", **fields)
    return program, str((await site.own_token(program))["access_token"])


async def introspect(site: Site, token: str) -> dict[str, Any]:
    api = await site.resource_server()
    response = await site.http.post("/introspect", data={"token": token}, auth=api.auth)
    return dict(response.json())


async def whoami(site: Site, token: str, on: int = 0) -> httpx.Response:
    return await site.instances[on].http.get("/session", headers={"Authorization": f"Bearer {token}"})


# -- what it is -------------------------------------------------------------------------------


async def test_it_says_nothing_by_itself_and_introspection_says_what_a_jwt_would_say(site: Site) -> None:
    user, api = await site.user(), await site.resource_server()
    opaque, plain = await an_app(site, id="opaque"), await site.app(id="plain")
    answers = []
    for app in (opaque, plain):
        login = await site.log_in(user, app)
        answer = await introspect(site, login.tokens["access_token"])
        assert answer.pop("client_id") == app.id
        assert answer.pop("active") is True
        answers.append({n: v for n, v in answer.items() if n not in ("jti", "sid", "iat", "exp", "auth_time")})
        assert answer["exp"] - answer["iat"] == login.tokens["expires_in"] == 300
    assert answers[0] == answers[1]
    assert answers[0]["aud"] == API
    assert api.id not in answers[0]
    token = (await site.log_in(user, opaque)).tokens["access_token"]
    assert "." not in token
    assert user.id.encode() not in base64.urlsafe_b64decode(token)


async def test_a_refresh_gives_an_opaque_token_again(site: Site) -> None:
    login = await a_log_in(site)
    first = login.tokens["access_token"]
    assert (await site.refresh(login)).status_code == 200
    assert "." not in login.tokens["access_token"]
    assert login.tokens["access_token"] != first
    assert [await site.active(token) for token in (first, login.tokens["access_token"])] == [True, True]


async def test_the_database_alone_gives_no_token(site: Site) -> None:
    login = await a_log_in(site)
    kept = await _stored(site, login)
    for text in (kept.handle_hash, kept.handle_hash[:32] + bytes(19)):
        forged = base64.urlsafe_b64encode(text).decode().rstrip("=")
        assert not await site.active(forged)


async def _stored(site: Site, login: LogIn) -> ReferenceToken:
    from authserver.tokens.handles import References
    from tests.site import MASTER_KEY, MasterKey

    references = References(MasterKey(base64.urlsafe_b64decode(MASTER_KEY)), "access token")
    found = await site.services.references.get(references.parse(login.tokens["access_token"]), now=0)
    assert found is not None
    return found


async def test_a_handle_of_another_kind_is_no_access_token(site: Site) -> None:
    from authserver.tokens.handles import References
    from tests.site import MASTER_KEY, MasterKey

    login = await a_log_in(site)
    kept = await _stored(site, login)
    master = MasterKey(base64.urlsafe_b64decode(MASTER_KEY))
    for purpose in ("authorization code", "pushed request", "device code", "access token "):
        other = References(master, purpose).new()
        await site.services.references.add(
            ReferenceToken(handle_hash=other.sha256, jti=kept.jti, claims=kept.claims, expires_at=kept.expires_at)
        )
        assert not await site.active(other.text)
        assert (await whoami(site, other.text)).status_code == 401


# -- where it is taken ------------------------------------------------------------------------


async def test_sessions_forward_auth_and_log_out_take_it(site: Site) -> None:
    login = await a_log_in(site)
    token = login.tokens["access_token"]
    assert (await whoami(site, token)).json()["user"]["user_id"] == login.user.id
    passed = await site.http.get(f"/forward-auth?resource={API}&scope=read", headers=login.bearer)
    assert (passed.status_code, passed.headers["x-auth-subject"]) == (200, login.user.id)
    assert passed.headers["authorization"] == f"Bearer {token}"
    assert (await site.http.get("/sessions", headers=login.bearer)).status_code == 200
    assert (await site.http.post("/logout", headers=login.bearer)).status_code == 204
    assert (await whoami(site, token)).status_code == 401


async def test_userinfo_takes_it(site: Site) -> None:
    user, app = await site.user(), await an_app(site, scopes=("openid", "read"))
    body = {"username": user.username, "password": PASSWORD, "client_id": app.id, "scope": "openid"}
    token = (await site.http.post("/login", json=body)).json()["access_token"]
    response = await site.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200, response.text
    assert response.json()["sub"] == user.id


async def test_the_admin_api_takes_a_programs(site: Site) -> None:
    _, token = await a_program(site, scopes=("admin:read",))
    response = await site.http.get("/admin/keys", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200
    login = await a_log_in(site, scopes=("admin",), resources=(ISSUER,))
    assert (await site.http.get("/admin/keys", headers=login.bearer)).status_code == 403


# -- what ends it -----------------------------------------------------------------------------


async def test_its_client_takes_one_back_and_the_others_stay(site: Site) -> None:
    program, first = await a_program(site, resources=(API,))
    second = str((await site.own_token(program))["access_token"])
    revoked = await site.http.post("/revoke", data={"token": first}, auth=program.auth)
    assert (revoked.status_code, "revocation-seq" in revoked.headers) == (200, True)
    assert [await site.active(token) for token in (first, second)] == [False, True]


async def test_another_client_cannot_take_it_back(site: Site) -> None:
    _, token = await a_program(site, resources=(API,))
    stranger = await site.client()
    assert (await site.http.post("/revoke", data={"token": token}, auth=stranger.auth)).status_code == 200
    assert await site.active(token)


@pytest.mark.parametrize("how", ["token", "jti", "session", "user", "client", "all"])
async def test_every_level_of_revocation_ends_it_at_once_on_every_server(two_nodes: Site, how: str) -> None:
    site, login = two_nodes, await a_log_in(two_nodes)
    token, admin = login.tokens["access_token"], await two_nodes.admin()
    kept = await _stored(site, login)
    assert (await whoami(site, token, on=1)).status_code == 200
    body: dict[str, object] = {
        "token": {"token": token},
        "jti": {"jti": kept.jti, "expires_at": kept.expires_at // 1000},
        "session": {"session_id": (await whoami(site, token)).json()["session"]["session_id"]},
        "user": {"user_id": login.user.id},
        "client": {"client_id": login.client.id},
        "all": {"all": True},
    }[how]
    done = await site.http.post("/admin/revocations", json={**body, "reason": "test"}, headers=admin)
    assert done.status_code == 200, done.text
    for node in (0, 1):
        assert (await whoami(site, token, on=node)).status_code == 401


async def test_it_ends_with_its_family_its_session_and_its_user(site: Site) -> None:
    first, second = await a_log_in(site), await a_log_in(site)
    data = {"token": first.tokens["refresh_token"], "client_id": first.client.id}
    await site.http.post("/revoke", data=data)
    assert not await site.active(first.tokens["access_token"])
    await site.http.patch(f"/admin/users/{second.user.id}", json={"enabled": False}, headers=await site.admin())
    assert not await site.active(second.tokens["access_token"])


async def test_it_ends_by_itself(site: Site) -> None:
    login = await a_log_in(site)
    assert await site.active(login.tokens["access_token"])
    pass_time(site, 5 * MINUTE)
    assert not await site.active(login.tokens["access_token"])
    assert (await whoami(site, login.tokens["access_token"])).status_code == 401


async def test_a_withdrawn_signing_key_is_nothing_to_it(site: Site) -> None:
    """Nobody signed it."""
    opaque, plain = await a_log_in(site), await site.log_in(await site.user(), await site.app())
    admin = {"Authorization": f"Bearer {(await a_program(site, scopes=('admin',)))[1]}"}
    done = await site.http.post("/admin/keys/rotate", json={"now": True, "revoke": True}, headers=admin)
    assert done.status_code == 200
    active = [await site.active(login.tokens["access_token"]) for login in (opaque, plain)]
    assert active == [True, False]


@pytest.mark.parametrize(
    "mangle",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: "B" + text[1:],
        lambda text: text + "=",
        lambda text: text + "A",
        lambda text: text[:-1],
        lambda text: text.swapcase(),
        lambda text: f"{text}.{text}.{text}",
        lambda text: f" {text}x",
    ],
)
async def test_a_token_has_one_spelling(site: Site, mangle: Any) -> None:
    token = (await a_log_in(site)).tokens["access_token"]
    assert not await site.active(mangle(token))
    assert (await whoami(site, mangle(token))).status_code == 401
