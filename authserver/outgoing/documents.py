"""JSON from strangers: one reading only, and not deeper than a person would write it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from authserver.outgoing.errors import OutgoingFailed, OutgoingRefused
from authserver.outgoing.fetched import Fetched
from authserver.verifier.strict import Malformed, json_value

JSON_TYPES = ("application/json",)
MAX_DEPTH = 10


def read_document(fetched: Fetched, *, media_types: Collection[str] = JSON_TYPES, max_depth: int = MAX_DEPTH) -> Any:
    """The JSON value of a 200 answer; raises OutgoingFailed for another status, OutgoingRefused for anything else
    than JSON of one of these types, without repeated members, at most `max_depth` levels deep."""
    if fetched.status != 200:
        raise OutgoingFailed(f"answers with status {fetched.status}")
    if fetched.media_type not in media_types:
        raise OutgoingRefused("answers with another media type than JSON")
    return read_json(fetched.body, max_depth=max_depth)


def read_json(body: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Raises OutgoingRefused."""
    try:
        value = json_value(body)
    except Malformed:
        raise OutgoingRefused("answers with what is not strict JSON") from None
    if not _is_shallow(value, max_depth):
        raise OutgoingRefused("answers with JSON that is nested too deeply")
    return value


def _is_shallow(value: Any, max_depth: int) -> bool:
    level = [value]
    for _ in range(max_depth):
        level = [item for outer in level for item in _inside(outer)]
        if not level:
            return True
    return not any(isinstance(item, dict | list) for item in level)


def _inside(value: Any) -> Collection[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
