"""The ASGI middleware and `require`, under Starlette, FastAPI and nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from authserver.verifier import Refusal, Revoked, VerifiedToken, Verifier, accept_until
from authserver.verifier.asgi import BearerAuth, following, require
from authserver.verifier.testing import FakeIssuer

METADATA = "https://api.test/.well-known/oauth-protected-resource"


async def hello(request: Request) -> JSONResponse:
    return JSONResponse({"hello": request.auth.subject, "also": request.state.token.subject})


@require(scope="write")
async def write(request: Request) -> JSONResponse:
    return JSONResponse({"wrote": request.auth.subject})


@require(scope=["write"])
def write_in_a_thread(request: Request) -> JSONResponse:
    return JSONResponse({"wrote": request.auth.subject})


@requires("write")
async def write_by_starlettes_rule(request: Request) -> JSONResponse:
    return JSONResponse({"wrote": request.auth.subject})


@require(max_staleness=60)
async def lenient(request: Request) -> JSONResponse:
    return JSONResponse({"hello": request.auth.subject})


@require(on_stale=accept_until(60))
async def very_lenient(request: Request) -> JSONResponse:
    return JSONResponse({"hello": request.auth.subject})


@require(on_stale=accept_until(60))
@require(scope="write")
async def lenient_then_strict(request: Request) -> JSONResponse:
    return JSONResponse({"wrote": request.auth.subject})


@require(on_stale="deny")
async def strict(request: Request) -> JSONResponse:
    return JSONResponse({"hello": request.auth.subject})


class Endpoint(HTTPEndpoint):
    @require(scope="write")
    async def get(self, request: Request) -> JSONResponse:
        return JSONResponse({"wrote": request.auth.subject})


async def open_to_all(request: Request) -> JSONResponse:
    return JSONResponse({"open": "auth" not in request.scope})


async def raising(request: Request) -> JSONResponse:
    raise Revoked("jti")


ROUTES = [
    Route("/", hello),
    Route("/write", write),
    Route("/write/thread", write_in_a_thread),
    Route("/write/endpoint", Endpoint),
    Route("/write/starlette", write_by_starlettes_rule),
    Route("/lenient", lenient),
    Route("/very-lenient", very_lenient),
    Route("/lenient-then-strict", lenient_then_strict),
    Route("/strict", strict),
    Route("/health", open_to_all),
    Route("/public/{name:path}", open_to_all),
    Route("/raising", raising),
]


def an_app(verifier: Verifier, **options: Any) -> Starlette:
    app = Starlette(routes=ROUTES)
    app.add_middleware(BearerAuth, verifier=verifier, **options)
    return app


def a_client(app: Any, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, **options)
    return httpx.AsyncClient(transport=transport, base_url="https://api.test")


def error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


async def test_a_good_token_is_let_in_and_the_handler_knows_whose_it_is(shared: FakeIssuer, verifier: Verifier) -> None:
    async with a_client(an_app(verifier)) as client:
        answer = await client.get("/", headers=shared.bearer("ada"))
    assert answer.json() == {"hello": "ada", "also": "ada"}


async def test_without_credentials_the_challenge_has_no_error(verifier: Verifier) -> None:
    """RFC 6750 section 3.1: a client that did not know is asked, not blamed."""
    async with a_client(an_app(verifier, realm="shop", resource_metadata=METADATA)) as client:
        for headers in ({}, {"Authorization": "Basic dTpw"}, {"Authorization": "Bearers a"}, {"Authorization": ""}):
            answer = await client.get("/", headers=headers)
            assert error(answer) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == f'Bearer realm="shop", resource_metadata="{METADATA}"'
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["content-type"] == "application/json"


async def test_a_bad_token_is_invalid(shared: FakeIssuer, verifier: Verifier) -> None:
    for token in (shared.token(exp=1), shared.token(aud="https://other.test"), "garbage", shared.token() + "A"):
        async with a_client(an_app(verifier, resource_metadata=METADATA)) as client:
            answer = await client.get("/", headers={"Authorization": f"Bearer {token}"})
        assert error(answer) == (401, "invalid_token")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert f'resource_metadata="{METADATA}"' in answer.headers["www-authenticate"]
        assert token not in answer.text


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_the_scheme_is_one_word_however_it_is_written(shared: FakeIssuer, verifier: Verifier, word: str) -> None:
    async with a_client(an_app(verifier)) as client:
        answer = await client.get("/", headers={"Authorization": f"{word} {shared.token()}"})
    assert answer.status_code == 200


async def test_two_authorization_headers_are_a_malformed_request(shared: FakeIssuer, verifier: Verifier) -> None:
    """Whoever is in front may have looked at the other one."""
    one = ("Authorization", f"Bearer {shared.token()}")
    for other in (one, ("authorization", "Basic dTpw")):
        async with a_client(an_app(verifier)) as client:
            answer = await client.get("/", headers=[one, other])
        assert error(answer) == (400, "invalid_request")


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer a b", "Bearer a,Bearer b", "Bearer a\tb", "Bearer ä"])
async def test_what_is_no_token_is_a_malformed_request(verifier: Verifier, value: str) -> None:
    async with a_client(an_app(verifier)) as client:
        answer = await client.get("/", headers={"Authorization": value.encode("latin-1")})
    assert error(answer) == (400, "invalid_request")


async def test_a_token_in_the_url_or_in_a_form_is_none(shared: FakeIssuer, verifier: Verifier) -> None:
    async with a_client(an_app(verifier)) as client:
        token = shared.token()
        for answer in (
            await client.get("/", params={"access_token": token}),
            await client.request("GET", "/", data={"access_token": token}),
            await client.get("/", headers={"Cookie": f"access_token={token}"}),
        ):
            assert error(answer) == (401, "unauthorized")


@pytest.mark.parametrize("path", ["/write", "/write/thread", "/write/endpoint"])
async def test_a_route_may_need_a_scope(shared: FakeIssuer, verifier: Verifier, path: str) -> None:
    async with a_client(an_app(verifier, resource_metadata=METADATA)) as client:
        refused = await client.get(path, headers=shared.bearer("ada", "read"))
        assert error(refused) == (403, "insufficient_scope")
        challenge = refused.headers["www-authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert 'scope="write"' in challenge
        assert f'resource_metadata="{METADATA}"' in challenge
        let_in = await client.get(path, headers=shared.bearer("ada", "read write"))
        assert let_in.json() == {"wrote": "ada"}


async def test_starlettes_own_rule_about_scopes_works_as_well(shared: FakeIssuer, verifier: Verifier) -> None:
    async with a_client(an_app(verifier)) as client:
        assert (await client.get("/write/starlette", headers=shared.bearer(scope="read"))).status_code == 403
        assert (await client.get("/write/starlette", headers=shared.bearer(scope="write"))).status_code == 200


async def test_a_revoked_token_is_refused_at_the_next_request(shared: FakeIssuer, verifier: Verifier) -> None:
    bearer = shared.bearer("ada")
    async with a_client(an_app(verifier)) as client:
        assert (await client.get("/", headers=bearer)).status_code == 200
        shared.revoke_session(bearer["Authorization"].split()[1])
        answer = await client.get("/", headers=bearer)
    assert error(answer) == (401, "invalid_token")
    assert answer.json()["error_description"] == "The token was revoked."


async def test_what_cannot_be_decided_is_503_and_says_when_to_ask_again() -> None:
    with FakeIssuer() as issuer:
        verifier, old = issuer.verifier(on_stale="deny"), issuer.bearer("ada")
        with issuer.cut_off():
            issuer.advance(10)
            async with a_client(an_app(verifier)) as client:
                answer = await client.get("/", headers=old)
    assert error(answer) == (503, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert "www-authenticate" not in answer.headers


async def test_a_route_may_have_a_policy_of_its_own() -> None:
    with FakeIssuer() as issuer:
        verifier, old = issuer.verifier(on_stale="deny"), issuer.bearer("ada", "write")
        with issuer.cut_off():
            issuer.advance(10)
            async with a_client(an_app(verifier, protect="marked")) as client:
                assert (await client.get("/write", headers=old)).status_code == 503
                assert (await client.get("/lenient", headers=old)).status_code == 200
                assert (await client.get("/very-lenient", headers=old)).status_code == 200
                issuer.advance(80)
                assert (await client.get("/lenient", headers=old)).status_code == 503
                assert (await client.get("/very-lenient", headers=old)).status_code == 503


async def test_a_route_may_be_stricter_than_the_middleware() -> None:
    with FakeIssuer() as issuer:
        verifier, old = issuer.verifier(on_stale=accept_until(60)), issuer.bearer("ada")
        with issuer.cut_off():
            issuer.advance(10)
            async with a_client(an_app(verifier)) as client:
                assert (await client.get("/", headers=old)).status_code == 200
                assert (await client.get("/strict", headers=old)).status_code == 503


async def test_what_one_requirement_let_in_another_may_still_refuse() -> None:
    with FakeIssuer() as issuer:
        verifier, old = issuer.verifier(on_stale="deny"), issuer.bearer("ada", "write")
        with issuer.cut_off():
            issuer.advance(10)
            async with a_client(an_app(verifier, protect="marked")) as client:
                assert (await client.get("/very-lenient", headers=old)).status_code == 200
                assert (await client.get("/lenient-then-strict", headers=old)).status_code == 503


async def test_marked_routes_alone_may_be_protected(shared: FakeIssuer, verifier: Verifier) -> None:
    async with a_client(an_app(verifier, protect="marked")) as client:
        assert (await client.get("/public/a")).json() == {"open": True}
        refused = await client.get("/write")
        assert error(refused) == (401, "unauthorized")
        assert refused.headers["www-authenticate"] == 'Bearer scope="write"'
        assert (await client.get("/write", headers=shared.bearer(scope="write"))).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/public/", "/public/logo.png", "/public/a/b"])
async def test_exempt_paths_need_no_token(verifier: Verifier, path: str) -> None:
    async with a_client(an_app(verifier, exempt=["/health", "/public/"])) as client:
        assert (await client.get(path)).json() == {"open": True}


@pytest.mark.parametrize(
    "path",
    ["/", "/health/", "/healthy", "/public", "/publicity", "/public/../write", "/public/./a", "/public//write",
     "/public/%2e%2e/write", "/public/..\\write", "//health", "/Health", "/public/a/.."],
)  # fmt: skip
async def test_what_only_resembles_an_exempt_path_is_not(verifier: Verifier, path: str) -> None:
    told: list[int] = []

    async def send(message: Any) -> None:
        told.append(message.get("status", 0))

    scope = {"type": "http", "path": path.replace("%2e", "."), "headers": [], "method": "GET", "query_string": b""}
    await BearerAuth(ignored, verifier, exempt=["/health", "/public/"])(scope, never, send)
    assert told[0] == 401


async def test_an_application_below_a_prefix_exempts_its_own_paths(verifier: Verifier) -> None:
    app = Starlette(routes=[Mount("/v1", an_app(verifier, exempt=["/health"]))])
    async with a_client(app) as client:
        assert (await client.get("/v1/health")).json() == {"open": True}
        assert (await client.get("/v1/")).status_code == 401


async def test_a_preflight_request_is_answered_by_cors_around_it(verifier: Verifier) -> None:
    app = an_app(verifier)
    app.add_middleware(CORSMiddleware, allow_origins=["https://shop.test"], allow_headers=["Authorization"])
    headers = {"Origin": "https://shop.test", "Access-Control-Request-Method": "GET"}
    async with a_client(app) as client:
        assert (await client.options("/", headers=headers)).status_code == 200
        refused = await client.get("/", headers=headers)
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://shop.test"


async def test_a_refusal_raised_by_a_handler_is_answered(shared: FakeIssuer, verifier: Verifier) -> None:
    async with a_client(an_app(verifier)) as client:
        assert error(await client.get("/raising", headers=shared.bearer())) == (401, "invalid_token")


async def test_a_bug_of_the_application_is_not_taken_for_a_refusal(shared: FakeIssuer, verifier: Verifier) -> None:
    async def broken(request: Request) -> JSONResponse:
        raise ValueError("bug")

    app = Starlette(routes=[Route("/", broken)])
    app.add_middleware(BearerAuth, verifier=verifier)
    async with a_client(app) as client:
        assert (await client.get("/", headers=shared.bearer())).status_code == 500


async def test_a_refusal_after_the_answer_began_does_not_change_it(shared: FakeIssuer, verifier: Verifier) -> None:
    async def parts() -> Any:
        yield b"begun"
        raise Revoked("sid")

    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(parts())

    app = Starlette(routes=[Route("/", stream)])
    app.add_middleware(BearerAuth, verifier=verifier)
    async with a_client(app) as client:
        answer = await client.get("/", headers=shared.bearer())
    assert (answer.status_code, answer.text) == (200, "begun")


# -- FastAPI -----------------------------------------------------------------------------------------


def a_fastapi_app() -> FastAPI:
    app = FastAPI()

    @app.get("/me")
    async def me(token: Annotated[VerifiedToken, Depends(require(scope="read"))]) -> dict[str, str]:
        return {"me": token.subject}

    @app.get("/guarded", dependencies=[Depends(require(scope="write"))])
    def guarded() -> dict[str, bool]:
        return {"in": True}

    @app.websocket("/live")
    async def live(socket: WebSocket, token: Annotated[VerifiedToken, Depends(require(scope="read"))]) -> None:
        await socket.accept()
        await socket.send_text(token.subject)
        await socket.close()

    return app


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("protect", ["all", "marked"])
async def test_it_is_a_dependency_of_fastapi(
    shared: FakeIssuer, verifier: Verifier, inside: bool, protect: Any
) -> None:
    """`inside`: by `add_middleware`; otherwise around all of it, where FastAPI makes 500 of what it does not know."""
    app: Any = a_fastapi_app()
    if inside:
        app.add_middleware(BearerAuth, verifier=verifier, protect=protect)
    else:
        app = BearerAuth(app, verifier, protect=protect)
    async with a_client(app) as client:
        assert (await client.get("/me", headers=shared.bearer("ada", "read"))).json() == {"me": "ada"}
        assert error(await client.get("/me", headers=shared.bearer("ada"))) == (403, "insufficient_scope")
        assert error(await client.get("/guarded", headers=shared.bearer("ada"))) == (403, "insufficient_scope")
        assert error(await client.get("/me")) == (401, "unauthorized")
        assert error(await client.get("/me", headers={"Authorization": "Bearer x"})) == (401, "invalid_token")


async def test_the_parameter_of_the_dependency_is_no_query_parameter() -> None:
    parameters = a_fastapi_app().openapi()["paths"]["/me"]["get"].get("parameters", [])
    assert parameters == []


async def test_the_dependency_does_not_leave_the_event_loop(shared: FakeIssuer, verifier: Verifier) -> None:
    """A hop to a thread for each request would cost more than the verification."""
    needs, app = require(scope="read"), FastAPI()
    asked: list[object] = []

    class Watching:
        def __getattr__(self, name: str) -> Any:
            asked.append((name, asyncio.get_running_loop()))
            return getattr(verifier, name)

    @app.get("/", dependencies=[Depends(needs)])
    async def root() -> None: ...

    app.add_middleware(BearerAuth, verifier=Watching(), protect="marked")
    async with a_client(app) as client:
        assert (await client.get("/", headers=shared.bearer(scope="read"))).status_code == 200
    assert asked == [("verify_async", asyncio.get_running_loop())]


# -- WebSockets, lifespan, anything else -----------------------------------------------------------------


async def never() -> Any:
    raise AssertionError("nothing is to be read")


async def ignored(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("must not be reached")


def a_handshake(token: str | None, **more: Any) -> Scope:
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    return {"type": "websocket", "path": "/live", "headers": headers, "query_string": b"", **more}


async def talked(app: Callable[..., Awaitable[None]], scope: Scope) -> list[Any]:
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    return said


async def test_a_websocket_without_a_token_is_not_opened(shared: FakeIssuer, verifier: Verifier) -> None:
    app = BearerAuth(a_fastapi_app(), verifier)
    assert (await talked(app, a_handshake(None)))[0] == {"type": "websocket.close", "code": 1008, "reason": ""}
    answers = await talked(app, a_handshake("x", extensions={"websocket.http.response": {}}))
    assert (answers[0]["type"], answers[0]["status"]) == ("websocket.http.response.start", 401)
    assert answers[1]["type"] == "websocket.http.response.body"


async def test_a_websocket_with_a_good_token_is_opened(shared: FakeIssuer, verifier: Verifier) -> None:
    app = BearerAuth(a_fastapi_app(), verifier)
    said = await talked(app, a_handshake(shared.token("ada", "read")))
    assert [message["type"] for message in said] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert said[1]["text"] == "ada"
    refused = await talked(app, a_handshake(shared.token("ada", "write")))
    assert [message["type"] for message in refused] == ["websocket.close"]


async def test_an_open_websocket_is_closed_by_a_refusal(shared: FakeIssuer, verifier: Verifier) -> None:
    """So that a handler may verify the token again while it talks."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        raise Revoked("sid")

    extensions = {"websocket.http.response": {}}
    said = await talked(BearerAuth(app, verifier), a_handshake(shared.token(), extensions=extensions))
    assert [message["type"] for message in said] == ["websocket.accept", "websocket.close"]


