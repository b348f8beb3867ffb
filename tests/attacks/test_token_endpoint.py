"""The token endpoint and its neighbours under attack (ATTACKS, part C, as far as the grants exist)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import httpx
import pytest

from authserver.audit.events import EventType
from authserver.storage.interface import StorageUnavailable
from tests.oauth_server import API, FILES, TOKEN_TTL, App, OAuthServer


@pytest.fixture
async def server(stores: Any) -> OAuthServer:
    return await OAuthServer(stores).start()


def outcome(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def with_secret(client: App, secret: str) -> App:
    return App(client.record, secret)


def unknown_to_the_server(client: App) -> App:
    return App(replace(client.record, id="nobody"), client.secret)


# -- who is calling -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_wrong_secret_and_an_unknown_client_get_the_same_answer(server: OAuthServer, method: str):
    client = await server.a_confidential_client(auth_method=method)
    wrong = await server.token(with_secret(client, "guess"))
    unknown = await server.token(unknown_to_the_server(client))
    assert outcome(wrong) == (401, "invalid_client")
    assert wrong.content == unknown.content
    assert wrong.headers.get("www-authenticate") == unknown.headers.get("www-authenticate")


async def test_a_wrong_secret_and_an_unknown_client_take_about_the_same_time(server: OAuthServer):
    """Both ask the database once. The bound is loose: it finds a missing query or a slow hash, not a microsecond."""
    client = await server.a_confidential_client()
    times: dict[str, list[float]] = {"wrong": [], "unknown": []}
    for _ in range(60):
        for name, caller in (("wrong", with_secret(client, "guess")), ("unknown", unknown_to_the_server(client))):
            started = time.perf_counter()
            await server.token(caller)
            times[name].append(time.perf_counter() - started)
    fast, slow = sorted(median(samples) for samples in times.values())
    assert slow < 4 * fast


@pytest.mark.parametrize(("registered", "used"), [
    ("client_secret_basic", "client_secret_post"), ("client_secret_post", "client_secret_basic"),
    ("client_secret_basic", "none"), ("client_secret_post", "none"),
    ("none", "client_secret_basic"), ("none", "client_secret_post"),
])
async def test_a_method_other_than_the_registered_one_is_refused(server: OAuthServer, registered: Any, used: Any):
    client = await server.a_confidential_client(auth_method=registered)
    disguised = App(replace(client.record, auth_method=used), client.secret or "x")
    assert outcome(await server.token(disguised)) == (401, "invalid_client")


async def test_a_challenge_is_sent_exactly_to_who_used_the_authorization_header(server: OAuthServer):
    basic = await server.a_confidential_client()
    post = await server.a_confidential_client(auth_method="client_secret_post")
    assert "www-authenticate" in (await server.token(with_secret(basic, "guess"))).headers
    assert "www-authenticate" not in (await server.token(with_secret(post, "guess"))).headers
    assert "www-authenticate" not in (await server.token(basic, "refresh_token")).headers


async def test_a_disabled_client_is_refused_at_once(server: OAuthServer):
    client = await server.a_confidential_client()
    event = server.event(EventType.CLIENT_DISABLED)
    await server.stores.clients.set_enabled(client.id, False, at=server.clock(), event=event)
    for path in ("/token", "/introspect", "/revoke"):
        answer = await server.post(path, client, grant_type="client_credentials", token="x")
        assert outcome(answer) == (401, "invalid_client")


async def test_a_removed_secret_is_refused_and_its_successor_good(server: OAuthServer):
    client = await server.a_confidential_client()
    event = server.event(EventType.CLIENT_SECRET_REMOVED)
    await server.stores.clients.remove_secret(client.id, client.record.secrets[0].id, event=event)
    assert outcome(await server.token(client)) == (401, "invalid_client")


@pytest.mark.parametrize("client_id", ["x" * 20_000, "'; DROP TABLE clients --", "../../etc/passwd", "ä€😀", "%", "\n"])
async def test_a_strange_client_id_is_an_unknown_client(server: OAuthServer, client_id: str):
    answer = await server.post("/token", grant_type="client_credentials", client_id=client_id, client_secret="x")
    assert outcome(answer) == (401, "invalid_client")


# -- what is asked for ----------------------------------------------------------------------------


@pytest.mark.parametrize("grant_type", ["password", "implicit", "authorization_code", "urn:x", "Client_Credentials"])
async def test_a_grant_that_is_not_offered_is_unsupported(server: OAuthServer, grant_type: str):
    answer = await server.token(await server.a_confidential_client(), grant_type)
    assert outcome(answer) == (400, "unsupported_grant_type")


async def test_a_grant_the_client_is_not_registered_for_is_unauthorized(server: OAuthServer):
    client = await server.a_confidential_client(grant_types=("refresh_token",))
    assert outcome(await server.token(client)) == (400, "unauthorized_client")
    log_in = await server.a_log_in(await server.a_public_client(grant_types=()))
    assert outcome(await server.refresh(log_in)) == (400, "unauthorized_client")


@pytest.mark.parametrize("scope", ["admin", "read admin", "READ", "a" * 10_000, '"', "read\nwrite"])
async def test_an_unregistered_scope_is_refused(server: OAuthServer, scope: str):
    assert outcome(await server.token(await server.a_confidential_client(), scope=scope)) == (400, "invalid_scope")


@pytest.mark.parametrize("resource", ["https://other.example", API + "/", API + "#x", "api", "x" * 10_000])
async def test_an_unregistered_resource_is_refused(server: OAuthServer, resource: str):
    answer = await server.token(await server.a_confidential_client(), resource=resource)
    assert outcome(answer) == (400, "invalid_target")


async def test_no_description_leaves_the_characters_that_strict_clients_allow(server: OAuthServer):
    client = await server.a_confidential_client()
    for asked in ({"scope": '<script>"'}, {"scope": "ä"}, {"resource": '"\\'}, {"scope": "x\r\ny"}):
        description = (await server.token(client, **asked)).json()["error_description"]
        assert all(" " <= character <= "~" and character not in '"\\' for character in description)


@pytest.mark.parametrize("name", ["grant_type", "client_id", "client_secret", "scope"])
async def test_a_repeated_parameter_is_an_invalid_request(server: OAuthServer, name: str):
    client = await server.a_confidential_client(auth_method="client_secret_post")
    form = {"grant_type": "client_credentials", "scope": "read", **client.form}
    answer = await server.post("/token", **{**form, name: [form[name], form[name]]})
    assert outcome(answer) == (400, "invalid_request")


@pytest.mark.parametrize(("content_type", "body"), [
    ("application/json", b'{"grant_type":"client_credentials"}'),
    ("multipart/form-data; boundary=x", b"--x--"),
    ("text/plain", b"grant_type=client_credentials"),
    ("application/x-www-form-urlencoded-not", b"grant_type=client_credentials"),
    ("", b"grant_type=client_credentials"),
])
async def test_a_body_of_another_type_is_refused(server: OAuthServer, content_type: str, body: bytes):
    client = await server.a_confidential_client()
    headers = {**client.headers, "Content-Type": content_type}
    answer = await server.http.post("/token", content=body, headers=headers)
    assert outcome(answer) == (415, "invalid_request")


async def test_the_type_may_be_written_as_the_specification_of_types_allows(server: OAuthServer):
    client = await server.a_confidential_client()
    headers = {**client.headers, "Content-Type": "Application/X-WWW-Form-URLEncoded ; charset=UTF-8"}
    answer = await server.http.post("/token", content=b"grant_type=client_credentials", headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_only_post_is_answered(server: OAuthServer, path: str, method: str):
    answer = await server.http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


async def test_an_oversized_body_is_cut_off(server: OAuthServer):
    client = await server.a_confidential_client()
    assert (await server.token(client, scope="x" * 70_000)).status_code == 413


@pytest.mark.parametrize("body", [b"\xff\xfe", b"grant_type=%ff", b"grant_type=%00", b"&" * 2000, b"=&=", b""])
async def test_a_malformed_form_is_an_error_of_the_caller(server: OAuthServer, body: bytes):
    client = await server.a_confidential_client()
    headers = {**client.headers, "Content-Type": "application/x-www-form-urlencoded"}
    answer = await server.http.post("/token", content=body, headers=headers)
    assert outcome(answer) == (400, "invalid_request")


async def test_credentials_in_the_url_are_not_looked_at(server: OAuthServer):
    client = await server.a_confidential_client(auth_method="client_secret_post")
    query = {"grant_type": "client_credentials", **client.form}
    answer = await server.http.post("/token", params=query,
                                    headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
async def test_no_answer_is_kept_by_a_cache(server: OAuthServer, path: str):
    client = await server.a_confidential_client()
    good = await server.post(path, client, grant_type="client_credentials", token="x")
    bad = await server.post(path, grant_type="client_credentials")
    assert good.headers["cache-control"] == bad.headers["cache-control"] == "no-store"


# -- introspection --------------------------------------------------------------------------------


async def test_introspection_is_for_clients_that_authenticate(server: OAuthServer):
    token = (await server.token(await server.a_confidential_client())).json()["access_token"]
    public = await server.a_public_client(audiences=(API,))
    assert outcome(await server.post("/introspect", token=token)) == (401, "invalid_client")
    assert outcome(await server.post("/introspect", public, token=token)) == (401, "invalid_client")
    bearer = {"Authorization": f"Bearer {token}"}
    assert outcome(await server.post("/introspect", None, bearer, token=token)) == (401, "invalid_client")


async def test_a_resource_server_sees_nothing_of_tokens_for_others(server: OAuthServer):
    client = await server.a_confidential_client()
    token = (await server.token(client)).json()["access_token"]
    assert (await server.introspect(await server.a_resource_server(API), token))["active"] is True
    assert await server.introspect(await server.a_resource_server(FILES), token) == {"active": False}
    assert await server.introspect(await server.a_resource_server(API + "/"), token) == {"active": False}
    assert await server.introspect(client, token) == {"active": False}


@dataclass
class Known:
    """A user's token that was good a moment ago."""

    server: OAuthServer
    user_id: str
    client_id: str
    session_id: str
    family_id: str
    jti: str
    kid: str


