"""Who gets a page and who gets JSON when something is refused, and what the page says."""

from __future__ import annotations

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from authserver.model.errors import Forbidden, Refused, TooManyRequests
from authserver.storage.interface import StorageUnavailable
from authserver.web.middleware import Edge
from authserver.web.routing import Router, rule
from tests.browser import HTML, Page

ERRORS = {
    "refused": Refused("the shoe does not fit"),
    "forbidden": Forbidden("not for <b>you</b>\u202e"),
    "throttled": TooManyRequests("too often", retry_after=7),
    "storage": StorageUnavailable("secret-host:5432 is down"),
    "bug": RuntimeError("secret detail"),
}


async def _raise(request: Request) -> Response:
    raise ERRORS[request.path_params["which"]]


async def _fine(request: Request) -> Response:
    return Response("fine", headers={"Content-Security-Policy": "default-src 'self'"})


EDGE = Edge(
    Router(
        [rule("/page/{which}", page=True, get=_raise), rule("/api/{which}", get=_raise), rule("/fine", get=_fine)],
        prefix="/auth",
    ),
    max_body=100,
)


async def _get(path: str, accept: str | None = HTML, method: str = "GET") -> httpx.Response:
    headers = {} if accept is None else {"accept": accept}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(EDGE), base_url="http://127.0.0.1") as http:
        http.headers.pop("accept")
        return await http.request(method, path, headers=headers)


def _is_page(response: httpx.Response) -> bool:
    return response.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "accept", [HTML, "text/html", "application/json;q=0.5, text/html", "TEXT/HTML; charset=utf-8", "text/html;q=0.1"]
)
async def test_who_prefers_html_gets_a_page(accept: str) -> None:
    assert _is_page(await _get("/page/refused", accept))


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/json",
        "application/json, text/html",
        "application/json, text/html;q=0.9",
        "text/html;q=0",
        "text/html;q=x",
        "text/*",
        ",;,",
    ],
)
async def test_everybody_else_gets_json(accept: str | None) -> None:
    response = await _get("/page/refused", accept)
    assert response.json() == {"error": "invalid_request", "error_description": "the shoe does not fit"}


async def test_what_programs_call_answers_json_to_browsers_too() -> None:
    assert (await _get("/api/refused")).json()["error"] == "invalid_request"


async def test_a_page_says_what_is_wrong_and_what_to_do() -> None:
    response = await _get("/page/refused")
    page = Page(response, "http://127.0.0.1/page/refused")
    assert page.status == 400
    assert page.title == "This request cannot be accepted"
    assert page.alert == "the shoe does not fit"
    assert "start again" in page.text
    assert page.shown("error_code") == "invalid_request"
    assert page.shown("request_id") == response.headers["x-request-id"]
    assert response.headers["cache-control"] == "no-store"
    assert [a.attributes["href"] for a in page.document.all("a")] == ["/auth/account"], "below the issuer's path"


async def test_what_it_says_is_text() -> None:
    page = Page(await _get("/page/forbidden"), "")
    assert page.alert == "not for <b>you</b>\ufffd"


async def test_status_and_headers_are_those_of_the_refusal() -> None:
    response = await _get("/page/throttled")
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert "Wait 7 seconds" in response.text


@pytest.mark.parametrize(("which", "status"), [("bug", 500), ("storage", 503)])
async def test_what_went_wrong_inside_stays_inside(which: str, status: int) -> None:
    response = await _get(f"/page/{which}")
    assert response.status_code == status
    assert _is_page(response)
    assert "secret" not in response.text


async def test_a_method_that_a_page_does_not_take_is_a_page_too() -> None:
    response = await _get("/page/refused", method="PUT")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert _is_page(response)


async def test_a_policy_of_its_own_wins_over_that_of_every_answer() -> None:
    own, every = await _get("/fine"), await _get("/api/refused")
    assert own.headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert every.headers.get_list("content-security-policy") == ["default-src 'none'; frame-ancestors 'none'"]