async def live_through(app: Callable[..., Awaitable[None]]) -> list[str]:
    said: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        said.append(message["type"])

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    return said


def of_its_own(issuer: FakeIssuer) -> Verifier:
    return issuer.verifier(start=False)


async def test_the_verifier_starts_and_ends_with_the_application(shared: FakeIssuer) -> None:
    verifier = of_its_own(shared)
    ready: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        ready.append(verifier.ready)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    assert not verifier.ready
    assert await live_through(BearerAuth(app, verifier)) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert ready == [True]
    with pytest.raises(Refusal):
        verifier.verify(shared.token())


async def test_an_application_may_manage_the_verifier_itself(shared: FakeIssuer) -> None:
    verifier = of_its_own(shared)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    await live_through(BearerAuth(app, verifier, manage=False))
    assert not verifier.ready
    async with following(verifier) as started:
        assert started.ready
        assert started.verify(shared.token())
    with pytest.raises(Refusal):
        verifier.verify(shared.token())


async def test_require_without_the_middleware_is_a_mistake_that_is_told(shared: FakeIssuer) -> None:
    app = Starlette(routes=ROUTES)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://api.test") as client:
        with pytest.raises(RuntimeError, match="BearerAuth"):
            await client.get("/write", headers=shared.bearer(scope="write"))


def test_what_cannot_be_decorated_is_told_at_once() -> None:
    with pytest.raises(TypeError):
        require(scope="read")(Endpoint)


def test_a_misspelt_mode_is_refused(verifier: Verifier) -> None:
    with pytest.raises(ValueError, match="protect"):
        BearerAuth(ignored, verifier, protect="everything")  # type: ignore[arg-type]  # that is the point


async def test_why_a_request_was_refused_is_in_the_log_at_debug_and_no_token_is(
    shared: FakeIssuer, verifier: Verifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "authserver.verifier")
    strange = shared.token("ada")
    async with a_client(an_app(verifier)) as client:
        await client.get("/")
        await client.get("/", headers={"Authorization": f"Bearer {strange}="})
        await client.get("/write", headers=shared.bearer("ada"))
    assert [message.partition(" (")[0] for message in caplog.messages] == [
        "answered 401: missing_token",
        "answered 401: malformed_token",
        "answered 403: insufficient_scope",
    ]
    assert not any(part in caplog.text for part in strange.split("."))
    caplog.set_level("INFO", "authserver.verifier")
    caplog.clear()
    async with a_client(an_app(verifier)) as client:
        await client.get("/")
    assert caplog.messages == []
