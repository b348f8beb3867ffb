"""Request bodies: read, bounded by the edge, refused unless they are what they claim to be."""

from __future__ import annotations

import json
from typing import NoReturn

from starlette.requests import ClientDisconnect, Request

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
    _require_type(request, FORM)
    return Form.parse(await _whole_body(request))


async def read_json(request: Request, *, optional: bool = False) -> dict[str, object]:
    """The JSON object in the body; raises UnsupportedMediaType or InvalidRequest.

    No member occurs twice and every string is one that a database can keep: no NUL, no lone surrogate.
    With `optional` an empty body, whatever its type, is {}.
    """
    if not optional:
        _require_type(request, JSON)
    body = await _whole_body(request)
    if optional and not body:
        return {}
    _require_type(request, JSON)
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_constant)
        storable = b"\\u" not in body or _is_storable(value)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise InvalidRequest("the body is not a JSON object")
    if not storable:
        raise InvalidRequest("the body contains a NUL character or half of a surrogate pair")
    return value


def _require_type(request: Request, media_type: str) -> None:
    given = request.headers.get("content-type", "")
    if given != media_type and given.partition(";")[0].strip().lower() != media_type:
        raise UnsupportedMediaType(f"the body must be {media_type}")


async def _whole_body(request: Request) -> bytes:
    """The edge limits its size while it streams (413). It is nearly always one message; `Request.body` would send it
    through an async generator, at three times the cost."""
    body = b""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        body += chunk
        if not message.get("more_body", False):
            return body


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidRequest("a member of the JSON body is repeated")
    return members


def _constant(name: str) -> NoReturn:
    """NaN and the infinities, which Python would accept and JSON does not know."""
    raise ValueError(name)


def _is_storable(value: object) -> bool:
    """JSON is UTF-8 without control characters, so only escapes can bring in what no database takes."""
    if isinstance(value, str):
        return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return all(_is_storable(name) and _is_storable(item) for name, item in value.items())
    return all(map(_is_storable, value)) if isinstance(value, list) else True
