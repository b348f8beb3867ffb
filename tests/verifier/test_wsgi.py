"""The WSGI wrapper and `require`, under Flask, Django and nothing at all."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.validate import validator

import flask
import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory

from authserver.verifier import Refusal, Revoked, Verifier, accept_until
from authserver.verifier.testing import FakeIssuer
from authserver.verifier.wsgi import TOKEN, BearerAuth, current_token, require
from tests.processes import environment

METADATA = "https://api.test/.well-known/oauth-protected-resource"


def plain(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ[TOKEN].subject.encode() if TOKEN in environ else b"nobody"]


class Answer:
    def __init__(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, dict(headers), body


def call(app: Any, path: str = "/", **environ: Any) -> Answer:
    """One GET through wsgiref's validator, which complains about anything that PEP 3333 forbids."""
    begun: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        begun[:] = [status, headers]
        return lambda _: None

    request = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "api.test",
        "SERVER_PORT": "443", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr, "wsgi.multithread": True, "wsgi.multiprocess": False,
        "wsgi.run_once": False, **environ,
    }  # fmt: skip
    answer = validator(app)(request, start_response)
    try:
        body = b"".join(answer)
    finally:
        answer.close()  # type: ignore[attr-defined]  # the validator's has one
    return Answer(begun[0], begun[1], body)