async def _user_disabled(known: Known) -> None:
    event = known.server.event(EventType.USER_DISABLED)
    await known.server.stores.users.set_enabled(known.user_id, False, at=known.server.clock(), event=event)


async def _user_removed(known: Known) -> None:
    event = known.server.event(EventType.USER_REMOVED)
    await known.server.stores.users.remove(known.user_id, at=known.server.clock(), event=event)


async def _client_disabled(known: Known) -> None:
    event = known.server.event(EventType.CLIENT_DISABLED)
    await known.server.stores.clients.set_enabled(known.client_id, False, at=known.server.clock(), event=event)


async def _expired(known: Known) -> None:
    known.server.clock.passes(TOKEN_TTL)


def _revoked(kind: str) -> Callable[[Known], Awaitable[None]]:
    async def revoke(known: Known) -> None:
        values = {"jti": known.jti, "family": known.family_id, "session": known.session_id, "user": known.user_id,
                  "client": known.client_id, "kid": known.kid, "all": ""}
        await known.server.revoke(kind, values[kind], known.server.clock() + TOKEN_TTL if kind == "jti" else None)

    return revoke


ENDS = {
    **{f"revoked by {kind}": _revoked(kind) for kind in ("jti", "family", "session", "user", "client", "all")},
    "user disabled": _user_disabled, "user removed": _user_removed, "client disabled": _client_disabled,
    "expired": _expired,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
async def test_of_a_token_that_is_over_nothing_is_said(server: OAuthServer, end: Callable[[Known], Awaitable[None]]):
    log_in, resource_server = await server.a_log_in(), await server.a_resource_server()
    token = (await server.refresh(log_in)).json()["access_token"]
    before = await server.introspect(resource_server, token)
    assert before["active"] is True
    await end(Known(server, log_in.user.id, log_in.client.id, log_in.session_id, log_in.family_id, before["jti"], ""))
    assert await server.introspect(resource_server, token) == {"active": False}


@pytest.mark.parametrize("token", ["x", "a.b.c", "." * 100, "e30.e30.e30", "A" * 96, "x" * 20_000, "ä", "\udc80".encode(
    "utf-8", "surrogatepass").decode("latin-1")])
async def test_of_garbage_nothing_is_said(server: OAuthServer, token: str):
    assert await server.introspect(await server.a_resource_server(), token) == {"active": False}


# -- revocation -----------------------------------------------------------------------------------


async def test_another_clients_tokens_cannot_be_revoked(server: OAuthServer):
    log_in, resource_server = await server.a_log_in(), await server.a_resource_server()
    tokens = (await server.refresh(log_in)).json()
    thief = await server.a_public_client()
    for name in ("access_token", "refresh_token"):
        answer = await server.post("/revoke", thief, token=tokens[name])
        assert (answer.status_code, answer.content) == (200, b"")
        assert "revocation-seq" not in answer.headers
    assert (await server.introspect(resource_server, tokens["access_token"]))["active"] is True
    assert (await server.refresh(log_in, tokens["refresh_token"])).status_code == 200


@dataclass
class Down:
    """A store whose database has just gone away."""

    store: Any

    async def revoke(self, *args: Any, **named: Any) -> Any:
        raise StorageUnavailable("connection refused at 10.0.0.1")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


async def test_a_revocation_that_could_not_be_stored_is_never_a_200(server: OAuthServer):
    log_in = await server.a_log_in()
    broken = await server.restarted(revocations=Down(server.stores.revocations))
    answer = await broken.post("/revoke", log_in.client, token=log_in.refresh_token)
    assert outcome(answer) == (503, "temporarily_unavailable")
    assert "retry-after" in answer.headers
    assert "10.0.0.1" not in answer.text
    assert (await server.refresh(log_in)).status_code == 200
