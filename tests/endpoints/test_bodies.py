"""Request bodies as every endpoint reads them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from authserver.oauth.errors import InvalidRequest
from authserver.web.forms import UnsupportedMediaType, read_form, read_json


def a_request(body: bytes, content_type: str | None = "application/json") -> Request:
    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    pieces = [body[:5], body[5:]]

    async def receive() -> dict[str, object]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


async def test_a_json_object_is_read():
    assert await read_json(a_request('{"a":[1,"ä",{"b":null}]}'.encode())) == {"a": [1, "ä", {"b": None}]}


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_the_type_may_have_parameters_and_capitals(content_type: str):
    assert await read_json(a_request(b"{}", content_type)) == {}


@pytest.mark.parametrize("content_type", [None, "", "text/json", "application/json5"])
async def test_another_type_is_unsupported(content_type: str | None):
    with pytest.raises(UnsupportedMediaType):
        await read_json(a_request(b"{}", content_type))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"a"',
        b"null",
        b"1",
        b"{}{}",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b"{'a':1}",
        b'{"a":1,}',
        b"\xff",
        b'{"a":"\xff"}',
        b'{"a":1,"a":2}',
        b'{"b":{"a":1,"a":1}}',
        b"[" * 60_000,
        b'{"a":' * 9_000,
        b"\xef\xbb\xbf{}",
        b'{"a":"\\u0000"}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":["x","\\u0000"]}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\n"}',
    ],
)
async def test_what_is_not_one_clean_json_object_is_refused(body: bytes):
    with pytest.raises(InvalidRequest):
        await read_json(a_request(body))


async def test_escapes_that_mean_text_are_text():
    body = b'{"a":"\\ud83d\\ude00","b":"\\\\u0000"}'
    assert await read_json(a_request(body)) == {"a": "😀", "b": "\\u0000"}


async def test_an_optional_body_may_be_absent_and_is_checked_when_it_is_there():
    assert await read_json(a_request(b"", None), optional=True) == {}
    with pytest.raises(UnsupportedMediaType):
        await read_json(a_request(b"{}", "text/plain"), optional=True)


async def test_a_form_is_read():
    form = await read_form(a_request(b"a=1&b=x+y", "application/x-www-form-urlencoded"))
    assert (form.get("a"), form.get("b")) == ("1", "x y")


@given(st.binary(max_size=100))
async def test_any_bytes_are_read_or_refused(body: bytes):
    with contextlib.suppress(InvalidRequest):
        assert isinstance(await read_json(a_request(body)), dict)
