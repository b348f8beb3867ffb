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
from tests.oauth_server import API, FILES, TOKEN_TTL, App, LogIn, OAuthServer, claims_of


@pytest.fixture
async def server(sqlite_stores: Any) -> OAuthServer:
    """For what happens before the database is asked."""
    return await OAuthServer(sqlite_stores).start()


@pytest.fixture
async def everywhere(stores: Any) -> OAuthServer:
    """On each database in turn."""
    return await OAuthServer(stores).start()


def outcome(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def with_secret(client: App, secret: str) -> App:
    return App(client.record, secret)


def unknown_to_the_server(client: App) -> App:
    return App(replace(client.record, id="nobody"), client.secret)


# -- who is calling -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_wrong_secret_and_an_unknown_client_get_the_same_answer(everywhere: OAuthServer, method: str):
    client = await everywhere.a_confidential_client(auth_method=method)
    wrong = await everywhere.token(with_secret(client, "guess"))
    unknown = await everywhere.token(unknown_to_the_server(client))
    assert outcome(wrong) == (401, "invalid_client")
    assert wrong.content == unknown.content
    assert wrong.headers.get("www-authenticate") == unknown.headers.get("www-authenticate")


async def test_a_wrong_secret_and_an_unknown_client_take_about_the_same_time(everywhere: OAuthServer):
    """Both ask the database once. The bound is loose: it finds a missing query or a slow hash, not a microsecond."""
    client = await everywhere.a_confidential_client()
    times: dict[str, list[float]] = {"wrong": [], "unknown": []}
    for _ in range(60):
        for name, caller in (("wrong", with_secret(client, "guess")), ("unknown", unknown_to_the_server(client))):
            started = time.perf_counter()
            await everywhere.token(caller)
            times[name].append(time.perf_counter() - started)
    fast, slow = sorted(median(samples) for samples in times.values())
    assert slow < 4 * fast


@pytest.mark.parametrize(
    ("registered", "used"),
    [
        ("client_secret_basic", "client_secret_post"),
        ("client_secret_post", "client_secret_basic"),
        ("client_secret_basic", "none"),
        ("client_secret_post", "none"),
        ("none", "client_secret_basic"),
        ("none", "client_secret_post"),
    ],
)
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


async def test_a_disabled_client_is_refused_at_once(everywhere: OAuthServer):
    client = await everywhere.a_confidential_client()
    event = everywhere.event(EventType.CLIENT_DISABLED)
    await everywhere.stores.clients.set_enabled(client.id, False, at=everywhere.clock(), event=event)
    for path in ("/token", "/introspect", "/revoke"):
        answer = await everywhere.post(path, client, grant_type="client_credentials", token="x")
        assert outcome(answer) == (401, "invalid_client")


async def test_a_removed_secret_is_refused_and_its_successor_good(everywhere: OAuthServer):
    client = await everywhere.a_confidential_client()
    event = everywhere.event(EventType.CLIENT_SECRET_REMOVED)
    await everywhere.stores.clients.remove_secret(client.id, client.record.secrets[0].id, event=event)
    assert outcome(await everywhere.token(client)) == (401, "invalid_client")


@pytest.mark.parametrize("client_id", ["x" * 20_000, "'; DROP TABLE clients --", "../../etc/passwd", "ä€😀", "%", "\n"])
async def test_a_strange_client_id_is_an_unknown_client(everywhere: OAuthServer, client_id: str):
    answer = await everywhere.post("/token", grant_type="client_credentials", client_id=client_id, client_secret="x")
    assert outcome(answer) == (401, "invalid_client")


@dataclass
class Interrupted:
    """The look-up of clients, with something happening between its two questions."""

    clients: Any
    happens: Callable[[], Awaitable[None]]

    async def get(self, client_id: str) -> Any:
        client = await self.clients.get(client_id)
        await self.happens()
        return client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.clients, name)


