"""Request bodies: read, bounded by the edge, refused unless they are what they claim to be."""

from __future__ import annotations

import json
from typing import NoReturn

from starlette.requests import Request

from authserver.model.errors import Refused
from authserver.oauth.errors import InvalidRequest
from authserver.oauth.form import Form

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class UnsupportedMediaType(Refused):
    """The body is not of the type that this endpoint takes (RFC 9110 section 15.5.16)."""

    status = 415


async def read_form(request: Request) -> Form:
    """The parameters of a form body; raises UnsupportedMediaType or InvalidRequest."""
    body = await read_body(request, FORM)
    return Form.parse(body)


async def read_json(request: Request, *, optional: bool = False) -> dict[str, object]:
    """The JSON object in the body; raises UnsupportedMediaType or InvalidRequest.

    No member occurs twice and every string is one that a database can keep: no NUL, no lone surrogate.
    With `optional` an empty body, whatever its type, is {}.
    """
    if optional and not await request.body():
        return {}
    body = await read_body(request, JSON)
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_constant)
        _refuse_unstorable(body, value)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise InvalidRequest("the body is not a JSON object")
    return value


async def read_body(request: Request, media_type: str) -> bytes:
    """The body if it is of that type. The edge limits its size while it streams (413)."""
    given = request.headers.get("content-type", "")
    if given != media_type and given.partition(";")[0].strip().lower() != media_type:
        raise UnsupportedMediaType(f"the body must be {media_type}")
    return await request.body()


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidRequest("a member of the JSON body is repeated")
    return members


def _constant(name: str) -> NoReturn:
    """NaN and the infinities, which Python would accept and JSON does not know."""
    raise ValueError(name)


def _refuse_unstorable(body: bytes, value: object) -> None:
    """Only escapes can smuggle these in, since the body itself is UTF-8 without control characters."""
    if b"\\u" in body:
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
        if "\\u0000" in text:
            raise ValueError("NUL")
