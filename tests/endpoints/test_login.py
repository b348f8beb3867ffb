"""POST /login: what it takes, what it gives, what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher

from authserver.audit.events import EventType
from authserver.model.audit import SYSTEM
from authserver.model.time import MINUTE
from tests import people
from tests.people import Browser, pass_time
from tests.site import API, ISSUER, PASSWORD, Site, claims_of

site = people.site


async def _log_in(site: Site, **changes: Any) -> Any:
    """The answer to a valid request, but for `changes`; None takes a member away."""
    app = await site.app()
    user = await site.user()
    body = {"username": user.username, "password": PASSWORD, "client_id": app.id, **changes}
    return await site.http.post("/login", json={name: value for name, value in body.items() if value is not None})


async def test_token_mode_is_the_default_and_answers_as_rfc_6749(site: Site) -> None:
    response = await _log_in(site)
    body = response.json()
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 300, "read write")


async def test_the_access_token_says_who_how_and_for_what(site: Site) -> None:
    app, user = await site.app(), await site.user()
    claims = (await site.log_in(user, app)).claims
    assert claims["sub"] == user.id
    assert (claims["client_id"], claims["aud"], claims["amr"]) == (app.id, API, ["pwd"])
    assert claims["auth_time"] <= claims["iat"]
    assert claims["sid"]
    assert claims["rv"] == "0.0.0"


async def test_with_the_scope_openid_an_id_token_comes_along(site: Site) -> None:
    app, user = await site.app(scopes=("openid", "read")), await site.user()
    login = await site.log_in(user, app, scope="openid read")
    claims = claims_of(login.tokens["id_token"])
    assert (claims["sub"], claims["aud"], claims["sid"]) == (user.id, app.id, login.claims["sid"])
    assert (await site.refresh(login)).json()["id_token"]


async def test_no_session_is_opened_for_tokens_that_nothing_could_sign(site: Site) -> None:
    app, user = await site.app(access_token_signed_response_alg="ES256"), await site.user()
    body = {"username": user.username, "password": PASSWORD, "client_id": app.id}
    assert (await site.http.post("/login", json=body)).status_code == 503
    plain = await site.log_in(user, await site.app())
    sessions = (await site.http.get("/sessions", headers=plain.bearer)).json()
    assert len(sessions["sessions"]) == 1, "the one that asks"


async def test_a_client_without_resources_gets_tokens_for_the_issuer(site: Site) -> None:
    app, user = await site.app(resources=()), await site.user()
    assert (await site.log_in(user, app)).claims["aud"] == ISSUER


async def test_scope_and_resource_can_be_narrowed(site: Site) -> None:
    app, user = await site.app(resources=(API, "https://other.example")), await site.user()
    response = await site.http.post(
        "/login",
        json={
            "username": user.username,
            "password": PASSWORD,
            "client_id": app.id,
            "scope": "read",
            "resource": "https://other.example",
        },
    )
    claims = claims_of(response.json()["access_token"])
    assert (claims["scope"], claims["aud"]) == ("read", "https://other.example")


async def test_several_resources_are_a_list(site: Site) -> None:
    app, user = await site.app(resources=(API, "https://other.example")), await site.user()
    response = await site.http.post(
        "/login",
        json={
            "username": user.username,
            "password": PASSWORD,
            "client_id": app.id,
            "resource": [API, "https://other.example"],
        },
    )
    assert claims_of(response.json()["access_token"])["aud"] == [API, "https://other.example"]


async def test_the_refresh_token_works(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app())
    assert (await site.refresh(login)).status_code == 200


async def test_a_client_without_the_refresh_grant_gets_no_refresh_token(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app(grant_types=()))
    assert "refresh_token" not in login.tokens
    assert await site.active(login.tokens["access_token"])


async def test_a_log_in_that_cannot_be_refreshed_is_over_with_its_token(site: Site) -> None:
    app, user = await site.app(grant_types=()), await site.user()
    await site.log_in(user, app)
    pass_time(site, 6 * MINUTE)
    again = await site.log_in(user, app)
    response = await site.http.get("/sessions", headers=again.bearer)
    assert len(response.json()["sessions"]) == 1


async def test_session_mode_sets_a_cookie_and_tells_the_csrf_token(site: Site) -> None:
    app, user = await site.app(), await site.user()
    browser = Browser(site)
    response = await browser.log_in(user.username, app)
    body = response.json()
    assert response.status_code == 200
    assert set(body) == {"session", "csrf_token"}
    assert body["session"]["client_id"] == app.id
    assert "access_token" not in response.text
    assert browser.cookies["__Host-authserver"] not in response.text


async def test_names_are_found_however_they_are_typed(site: Site) -> None:
    user = await site.user("Jos\u00e9 Mar\u00eda")
    response = await _log_in(site, username="  jose\u0301   MARI\u0301A ")
    assert response.status_code == 200
    assert claims_of(response.json()["access_token"])["sub"] == user.id


# -- wrong ------------------------------------------------------------------------------------


async def test_a_wrong_password_is_401_invalid_credentials(site: Site) -> None:
    response = await _log_in(site, password="wrong horse")
    assert response.status_code == 401
    assert response.json() == {"error": "invalid_credentials", "error_description": "username or password is wrong"}
    assert response.headers["cache-control"] == "no-store"
    assert "set-cookie" not in response.headers


async def test_a_disabled_user_is_told_no_more_than_a_wrong_password(site: Site) -> None:
    app, user = await site.app(), await site.user()
    await site.services.directory.set_enabled(user.id, False, caller=SYSTEM)
    response = await site.http.post(
        "/login", json={"username": user.username, "password": PASSWORD, "client_id": app.id}
    )
    assert (response.status_code, response.json()["error"]) == (401, "invalid_credentials")


async def test_a_user_without_a_password_cannot_log_in(site: Site) -> None:
    app = await site.app()
    await site.services.directory.create("passwordless", None, caller=SYSTEM)
    response = await site.http.post(
        "/login", json={"username": "passwordless", "password": PASSWORD, "client_id": app.id}
    )
    assert response.status_code == 401


@pytest.mark.parametrize("field", ["username", "password", "client_id"])
async def test_a_missing_member_is_named(site: Site, field: str) -> None:
    response = await _log_in(site, **{field: None})
    assert response.status_code == 400
    assert (response.json()["error"], response.json()["field"]) == ("invalid_request", field)


async def test_an_unknown_member_is_refused_and_named(site: Site) -> None:
    response = await _log_in(site, remember_me=True)
    assert (response.status_code, response.json()["field"]) == (400, "remember_me")
    assert "username" in response.json()["error_description"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", 7), ("username", ""), ("username", ["a"]), ("password", {"a": 1}), ("password", True),
        ("client_id", 1.5), ("scope", ["read"]), ("resource", 1), ("resource", [1]), ("resource", {"a": "b"}),
        ("mode", "cookie"), ("mode", 1), ("client_secret", 5),
    ],
)  # fmt: skip
async def test_a_wrong_type_is_named(site: Site, field: str, value: object) -> None:
    response = await _log_in(site, **{field: value})
    assert (response.status_code, response.json()["field"]) == (400, field)


@pytest.mark.parametrize("name", ["a\u0000b", "x" * 257, "zero\u200bwidth"])
async def test_a_name_nobody_can_have_is_400(site: Site, name: str) -> None:
    response = await _log_in(site, username=name)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def test_a_password_of_two_kilobytes_is_400(site: Site) -> None:
    assert (await _log_in(site, password="x" * 2000)).status_code == 400


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b"null", b'{"username": NaN}', b"\xff\xfe", b'{"a":1,"a":2}']
)
async def test_a_body_that_is_no_json_object_is_400(site: Site, body: bytes) -> None:
    response = await site.http.post("/login", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""])
async def test_another_content_type_is_415(site: Site, kind: str) -> None:
    response = await site.http.post("/login", content=b"{}", headers={"content-type": kind})
    assert response.status_code == 415


async def test_an_oversized_body_is_413(site: Site) -> None:
    assert (await _log_in(site, password="x" * 70_000)).status_code == 413


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_another_method_is_405_with_allow(site: Site, method: str) -> None:
    response = await site.http.request(method, "/login")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


# -- clients ----------------------------------------------------------------------------------


async def test_an_unknown_client_is_invalid_client(site: Site) -> None:
    response = await _log_in(site, client_id="nobody")
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


async def test_a_disabled_client_is_invalid_client(site: Site) -> None:
    app = await site.app()
    event = site.services.audit.event(EventType.CLIENT_DISABLED, SYSTEM)
    await site.services.clients.set_enabled(app.id, False, at=site.services.now(), event=event)
    response = await _log_in(site, client_id=app.id)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


async def test_a_client_that_is_not_first_party_may_not_send_passwords(site: Site) -> None:
    stranger = await site.client(secret=False)
    response = await _log_in(site, client_id=stranger.id)
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


async def test_a_confidential_client_proves_itself(site: Site) -> None:
    client = await site.client(first_party=True, grant_types=("refresh_token",))
    user = await site.user()
    body = {"username": user.username, "password": PASSWORD, "client_id": client.id}
    assert (await site.http.post("/login", json=body)).status_code == 401
    assert (await site.http.post("/login", json=body, auth=client.auth)).status_code == 200


async def test_a_confidential_client_may_send_its_secret_in_the_body_when_registered_so(site: Site) -> None:
    client = await site.client(first_party=True, auth_method="client_secret_post", grant_types=("refresh_token",))
    assert (await _log_in(site, client_id=client.id, client_secret=client.secret)).status_code == 200
    assert (await _log_in(site, client_id=client.id, client_secret="wrong")).status_code == 401


@pytest.mark.parametrize("mode", ["token", "session"])
async def test_a_scope_that_is_not_the_clients_is_invalid_scope(site: Site, mode: str) -> None:
    response = await _log_in(site, scope="read admin", mode=mode)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize("resource", ["https://evil.example", "not a uri", "https://api.example#part"])
async def test_a_resource_that_is_not_the_clients_is_invalid_target(site: Site, resource: str) -> None:
    response = await _log_in(site, resource=resource)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_target")


async def test_nothing_is_stored_when_scope_is_refused(site: Site) -> None:
    user = await site.user()
    await _log_in(site, username=user.username, scope="nope")
    login = await site.log_in(user, await site.app())
    assert len((await site.http.get("/sessions", headers=login.bearer)).json()["sessions"]) == 1


# -- what is kept -----------------------------------------------------------------------------


@pytest.mark.real_argon2
async def test_a_hash_of_older_parameters_is_renewed_and_nothing_is_revoked(site: Site) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    user = await site.services.directory.create("imported", None, password_hash=weak, caller=SYSTEM)
    app = await site.app()
    login = await site.log_in(user, app)
    stored = (await site.services.directory.get(user.id)).password_hash or ""
    assert stored != weak
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await site.active(login.tokens["access_token"])
    await site.log_in(user, app)


async def test_success_and_failure_are_audited_without_names_or_passwords(site: Site) -> None:
    app, user = await site.app(), await site.user()
    login = await site.log_in(user, app)
    await site.http.post("/login", json={"username": "my-secret-typed-here", "password": "x", "client_id": app.id})
    await site.http.post("/login", json={"username": user.username, "password": "hunter222", "client_id": app.id})
    response = await site.http.get("/admin/audit?limit=200", headers=await site.admin())
    events = {event["type"]: event for event in reversed(response.json()["items"])}
    assert events["login.succeeded"]["user_id"] == user.id
    assert events["login.succeeded"]["detail"]["mode"] == "token"
    assert events["login.failed"]["client_id"] == app.id
    for secret in ("my-secret-typed-here", "hunter222", PASSWORD, login.tokens["refresh_token"]):
        assert secret not in response.text
