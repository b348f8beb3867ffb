"""Tokens that are bound to a DPoP key, at a resource server: by hand, under ASGI and under WSGI."""

from __future__ import annotations

from typing import Any

import flask
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from authserver.verifier import DpopLimits, Refusal, Shown, VerifiedToken, Verifier, accept_until
from authserver.verifier.asgi import BearerAuth, require
from authserver.verifier.challenge import Guard
from authserver.verifier.dpop import ALGORITHMS
from authserver.verifier.replay import Replays, TooMany
from authserver.verifier.testing import AUDIENCE, FakeIssuer, ProofKey
from authserver.verifier.wsgi import BearerAuth as WsgiAuth
from authserver.verifier.wsgi import current_token
from authserver.verifier.wsgi import require as wsgi_require
from tests.verifier.test_wsgi import call

ALGS = " ".join(ALGORITHMS)
URL = f"{AUDIENCE}/orders"
NONCE_KEY = bytes(range(32))


@pytest.fixture(scope="module")
def key(shared: FakeIssuer) -> ProofKey:
    return shared.proof_key()


def shown(key: ProofKey, token: str, **different: Any) -> Shown:
    return Shown("DPoP", "GET", URL, [key.proof("GET", URL, token, **different)])


def code(verifier: Verifier, token: str, how: Shown | None = None) -> str:
    try:
        verifier.verify(token) if how is None else verifier.verify(token, shown=how)
    except Refusal as refusal:
        return refusal.code
    return "accepted"


# -- by hand ----------------------------------------------------------------------------------------


