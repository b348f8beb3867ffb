"""What holds for every request, whatever the route."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from authserver import telemetry
from authserver.model.errors import Conflict, InvalidToken, TooManyRequests
from authserver.storage.interface import StorageUnavailable
from authserver.web.caller import caller_of
from authserver.web.middleware import Edge
from authserver.web.routing import Router, rule

LIMIT = 2048


async def echo(request: Request) -> Response:
    return JSONResponse({"body": len(await request.body()), "params": request.path_params})


async def who(request: Request) -> Response:
    caller = caller_of(request)
    return JSONResponse({"address": caller.address, "id": caller.request_id, "scheme": request.url.scheme})


async def fail(request: Request) -> Response:
    raise {
        "storage": StorageUnavailable("connection to secret-host refused"),
        "conflict": Conflict("that name is taken", detail="only for the log", extra={"field": "name"}),
        "throttled": TooManyRequests("slow down", retry_after=7),
        "token": InvalidToken('the "token" expired'),
        "bug": KeyError("s3cr3t"),
    }[request.path_params["how"]]


async def cut_off(request: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("in the middle")

    from starlette.responses import StreamingResponse

    return StreamingResponse(body())


RULES = [
    rule("/echo", post=echo, get=echo),
    rule("/open", post=echo, get=echo, cors=True),
    rule("/open/{how}", post=fail, cors=True),
    rule("/who", get=who),
    rule("/fail/{how}", get=fail),
    rule("/things/{thing}", get=echo, delete=echo),
    rule("/cut", get=cut_off),
]


def client(**options: Any) -> httpx.AsyncClient:
    address = options.pop("address", "203.0.113.9")
    router = Router(RULES, prefix=options.pop("prefix", ""), signpost=options.pop("signpost", ""))
    app = Edge(router, max_body=LIMIT, **options)
    transport = httpx.ASGITransport(app=app, client=(address, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with client() as made:
        yield made


async def test_every_answer_has_an_id_and_the_security_headers(http: httpx.AsyncClient) -> None:
    for path in ("/echo", "/nowhere", "/fail/bug"):
        headers = (await http.get(path)).headers
        assert headers["x-request-id"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers


async def test_over_https_browsers_are_told_to_stay_there() -> None:
    async with client(https=True) as http:
        assert "max-age" in (await http.get("/echo")).headers["strict-transport-security"]


async def test_scripts_of_other_origins_may_read_the_position_of_a_revocation(http: httpx.AsyncClient) -> None:
    exposed = (await http.get("/open")).headers["access-control-expose-headers"]
    assert "Revocation-Seq" in exposed.split(", ")


async def test_request_ids_differ_and_reach_the_audit_log(http: httpx.AsyncClient) -> None:
    answers = [await http.get("/who") for _ in range(3)]
    assert len({a.headers["x-request-id"] for a in answers}) == 3
    assert all(a.headers["x-request-id"] == a.json()["id"] for a in answers)


async def test_a_sane_request_id_of_the_caller_is_kept(http: httpx.AsyncClient) -> None:
    answer = await http.get("/who", headers={"X-Request-ID": "trace-1234.5678"})
    assert answer.headers["x-request-id"] == "trace-1234.5678"


@pytest.mark.parametrize("bad", ["short", "x" * 65, 'with "quotes" in', "sp ace in it", "tab\tin it"])
async def test_any_other_is_replaced(http: httpx.AsyncClient, bad: str) -> None:
    assert (await http.get("/who", headers={"X-Request-ID": bad})).headers["x-request-id"] != bad


async def test_an_unknown_path_is_404_in_json(http: httpx.AsyncClient) -> None:
    answer = await http.get("/nowhere")
    assert answer.status_code == 404
    assert answer.json()["error"] == "not_found"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("prefix", "path"), [("", "/"), ("/auth", "/auth/"), ("/auth", "/auth"), ("/auth", "/")])
async def test_at_the_root_stands_where_to_look_instead(prefix: str, path: str) -> None:
    async with client(prefix=prefix, signpost="https://auth.example/metadata") as http:
        answer = await http.get(path)
        assert answer.status_code == 404
        assert "https://auth.example/metadata" in answer.json()["error_description"]
        assert "metadata" not in (await http.get("/nowhere")).text


async def test_a_wrong_method_is_405_and_says_which_are_right(http: httpx.AsyncClient) -> None:
    answer = await http.put("/things/1")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "DELETE"}
    assert answer.json()["error"] == "method_not_allowed"


async def test_head_is_answered_like_get(http: httpx.AsyncClient) -> None:
    assert (await http.head("/echo")).status_code == 200


async def test_parameters_of_a_path_do_not_swallow_slashes(http: httpx.AsyncClient) -> None:
    assert (await http.get("/things/a-b")).json()["params"] == {"thing": "a-b"}
    assert (await http.get("/things/a/b")).status_code == 404


async def test_an_issuer_with_a_path_is_served_with_and_without_it() -> None:
    async with client(prefix="/auth") as http:
        assert (await http.get("/auth/who")).status_code == 200
        assert (await http.get("/who")).status_code == 200
        assert (await http.get("/authx/who")).status_code == 404


# -- bodies -----------------------------------------------------------------------------------


async def test_a_body_of_the_limit_passes_and_one_more_byte_does_not(http: httpx.AsyncClient) -> None:
    assert (await http.post("/echo", content=b"x" * LIMIT)).status_code == 200
    answer = await http.post("/echo", content=b"x" * (LIMIT + 1))
    assert answer.status_code == 413
    assert str(LIMIT) in answer.json()["error_description"]


async def test_a_streamed_body_is_cut_off_at_the_limit(http: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 1024

    assert (await http.post("/echo", content=endless())).status_code == 413
    assert sent < 10


# -- refusals -----------------------------------------------------------------------------------


async def test_a_refusal_carries_its_own_status_and_words_and_hides_its_detail(http: httpx.AsyncClient) -> None:
    answer = await http.get("/fail/conflict")
    assert answer.status_code == 409
    assert answer.json() == {"error": "conflict", "error_description": "that name is taken", "field": "name"}


async def test_a_database_that_does_not_answer_is_503_with_retry_after_and_no_details(http: httpx.AsyncClient) -> None:
    answer = await http.get("/fail/storage")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["error"] == "temporarily_unavailable"
    assert "secret-host" not in answer.text


async def test_throttling_says_for_how_long(http: httpx.AsyncClient) -> None:
    answer = await http.get("/fail/throttled")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


async def test_a_bug_is_500_and_its_text_stays_inside(http: httpx.AsyncClient) -> None:
    answer = await http.get("/fail/bug")
    assert answer.status_code == 500
    assert answer.json()["error"] == "server_error"
    assert "s3cr3t" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_a_challenge_is_sent_only_to_who_presented_a_bearer_token(http: httpx.AsyncClient) -> None:
    without = await http.get("/fail/token")
    assert without.status_code == 401
    assert "www-authenticate" not in without.headers
    with_one = await http.get("/fail/token", headers={"Authorization": "bearer abc"})
    assert with_one.headers["www-authenticate"] == (
        'Bearer error="invalid_token", error_description="the \'token\' expired"'
    )


async def test_half_an_answer_is_not_completed_as_if_nothing_was_wrong(http: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError):
        await http.get("/cut")


# -- other origins ------------------------------------------------------------------------------


async def test_open_routes_may_be_called_from_any_origin_without_cookies(http: httpx.AsyncClient) -> None:
    answer = await http.post("/open", headers={"Origin": "https://spa.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


async def test_so_may_their_refusals_be_read(http: httpx.AsyncClient) -> None:
    answer = await http.post("/open/conflict", headers={"Origin": "https://spa.example"})
    assert answer.status_code == 409
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_preflight_of_an_open_route_names_its_methods(http: httpx.AsyncClient) -> None:
    answer = await http.options(
        "/open", headers={"Origin": "https://x.example", "Access-Control-Request-Method": "POST"}
    )
    assert answer.status_code == 204
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_all_others_say_nothing_to_other_origins(http: httpx.AsyncClient) -> None:
    answer = await http.post("/echo", headers={"Origin": "https://spa.example"})
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert (await http.options("/echo")).status_code == 405


# -- proxies ------------------------------------------------------------------------------------

FORWARDED = {"X-Forwarded-For": "198.51.100.7, 10.0.0.2", "X-Forwarded-Proto": "https"}


async def test_what_strangers_say_about_addresses_is_not_believed(http: httpx.AsyncClient) -> None:
    answer = (await http.get("/who", headers=FORWARDED)).json()
    assert (answer["address"], answer["scheme"]) == ("203.0.113.9", "http")


async def test_trusted_proxies_are_seen_through_to_the_nearest_stranger() -> None:
    proxies = [ip_network("10.0.0.0/8")]
    async with client(address="10.0.0.1", trusted_proxies=proxies) as http:
        answer = (await http.get("/who", headers=FORWARDED)).json()
        assert (answer["address"], answer["scheme"]) == ("198.51.100.7", "https")


@pytest.mark.parametrize("network", ["10.0.0.0/8", "::ffff:10.0.0.0/104"])
async def test_a_socket_for_both_families_knows_the_proxy_too(network: str) -> None:
    async with client(address="::ffff:10.0.0.1", trusted_proxies=[ip_network(network)]) as http:
        forwarded = {"X-Forwarded-For": "::ffff:198.51.100.7, ::ffff:10.0.0.2"}
        assert (await http.get("/who", headers=forwarded)).json()["address"] == "198.51.100.7"
        assert (await http.get("/who")).json()["address"] == "10.0.0.1"


async def test_an_address_planted_in_front_of_the_list_is_not_reached() -> None:
    async with client(address="10.0.0.1", trusted_proxies=[ip_network("10.0.0.0/8")]) as http:
        answer = await http.get("/who", headers={"X-Forwarded-For": "127.0.0.1, 198.51.100.7"})
        assert answer.json()["address"] == "198.51.100.7"


@pytest.mark.parametrize(
    ("hop", "address"),
    [
        ("198.51.100.7:443", "198.51.100.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
    ],
)
async def test_a_port_behind_an_address_is_left_out(hop: str, address: str) -> None:
    async with client(address="10.0.0.1", trusted_proxies=[ip_network("10.0.0.0/8")]) as http:
        assert (await http.get("/who", headers={"X-Forwarded-For": hop})).json()["address"] == address


@pytest.mark.parametrize("nonsense", ["unknown", "_hidden", "<script>", "a" * 2000])
async def test_what_is_no_address_does_not_become_one(nonsense: str) -> None:
    async with client(address="10.0.0.1", trusted_proxies=[ip_network("10.0.0.0/8")]) as http:
        answer = await http.get("/who", headers={"X-Forwarded-For": nonsense})
        assert answer.json()["address"] == "10.0.0.1"


# -- metrics ------------------------------------------------------------------------------------


async def test_requests_are_counted_by_template_not_by_path(http: httpx.AsyncClient) -> None:
    await http.get("/things/very-special")
    await http.get("/random-path-4711")
    text = telemetry.render_metrics().decode()
    assert 'authserver_http_requests_total{method="GET",route="/things/{thing}",status="200"}' in text
    assert "very-special" not in text
    assert "random-path-4711" not in text