@pytest.mark.parametrize("kind", ["client", "all", "disabled"])
async def test_what_is_revoked_while_a_token_is_issued_covers_that_token(everywhere: OAuthServer, kind: str):
    client, resource_server = await everywhere.a_confidential_client(), await everywhere.a_resource_server()

    async def happens() -> None:
        if kind == "disabled":
            event = everywhere.event(EventType.CLIENT_DISABLED)
            await everywhere.stores.clients.set_enabled(client.id, False, at=everywhere.clock(), event=event)
        else:
            await everywhere.revoke(kind, client.id if kind == "client" else "")

    interrupted = Interrupted(everywhere.stores.clients, happens)
    answer = await (await everywhere.restarted(clients=interrupted)).token(client)
    if kind == "all":  # revoked before the issuer's version was read: the token is of the time after
        assert claims_of(answer)["rv"] == "0.0.1"
        await everywhere.revoke("all")
    assert await everywhere.introspect(resource_server, answer.json()["access_token"]) == {"active": False}


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


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"grant_type":"client_credentials"}'),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("text/plain", b"grant_type=client_credentials"),
        ("application/x-www-form-urlencoded-not", b"grant_type=client_credentials"),
        ("", b"grant_type=client_credentials"),
    ],
)
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
    answer = await server.http.post(
        "/token", params=query, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
async def test_no_answer_is_kept_by_a_cache(server: OAuthServer, path: str):
    client = await server.a_confidential_client()
    good = await server.post(path, client, grant_type="client_credentials", token="x")
    bad = await server.post(path, grant_type="client_credentials")
    assert good.headers["cache-control"] == bad.headers["cache-control"] == "no-store"


# -- introspection --------------------------------------------------------------------------------


async def test_introspection_is_for_clients_that_authenticate(everywhere: OAuthServer):
    token = (await everywhere.token(await everywhere.a_confidential_client())).json()["access_token"]
    public = await everywhere.a_public_client(audiences=(API,))
    assert outcome(await everywhere.post("/introspect", token=token)) == (401, "invalid_client")
    assert outcome(await everywhere.post("/introspect", public, token=token)) == (401, "invalid_client")
    bearer = {"Authorization": f"Bearer {token}"}
    assert outcome(await everywhere.post("/introspect", None, bearer, token=token)) == (401, "invalid_client")


async def test_a_resource_server_sees_nothing_of_tokens_for_others(everywhere: OAuthServer):
    client = await everywhere.a_confidential_client()
    token = (await everywhere.token(client)).json()["access_token"]
    assert (await everywhere.introspect(await everywhere.a_resource_server(API), token))["active"] is True
    assert await everywhere.introspect(await everywhere.a_resource_server(FILES), token) == {"active": False}
    assert await everywhere.introspect(await everywhere.a_resource_server(API + "/"), token) == {"active": False}
    assert await everywhere.introspect(client, token) == {"active": False}


@dataclass
class Known:
    """A user's token that was good a moment ago."""

    server: OAuthServer
    log_in: LogIn
    jti: str


async def _user_disabled(known: Known) -> None:
    event = known.server.event(EventType.USER_DISABLED)
    await known.server.stores.users.set_enabled(known.log_in.user.id, False, at=known.server.clock(), event=event)


async def _user_removed(known: Known) -> None:
    event = known.server.event(EventType.USER_REMOVED)
    await known.server.stores.users.remove(known.log_in.user.id, at=known.server.clock(), event=event)


async def _client_disabled(known: Known) -> None:
    event = known.server.event(EventType.CLIENT_DISABLED)
    await known.server.stores.clients.set_enabled(known.log_in.client.id, False, at=known.server.clock(), event=event)


async def _client_removed(known: Known) -> None:
    event = known.server.event(EventType.CLIENT_REMOVED)
    await known.server.stores.clients.remove(known.log_in.client.id, at=known.server.clock(), event=event)


async def _expired(known: Known) -> None:
    known.server.clock.passes(TOKEN_TTL)


End = Callable[[Known], Awaitable[None]]


def _revoked(kind: str) -> End:
    async def revoke(known: Known) -> None:
        log_in = known.log_in
        value = {
            "jti": known.jti,
            "family": log_in.family_id,
            "session": log_in.session_id,
            "user": log_in.user.id,
            "client": log_in.client.id,
            "all": "",
        }[kind]
        await known.server.revoke(kind, value, known.server.clock() + TOKEN_TTL if kind == "jti" else None)

    return revoke


ENDS = {
    **{f"revoked by {kind}": _revoked(kind) for kind in ("jti", "family", "session", "user", "client", "all")},
    "user disabled": _user_disabled,
    "user removed": _user_removed,
    "client disabled": _client_disabled,
    "client removed": _client_removed,
    "expired": _expired,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
async def test_of_a_token_that_is_over_nothing_is_said(everywhere: OAuthServer, end: End):
    log_in, resource_server = await everywhere.a_log_in(), await everywhere.a_resource_server()
    token = (await everywhere.refresh(log_in)).json()["access_token"]
    before = await everywhere.introspect(resource_server, token)
    assert before["active"] is True
    await end(Known(everywhere, log_in, before["jti"]))
    assert await everywhere.introspect(resource_server, token) == {"active": False}


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "." * 100,
        "e30.e30.e30",
        "A" * 96,
        "x" * 20_000,
        "ä",
        "\udc80".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
async def test_of_garbage_nothing_is_said(server: OAuthServer, token: str):
    assert await server.introspect(await server.a_resource_server(), token) == {"active": False}


# -- revocation -----------------------------------------------------------------------------------


async def test_another_clients_tokens_cannot_be_revoked(everywhere: OAuthServer):
    log_in, resource_server = await everywhere.a_log_in(), await everywhere.a_resource_server()
    tokens = (await everywhere.refresh(log_in)).json()
    thief = await everywhere.a_public_client()
    for name in ("access_token", "refresh_token"):
        answer = await everywhere.post("/revoke", thief, token=tokens[name])
        assert (answer.status_code, answer.content) == (200, b"")
        assert "revocation-seq" not in answer.headers
    assert (await everywhere.introspect(resource_server, tokens["access_token"]))["active"] is True
    assert (await everywhere.refresh(log_in, tokens["refresh_token"])).status_code == 200


@dataclass
class Down:
    """A store whose database has just gone away."""

    store: Any

    async def revoke(self, *args: Any, **named: Any) -> Any:
        raise StorageUnavailable("connection refused at 10.0.0.1")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


async def test_a_revocation_that_could_not_be_stored_is_never_a_200(everywhere: OAuthServer):
    log_in = await everywhere.a_log_in()
    broken = await everywhere.restarted(revocations=Down(everywhere.stores.revocations))
    answer = await broken.post("/revoke", log_in.client, token=log_in.refresh_token)
    assert outcome(answer) == (503, "temporarily_unavailable")
    assert "retry-after" in answer.headers
    assert "10.0.0.1" not in answer.text
    assert (await everywhere.refresh(log_in)).status_code == 200
