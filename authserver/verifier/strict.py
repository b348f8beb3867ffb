"""The form of a signed JWT, strictly: one spelling, three header members, JSON with one reading (RFC 8725).

JWT libraries are lenient about all of this. The server reads its own tokens with these functions too (`tokens/jwt.py`),
so what one of the two refuses, the other refuses.
"""

from __future__ import annotations

import json
from binascii import a2b_base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

MAX_TOKEN_CHARS = 8192
MAX_HEADER_CHARS = 1024
MAX_NUMERIC_DATE = 1 << 43
"""In seconds; beyond it milliseconds no longer fit a double exactly."""

_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
"""What is not in the alphabet of JWTs becomes what is in none."""
_LAST_GROUP: Mapping[int, tuple[bytes, frozenset[int]]] = {
    0: (b"", frozenset(range(256))),
    2: (b"==", frozenset(b"AQgw")),  # one byte: four unused bits, which must be zero
    3: (b"=", frozenset(b"AEIMQUYcgkosw048")),  # two bytes: two unused bits
}
"""By length modulo four: the padding that is left out, and with what the last character may be."""


class Malformed(ValueError):
    """No signed JWT in compact form; the text says why, and holds nothing of the token."""


class TooLong(Malformed):
    """Longer than MAX_TOKEN_CHARS; nothing of it was read."""


class HeaderRefused(ValueError):
    """A JWT whose header has other members than `alg`, `typ` and `kid`: so `crit`, `jku`, `jwk`, `x5u`, `x5c`, `b64`,
    `zip` … are refused unread."""


class Header(NamedTuple):
    """Whatever JSON values the three members had."""

    alg: object
    typ: object
    kid: object

    def has_type(self, typ: str) -> bool:
        """`typ` is matched with and without the "application/" prefix (RFC 7515 section 4.1.9)."""
        return self.typ == typ or self.typ == f"application/{typ}"


class UnverifiedJwt(NamedTuple):
    """The parts of a JWT that is well formed, and nothing more."""

    header: Header
    unverified_payload: bytes
    signature: bytes
    signing_input: bytes


def read_form(token: str) -> UnverifiedJwt:
    """Three canonical base64url segments, so that a token has one spelling; raises Malformed or HeaderRefused."""
    if len(token) > MAX_TOKEN_CHARS:
        raise TooLong("too long")
    segments = token.split(".", 3)
    if len(segments) != 3:
        raise Malformed("not three segments")
    head, payload, signature = segments
    if len(head) > MAX_HEADER_CHARS:
        raise Malformed("header too long")
    return UnverifiedJwt(
        read_header(head), decoded(payload), decoded(signature), token[: -len(signature) - 1].encode("ascii")
    )


@lru_cache(maxsize=256)
def read_header(segment: str) -> Header:
    """All tokens of a key have the same first segment: read once. What is refused is not remembered."""
    header = json_object(decoded(segment))
    if header.keys() != {"alg", "typ", "kid"}:
        raise HeaderRefused("missing or unexpected header member")
    return Header(**header)


def decoded(segment: str) -> bytes:
    """The bytes of a segment that is exactly what an encoder writes for them: no padding, no stray bits, not empty."""
    last_group = _LAST_GROUP.get(len(segment) % 4)
    if not segment or last_group is None:
        _refuse_segment()
    padding, last = last_group
    try:
        encoded = segment.encode("ascii")
        raw = a2b_base64(encoded.translate(_TO_BASE64) + padding, strict_mode=True)
    except ValueError:
        _refuse_segment()
    if encoded[-1] not in last:
        _refuse_segment()
    return raw


def _refuse_segment() -> NoReturn:
    raise Malformed("not three canonical base64url segments") from None


def json_object(raw: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 without repeated members, NaN and Infinity; raises Malformed."""
    value = json_value(raw)
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def json_value(raw: bytes) -> Any:
    """The same for any JSON value."""
    try:
        return _decoder.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Malformed("not strict JSON") from None


def numeric_date(value: object) -> int | None:
    """Whole seconds since the epoch (RFC 7519 section 2), or None for anything else."""
    # A bool is an int to Python; a fraction or a text is no NumericDate that the issuer ever writes.
    return value if type(value) is int and 0 <= value < MAX_NUMERIC_DATE else None


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):  # two readers could take different ones for true
        raise ValueError("repeated member")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_no_repeats, parse_constant=_no_constant)