def test_a_bound_token_is_let_in_with_a_proof(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    token = shared.token("ada", bound_to=key)
    verified = verifier.verify(token, shown=shown(key, token))
    assert verified.subject == "ada"
    assert verified.confirmation is not None
    assert verified.confirmation.jkt == key.jkt


async def test_and_so_in_an_event_loop(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    token = shared.token("ada", bound_to=key)
    how = shown(key, token)
    assert (await verifier.verify_async(token, shown=how)).subject == "ada"
    with pytest.raises(Refusal) as refused:
        await verifier.verify_async(token, shown=Shown("DPoP", "GET", URL, how.proofs))
    assert refused.value.code == "proof_replayed"
    with pytest.raises(Refusal) as refused:
        await verifier.verify_async(token)
    assert refused.value.code == "proof_required"


def test_a_bound_token_is_no_bearer_token(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    """RFC 9449 section 7.2, also with a good proof beside it."""
    token = shared.token(bound_to=key)
    assert code(verifier, token) == "proof_required"
    assert code(verifier, token, Shown("Bearer", "GET", URL, [key.proof("GET", URL, token)])) == "proof_required"


def test_a_bearer_token_is_no_bound_token(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    token = shared.token()
    assert code(verifier, token) == "accepted"
    assert code(verifier, token, shown(key, token)) == "not_bound"


def test_the_proof_of_another_key(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    token = shared.token(bound_to=key)
    assert code(verifier, token, shown(shared.proof_key(), token)) == "wrong_key"


@pytest.mark.parametrize(
    "different",
    [{"htm": "POST"}, {"htu": "https://api.test/"}, {"ath": "x"}, {"ath": None}, {"iat": 1}, {"jti": ""},
     {"header": {"alg": "HS256"}}, {"header": {"typ": "JWT"}}],
)  # fmt: skip
def test_a_proof_of_something_else(
    shared: FakeIssuer, verifier: Verifier, key: ProofKey, different: dict[str, Any]
) -> None:
    token = shared.token(bound_to=key)
    assert code(verifier, token, shown(key, token, **different)) == "invalid_proof"


def test_no_proof_and_two_proofs(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    token = shared.token(bound_to=key)
    for proofs in ([], [key.proof("GET", URL, token) for _ in range(2)], [""], ["garbage"]):
        assert code(verifier, token, Shown("DPoP", "GET", URL, proofs)) == "invalid_proof"


def test_a_proof_counts_once(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    token, other = shared.token(bound_to=key), shared.proof_key()
    how = shown(key, token, jti="only-once")
    assert code(verifier, token, how) == "accepted"
    assert code(verifier, token, how) == "accepted", "the same request, asked about twice"
    assert code(verifier, token, Shown("DPoP", "GET", URL, how.proofs)) == "proof_replayed"
    assert code(verifier, token, shown(key, token, jti="only-once")) == "proof_replayed"
    token = shared.token(bound_to=other)
    assert code(verifier, token, shown(other, token, jti="only-once")) == "accepted", "ids of others are others"


def test_what_was_proven_for_one_token_says_nothing_of_another(
    shared: FakeIssuer, verifier: Verifier, key: ProofKey
) -> None:
    one, other = shared.token(bound_to=key), shared.token(bound_to=key)
    how = shown(key, one)
    assert code(verifier, one, how) == "accepted"
    assert code(verifier, other, how) == "invalid_proof"


def test_a_refused_proof_is_not_used_up(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    token = shared.token(bound_to=shared.proof_key())
    how = shown(key, token, jti="not-yet")
    assert code(verifier, token, how) == "wrong_key"
    mine = shared.token(bound_to=key)
    assert code(verifier, mine, shown(key, mine, jti="not-yet")) == "accepted"


def test_a_revoked_token_is_refused_whatever_proof_comes_with_it(
    shared: FakeIssuer, verifier: Verifier, key: ProofKey
) -> None:
    token = shared.token(bound_to=key)
    shared.revoke_session(token)
    assert code(verifier, token, shown(key, token)) == "revoked_sid"


@pytest.mark.parametrize(
    "cnf", [{"kid": "x"}, {"jkt": "short"}, {"jkt": "A" * 43, "jku": "https://x.test"}, {}, [], ""]
)
def test_what_is_bound_in_an_unknown_way_is_refused(
    shared: FakeIssuer, verifier: Verifier, key: ProofKey, cnf: object
) -> None:
    token = shared.token(cnf=cnf)
    assert code(verifier, token) == "proof_required"
    assert code(verifier, token, shown(key, token)) == "proof_required"


def test_a_token_bound_to_two_things_needs_both(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    from authserver.verifier.certificate import certificate_thumbprint

    cnf = {"jkt": key.jkt, "x5t#S256": certificate_thumbprint(b"a certificate")}
    token = shared.token(cnf=cnf)
    assert code(verifier, token, shown(key, token)) == "wrong_certificate"
    how = shown(key, token)
    how.certificate = b"a certificate"
    assert code(verifier, token, how) == "accepted"


def test_limits_are_settable_and_checked(shared: FakeIssuer, key: ProofKey) -> None:
    strict = shared.verifier(dpop=DpopLimits(max_age=5, ahead=0))
    token = shared.token(bound_to=key)
    old = int(shared.now()) - 8
    assert code(strict, token, shown(key, token, iat=old)) == "invalid_proof"
    for wrong in ({"max_age": -1}, {"ahead": 301}, {"remembered": 0}, {"nonce_key": b"short"}, {"max_age": True}):
        with pytest.raises(ValueError):
            DpopLimits(**wrong)  # type: ignore[arg-type]  # that is the point
    assert "bytes" not in repr(DpopLimits(nonce_key=NONCE_KEY))


def test_what_was_refused_is_counted(shared: FakeIssuer, key: ProofKey) -> None:
    verifier = shared.verifier()
    token = shared.token(bound_to=key)
    assert code(verifier, token) == "proof_required"
    assert code(verifier, token, shown(key, token, htm="PUT")) == "invalid_proof"
    refusals = verifier.metrics()["refusals_total"]
    assert refusals == {"proof_required": 1, "invalid_proof": 1}
    assert 'code="proof_replayed"} 0' in verifier.metrics().prometheus()


# -- what is remembered -------------------------------------------------------------------------------


def test_a_proof_is_remembered_as_long_as_it_would_be_accepted() -> None:
    time = [0.0]
    replays = Replays(10, lambda: time[0])
    assert replays.use("key", "a", 60)
    time[0] = 59.9
    assert not replays.use("key", "a", 60)
    time[0] = 60.0
    assert replays.use("key", "a", 60)
    assert len(replays) == 1


def test_a_longer_life_behind_a_shorter_one_is_kept() -> None:
    time = [0.0]
    replays = Replays(10, lambda: time[0])
    assert replays.use("key", "long", 70)
    assert replays.use("key", "short", 10)
    time[0] = 69.0
    assert not replays.use("key", "long", 1)


def test_more_than_fit_are_refused_rather_than_forgotten(shared: FakeIssuer, key: ProofKey) -> None:
    time = [0.0]
    replays = Replays(2, lambda: time[0])
    assert replays.use("key", "a", 60)
    assert replays.use("key", "b", 60)
    with pytest.raises(TooMany):
        replays.use("key", "c", 60)
    assert not replays.use("key", "a", 60)
    time[0] = 61.0
    assert replays.use("key", "c", 60)
    verifier = shared.verifier(dpop=DpopLimits(remembered=1))
    token = shared.token(bound_to=key)
    assert [code(verifier, token, shown(key, token)) for _ in range(2)] == ["accepted", "overloaded"]


def test_of_many_at_once_one_is_the_first() -> None:
    from concurrent.futures import ThreadPoolExecutor

    replays = Replays(100, lambda: 0.0)
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: replays.use("key", "a", 60), range(200))) == 1


# -- ASGI -----------------------------------------------------------------------------------------------


async def hello(request: Request) -> JSONResponse:
    return JSONResponse({"hello": request.auth.subject})


@require(scope="write")
async def write(request: Request) -> JSONResponse:
    return JSONResponse({"wrote": request.auth.subject})


@require(on_stale=accept_until(60))
async def lenient(request: Request) -> JSONResponse:
    return JSONResponse({"hello": request.auth.subject})


ROUTES = [
    Route("/orders", hello, methods=["GET", "POST"]),
    Route("/orders/{name:path}", hello),
    Route("/write", write),
    Route("/lenient", lenient),
]


def a_client(verifier: Verifier, base: str = AUDIENCE, **options: Any) -> httpx.AsyncClient:
    app = Starlette(routes=ROUTES)
    app.add_middleware(BearerAuth, verifier=verifier, **options)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)


def challenge(response: httpx.Response) -> str:
    return response.headers["www-authenticate"]


async def test_the_middleware_takes_method_and_url_from_the_request(
    shared: FakeIssuer, verifier: Verifier, key: ProofKey
) -> None:
    token = shared.token("ada", bound_to=key)
    async with a_client(verifier) as client:
        answer = await client.get("/orders?page=2", headers=key.headers("GET", f"{URL}?page=2", token))
        assert answer.json() == {"hello": "ada"}
        assert (await client.post("/orders", headers=key.headers("POST", URL, token))).status_code == 200
        for method, url in (("POST", URL), ("GET", f"{URL}/"), ("GET", "https://other.test/orders")):
            refused = await client.get("/orders", headers=key.headers(method, url, token))
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_dpop_proof")
        named = f"{URL}/a%20b%2Fc"
        assert (await client.get("/orders/a%20b%2Fc", headers=key.headers("GET", named, token))).status_code == 200


async def test_a_proof_is_used_once_however_many_ask_about_it(
    shared: FakeIssuer, verifier: Verifier, key: ProofKey
) -> None:
    """Middleware and route; a route with a policy of its own asks the verifier again."""
    token = shared.token("ada", "write", bound_to=key)
    async with a_client(verifier) as client:
        for path in ("/write", "/lenient"):
            headers = key.headers("GET", f"{AUDIENCE}{path}", token)
            assert (await client.get(path, headers=headers)).status_code == 200
            replayed = await client.get(path, headers=headers)
            assert (replayed.status_code, replayed.json()["error"]) == (401, "invalid_dpop_proof")
            assert replayed.json()["error_description"] == "The DPoP proof was used before."


async def test_a_bound_token_as_bearer_is_answered_with_a_challenge_of_dpop(
    shared: FakeIssuer, verifier: Verifier, key: ProofKey
) -> None:
    token = shared.token(bound_to=key)
    async with a_client(verifier) as client:
        headers = {"Authorization": f"Bearer {token}", "DPoP": key.proof("GET", URL, token)}
        refused = await client.get("/orders", headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert challenge(refused).startswith('DPoP error="invalid_token"')
    assert f'algs="{ALGS}"' in challenge(refused)


async def test_who_uses_dpop_is_answered_in_dpop(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    async with a_client(verifier) as client:
        for token in (shared.token(exp=1, bound_to=key), shared.token(), "garbage"):
            refused = await client.get("/orders", headers=key.headers("GET", URL, token))
            assert refused.status_code == 401
            assert challenge(refused).startswith('DPoP error="invalid_token"')
        token = shared.token(bound_to=key)
        refused = await client.get("/orders", headers={"Authorization": f"DPoP {token}"})
        assert challenge(refused).startswith('DPoP error="invalid_dpop_proof"')
        lacking = await client.get("/write", headers=key.headers("GET", f"{AUDIENCE}/write", token))
        assert lacking.status_code == 403
        assert 'error="insufficient_scope"' in challenge(lacking)


async def test_two_proofs_are_refused(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    token = shared.token(bound_to=key)
    async with a_client(verifier) as client:
        proofs = [("DPoP", key.proof("GET", URL, token)) for _ in range(2)]
        refused = await client.get("/orders", headers=[("Authorization", f"DPoP {token}"), *proofs])
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_dpop_proof")


async def test_the_host_header_says_nothing(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    """Whoever was given token and proof for a service of his own would send its name along."""
    token = shared.token(bound_to=key)
    stolen = key.headers("GET", "https://evil.test/orders", token)
    async with a_client(verifier) as client:
        for host in ("evil.test", "evil.test:443"):
            refused = await client.get("/orders", headers={**stolen, "Host": host})
            assert refused.json()["error"] == "invalid_dpop_proof"
        forwarded = {"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.test"}
        assert (await client.get("/orders", headers={**stolen, **forwarded})).status_code == 401


async def test_behind_a_proxy_the_public_url_is_named(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    token, public = shared.token(bound_to=key), "https://shop.test/api/"
    async with a_client(verifier, "http://10.0.0.7:8080", public_url=public) as client:
        headers = key.headers("GET", "https://shop.test/api/orders", token)
        assert (await client.get("/orders", headers=headers)).status_code == 200
        headers = key.headers("GET", "http://10.0.0.7:8080/orders", token)
        assert (await client.get("/orders", headers=headers)).status_code == 401


async def test_of_several_audiences_the_one_that_was_called_counts(shared: FakeIssuer, key: ProofKey) -> None:
    both = shared.verifier(["https://one.test", "https://two.test/files"])  # type: ignore[arg-type]  # several
    async with a_client(both, "https://two.test") as client:
        token = shared.token(bound_to=key, aud="https://one.test")
        headers = key.headers("GET", "https://two.test/orders", token)
        assert (await client.get("/orders", headers=headers)).status_code == 200


async def test_where_no_audience_is_a_url_nothing_is_guessed(shared: FakeIssuer, key: ProofKey) -> None:
    verifier = shared.verifier("shop-api")
    token = shared.token(bound_to=key, aud="shop-api")
    async with a_client(verifier) as client:
        assert (await client.get("/orders", headers=key.headers("GET", URL, token))).status_code == 401
    async with a_client(verifier, public_url=AUDIENCE) as client:
        assert (await client.get("/orders", headers=key.headers("GET", URL, token))).status_code == 200


async def test_a_mounted_application_has_the_url_that_was_called(
    shared: FakeIssuer, verifier: Verifier, key: ProofKey
) -> None:
    inner = Starlette(routes=ROUTES)
    inner.add_middleware(BearerAuth, verifier=verifier)
    app = Starlette(routes=[Mount("/v1", inner)])
    token = shared.token(bound_to=key)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE) as client:
        headers = key.headers("GET", f"{AUDIENCE}/v1/orders", token)
        assert (await client.get("/v1/orders", headers=headers)).status_code == 200


async def test_dpop_may_be_announced(shared: FakeIssuer, verifier: Verifier) -> None:
    async with a_client(verifier, dpop="announced", realm="shop") as client:
        asked = await client.get("/orders")
        assert challenge(asked) == f'Bearer realm="shop", DPoP algs="{ALGS}"'
        refused = await client.get("/orders", headers={"Authorization": "Bearer x"})
        assert challenge(refused).startswith('Bearer realm="shop", error="invalid_token"')
        assert challenge(refused).endswith(f', DPoP algs="{ALGS}"')
        assert (await client.get("/orders", headers=shared.bearer())).status_code == 200


async def test_dpop_may_be_required(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    async with a_client(verifier, dpop="required") as client:
        assert challenge(await client.get("/orders")) == f'DPoP algs="{ALGS}"'
        refused = await client.get("/orders", headers=shared.bearer())
        assert refused.status_code == 401
        assert challenge(refused).startswith('DPoP error="invalid_token"')
        token = shared.token(bound_to=key)
        assert (await client.get("/orders", headers=key.headers("GET", URL, token))).status_code == 200


def test_a_misspelt_mode_is_refused(verifier: Verifier) -> None:
    with pytest.raises(ValueError, match="dpop"):
        BearerAuth(Starlette(), verifier, dpop="on")  # type: ignore[arg-type]  # that is the point


async def test_where_nonces_are_asked_for_an_answer_brings_one(shared: FakeIssuer, key: ProofKey) -> None:
    verifier = shared.verifier(dpop=DpopLimits(nonce_key=NONCE_KEY))
    token = shared.token(bound_to=key)
    async with a_client(verifier) as client:
        asked = await client.get("/orders", headers=key.headers("GET", URL, token))
        assert (asked.status_code, asked.json()["error"]) == (401, "use_dpop_nonce")
        assert challenge(asked).startswith('DPoP error="use_dpop_nonce"')
        nonce = asked.headers["dpop-nonce"]
        answer = await client.get("/orders", headers=key.headers("GET", URL, token, nonce=nonce))
        assert answer.status_code == 200
        assert answer.headers.get_list("dpop-nonce") == [nonce]
        assert (await client.get("/orders", headers=key.headers("GET", URL, token, nonce="x"))).status_code == 401
        assert "dpop-nonce" not in (await client.get("/orders", headers=shared.bearer())).headers


async def test_a_nonce_of_two_minutes_ago_is_old() -> None:
    with FakeIssuer() as issuer:
        key, verifier = issuer.proof_key(), issuer.verifier(dpop=DpopLimits(nonce_key=NONCE_KEY))
        token, nonce = issuer.token(bound_to=key), verifier.dpop_nonce()
        issuer.advance(121)
        assert code(verifier, token, shown(key, token, nonce=nonce)) == "use_dpop_nonce"
        assert code(verifier, token, shown(key, token, nonce=verifier.dpop_nonce())) == "accepted"


async def test_a_websocket_is_opened_by_a_get(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    said: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    async def send(message: Any) -> None:
        said.append(message["type"])

    token = shared.token(bound_to=key)
    headers = key.headers("GET", f"{AUDIENCE}/live", token).items()
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    scope = {"type": "websocket", "path": "/live", "raw_path": b"/live", "headers": raw, "query_string": b""}
    for _ in range(2):
        await BearerAuth(app, verifier)(dict(scope), send, send)  # type: ignore[arg-type]  # nothing is received
    assert said == ["websocket.accept", "websocket.close"]


# -- certificates ------------------------------------------------------------------------------------


def pem(der: bytes) -> str:
    import ssl

    return ssl.DER_cert_to_PEM_cert(der)


async def test_a_token_that_is_bound_to_a_certificate_needs_it(shared: FakeIssuer, verifier: Verifier) -> None:
    """RFC 8705 section 3: with the scheme Bearer."""
    from authserver.verifier import certificate_in
    from authserver.verifier.certificate import certificate_thumbprint

    bearer = shared.bearer("ada", cnf={"x5t#S256": certificate_thumbprint(b"mine")})

    def from_header(scope: Any) -> Any:
        return certificate_in(dict(scope["headers"]).get(b"client-cert", b"").decode())

    async with a_client(verifier, certificate=from_header) as client:
        assert (await client.get("/orders", headers={**bearer, "Client-Cert": ":bWluZQ==:"})).status_code == 200
        for other in ({}, {"Client-Cert": ":b3RoZXI=:"}, {"Client-Cert": "garbage"}):
            refused = await client.get("/orders", headers={**bearer, **other})
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
            assert challenge(refused).startswith('Bearer error="invalid_token"')
        assert (await client.get("/orders", headers=shared.bearer())).status_code == 200
    async with a_client(verifier) as client:
        refused = await client.get("/orders", headers={**bearer, "Client-Cert": ":bWluZQ==:"})
        assert refused.status_code == 401, "without the option no header is believed"


def test_certificates_in_headers_of_several_kinds_are_the_same() -> None:
    from urllib.parse import quote

    from authserver.verifier import certificate_in
    from authserver.verifier.certificate import certificate_thumbprint

    der = bytes(range(256)) * 3
    text = pem(der)
    spelt = [
        ":" + "".join(text.split("\n")[1:-2]) + ":",
        text,
        quote(text),
        text.replace("\n", " "),
        text.replace("\n", "\t"),
    ]
    thumbprints = {certificate_thumbprint(found) for each in spelt if (found := certificate_in(each)) is not None}
    assert thumbprints == {certificate_thumbprint(der)}
    for nothing in (None, "", "::", ":%%:", "(null)", "-----BEGIN CERTIFICATE-----", "x" * 20_000):
        assert certificate_in(nothing) is None
    assert certificate_thumbprint("no certificate") == ""


# -- WSGI ----------------------------------------------------------------------------------------------


@pytest.fixture
def flask_app() -> flask.Flask:
    app = flask.Flask(__name__)

    @app.get("/orders")
    @wsgi_require(scope="read")
    def orders() -> dict[str, str]:
        return {"hello": current_token().subject}

    return app


def test_under_wsgi_it_is_the_same(
    shared: FakeIssuer, verifier: Verifier, key: ProofKey, flask_app: flask.Flask
) -> None:
    token = shared.token("ada", "read", bound_to=key)
    flask_app.wsgi_app = WsgiAuth(flask_app.wsgi_app, verifier)  # type: ignore[method-assign]  # as the guide says
    client = flask_app.test_client()
    headers = key.headers("GET", URL, token)
    answer = client.get("/orders?a=b", base_url=AUDIENCE, headers=headers)
    assert answer.json == {"hello": "ada"}
    replayed = client.get("/orders", base_url=AUDIENCE, headers=headers)
    assert (replayed.status_code, replayed.json["error"]) == (401, "invalid_dpop_proof")  # type: ignore[index]  # Flask says Any or None
    bearer = client.get("/orders", base_url=AUDIENCE, headers={"Authorization": f"Bearer {token}"})
    assert bearer.status_code == 401
    assert bearer.headers["WWW-Authenticate"].startswith('DPoP error="invalid_token"')
    stolen = key.headers("GET", "https://evil.test/orders", token)
    assert client.get("/orders", base_url="https://evil.test", headers=stolen).status_code == 401


def test_under_wsgi_the_path_is_as_it_was_sent(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"in"]

    def asked(url: str, **environ: Any) -> str:
        token = shared.token(bound_to=key)
        named = {"HTTP_AUTHORIZATION": f"DPoP {token}", "HTTP_DPOP": key.proof("GET", url, token), **environ}
        return call(WsgiAuth(app, verifier), "/a b/é".encode().decode("latin-1"), **named).status

    assert asked(f"{AUDIENCE}/a%20b/%C3%A9") == "200 OK"
    assert asked(f"{AUDIENCE}/a%20b%2F%C3%A9", RAW_URI="/a%20b%2F%C3%A9?x") == "200 OK"
    assert asked(f"{AUDIENCE}/v1/a%20b/%C3%A9", SCRIPT_NAME="/v1") == "200 OK"
    assert asked(f"{AUDIENCE}/a%20b/%C3%A9", REQUEST_URI="/other").startswith("401")


def test_under_wsgi_two_proofs_are_joined_and_refused(shared: FakeIssuer, verifier: Verifier, key: ProofKey) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise AssertionError("must not be reached")

    token = shared.token(bound_to=key)
    two = ",".join(key.proof("GET", URL, token) for _ in range(2))
    answer = call(WsgiAuth(app, verifier), "/orders", HTTP_AUTHORIZATION=f"DPoP {token}", HTTP_DPOP=two)
    assert answer.status == "401 Unauthorized"


def test_under_wsgi_nonces_come_once_with_each_answer(
    shared: FakeIssuer, key: ProofKey, flask_app: flask.Flask
) -> None:
    verifier = shared.verifier(dpop=DpopLimits(nonce_key=NONCE_KEY))
    flask_app.wsgi_app = WsgiAuth(flask_app.wsgi_app, verifier, protect="marked")  # type: ignore[method-assign]  # how Flask documents it
    client, token = flask_app.test_client(), shared.token("ada", "read", bound_to=key)
    asked = client.get("/orders", base_url=AUDIENCE, headers=key.headers("GET", URL, token))
    assert asked.status_code == 401
    (nonce,) = asked.headers.getlist("DPoP-Nonce")
    answer = client.get("/orders", base_url=AUDIENCE, headers=key.headers("GET", URL, token, nonce=nonce))
    assert (answer.status_code, answer.headers.getlist("DPoP-Nonce")) == (200, [nonce])


# -- other frameworks -----------------------------------------------------------------------------------


def test_without_a_request_a_guard_lets_only_bearer_tokens_in(
    shared: FakeIssuer, verifier: Verifier, key: ProofKey
) -> None:
    guard, token = Guard(verifier), shared.token(bound_to=key)
    assert isinstance(guard.check([f"Bearer {shared.token()}"]), VerifiedToken)
    for header in (f"Bearer {token}", f"DPoP {token}"):
        with pytest.raises(Refusal):
            guard.check([header])