def bearing(token: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def test_a_good_token_is_let_in_and_the_application_knows_whose_it_is(shared: FakeIssuer, verifier: Verifier) -> None:
    answer = call(BearerAuth(plain, verifier), **bearing(shared.token("ada")))
    assert (answer.status, answer.body) == ("200 OK", b"ada")


def test_without_a_token_the_challenge_has_no_error(verifier: Verifier) -> None:
    app = BearerAuth(plain, verifier, realm="shop", resource_metadata=METADATA)
    for environ in ({}, {"HTTP_AUTHORIZATION": "Basic dTpw"}, {"QUERY_STRING": "access_token=x"}):
        answer = call(app, **environ)
        assert answer.status == "401 Unauthorized"
        assert answer.headers["WWW-Authenticate"] == f'Bearer realm="shop", resource_metadata="{METADATA}"'
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_bad_token_is_invalid(verifier: Verifier) -> None:
    answer = call(BearerAuth(plain, verifier), **bearing("garbage"))
    assert answer.status == "401 Unauthorized"
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_two_headers_that_the_server_joined_are_a_malformed_request(shared: FakeIssuer, verifier: Verifier) -> None:
    both = f"Bearer {shared.token()},Bearer {shared.token()}"
    assert call(BearerAuth(plain, verifier), HTTP_AUTHORIZATION=both).status == "400 Bad Request"


def test_a_revoked_token_is_refused_at_the_next_request(shared: FakeIssuer, verifier: Verifier) -> None:
    app, token = BearerAuth(plain, verifier), shared.token()
    assert call(app, **bearing(token)).status == "200 OK"
    shared.revoke_token(token)
    refused = call(app, **bearing(token))
    assert refused.status == "401 Unauthorized"
    assert b"The token was revoked." in refused.body


def test_what_cannot_be_decided_is_503() -> None:
    with FakeIssuer() as issuer:
        app, old = BearerAuth(plain, issuer.verifier(on_stale="deny")), issuer.token()
        with issuer.cut_off():
            issuer.advance(10)
            answer = call(app, **bearing(old))
    assert answer.status == "503 Service Unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
    assert "WWW-Authenticate" not in answer.headers


def test_exempt_paths_need_no_token(verifier: Verifier) -> None:
    app = BearerAuth(plain, verifier, exempt=["/health", "/public/", "/ä"])
    for path in ("/health", "/public/a/b", "/ä".encode().decode("latin-1")):
        assert call(app, path).body == b"nobody"
    for path in ("/", "/health/", "/public/../orders", "/public//orders", "/publicity"):
        assert call(app, path).status == "401 Unauthorized"


def test_a_refusal_after_the_headers_went_out_is_raised_to_the_server(shared: FakeIssuer, verifier: Verifier) -> None:
    def raising(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        raise Revoked("sid")

    def a_server(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        if exc_info:
            raise exc_info[1]

    with pytest.raises(Refusal):
        BearerAuth(raising, verifier)({"PATH_INFO": "/", **bearing(shared.token())}, a_server)


def test_the_token_of_one_request_is_not_that_of_the_next(shared: FakeIssuer, verifier: Verifier) -> None:
    app = BearerAuth(plain, verifier, protect="marked")
    call(app, **bearing(shared.token()))
    with pytest.raises(RuntimeError):
        current_token()


# -- Flask -----------------------------------------------------------------------------------------------


def a_flask_app(verifier: Verifier, **options: Any) -> Any:
    app = flask.Flask(__name__)

    @app.get("/")
    def hello() -> dict[str, str]:
        return {"hello": current_token().subject}

    @app.get("/write")
    @require(scope="write")
    def write() -> dict[str, str]:
        return {"wrote": current_token().subject}

    @app.get("/write/async")
    @require(scope="write")
    async def write_async() -> dict[str, str]:
        return {"wrote": current_token().subject}

    @app.get("/lenient-then-strict")
    @require(on_stale=accept_until(60))
    @require(scope="write")
    def both() -> dict[str, str]:
        return {"wrote": current_token().subject}

    @app.get("/lenient")
    @require(on_stale=accept_until(60))
    def lenient() -> dict[str, str]:
        return {"hello": current_token().subject}

    app.wsgi_app = BearerAuth(app.wsgi_app, verifier, **options)  # type: ignore[method-assign]  # as Flask's manual says
    return app.test_client()


@pytest.mark.parametrize("path", ["/write", "/write/async"])
@pytest.mark.parametrize("protect", ["all", "marked"])
def test_a_view_of_flask_may_need_a_scope(shared: FakeIssuer, verifier: Verifier, path: str, protect: str) -> None:
    client = a_flask_app(verifier, protect=protect)
    refused = client.get(path, headers=shared.bearer("ada", "read"))
    assert (refused.status_code, refused.json["error"]) == (403, "insufficient_scope")
    assert 'scope="write"' in refused.headers["WWW-Authenticate"]
    assert refused.headers["Content-Type"] == "application/json"
    assert client.get(path).status_code == 401
    assert client.get(path, headers=shared.bearer("ada", "read write")).json == {"wrote": "ada"}


def test_a_view_of_flask_may_have_a_policy_of_its_own() -> None:
    with FakeIssuer() as issuer:
        client, old = a_flask_app(issuer.verifier(on_stale="deny"), protect="marked"), issuer.bearer(scope="write")
        with issuer.cut_off():
            issuer.advance(10)
            assert client.get("/write", headers=old).status_code == 503
            assert client.get("/lenient", headers=old).status_code == 200
            assert client.get("/lenient-then-strict", headers=old).status_code == 503


def test_require_without_the_wrapper_is_a_mistake_that_is_told() -> None:
    with pytest.raises(RuntimeError, match="BearerAuth"):
        require(scope="read")(lambda: None)()


# -- Django ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def django_settings() -> None:
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["api.test"])


def test_a_view_of_django_may_need_a_scope(shared: FakeIssuer, verifier: Verifier) -> None:
    seen: list[HttpResponse] = []

    @require(scope="write")
    def view(request: Any) -> HttpResponse:
        return HttpResponse(request.META[TOKEN].subject)

    def django(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = RequestFactory().get("/")
        request.META = environ
        seen.append(view(request))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    app = BearerAuth(django, verifier)
    call(app, **bearing(shared.token("ada", "read")))
    call(app, **bearing(shared.token("ada", "write")))
    refused, let_in = seen
    assert (refused.status_code, refused["Content-Type"]) == (403, "application/json")
    assert 'error="insufficient_scope"' in refused["WWW-Authenticate"]
    assert let_in.content == b"ada"


def test_a_misspelt_mode_is_refused(verifier: Verifier) -> None:
    with pytest.raises(ValueError, match="protect"):
        BearerAuth(plain, verifier, protect="everything")  # type: ignore[arg-type]  # that is the point


# -- servers that fork -------------------------------------------------------------------------------------

WORKER = """
import os, sys, time
from authserver.verifier import Verifier
from authserver.verifier.wsgi import BearerAuth

issuer, token, started = sys.argv[1], sys.argv[2], sys.argv[3] == "started"

def status():
    told = []
    app({"PATH_INFO": "/", "HTTP_AUTHORIZATION": "Bearer " + token}, lambda status, headers, *_: told.append(status))
    return told[0][:3]

def plain(environ, start_response):
    start_response("200 OK", [])
    return []

verifier = Verifier(issuer, audience="https://api.test", on_stale="deny")
app = BearerAuth(plain, verifier)
if started:
    assert status() == "200"
if os.fork():
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
print(status(), flush=True)
sys.stdin.readline()
end = time.monotonic() + 5
while status() == "200" and time.monotonic() < end:
    time.sleep(0.01)
print(status(), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("state", ["started", "not started"])
def test_a_forked_worker_follows_by_itself(state: str) -> None:
    with FakeIssuer(serve=True) as issuer:
        token = issuer.token()
        with subprocess.Popen(
            [sys.executable, "-c", WORKER, issuer.url, token, state],
            env=environment({}), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as worker:  # fmt: skip
            assert worker.stdin is not None
            assert worker.stdout is not None
            assert worker.stdout.readline() == "200\n"
            issuer.revoke_token(token)
            worker.stdin.write("\n")
            worker.stdin.flush()
            assert worker.stdout.readline() == "401\n"
            assert worker.wait(20) == 0


def test_paths_that_are_one_text_are_no_list(verifier: Verifier) -> None:
    """Each of its letters would be one, among them the slash below which is everything."""
    with pytest.raises(ValueError, match="exempt '/health': must be a list of paths"):
        BearerAuth(plain, verifier, exempt="/health")
