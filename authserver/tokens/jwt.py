"""Signed JWTs in compact form, strictly: one algorithm, three header members, one spelling.

PyJWT checks signatures; everything a JWT library is known to be lenient about is checked here first
(RFC 8725). Signing is the hot path and spelt out, byte for byte what PyJWT writes; see
docs/decisions/0010-signing-is-spelt-out.md.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

import jwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from authserver.model.errors import InvalidToken
from authserver.model.time import SECOND, Duration, Instant
from authserver.tokens.keyring import ActiveKey
from authserver.tokens.signingkey import ALGORITHM

MAX_TOKEN_CHARS = 8192
MAX_HEADER_CHARS = 1024
MAX_FUTURE: Duration = 60 * SECOND
"""How far `iat` and `nbf` may be ahead: nodes' clocks differ, tokens from tomorrow do not exist."""

_HEADER_MEMBERS = frozenset({"alg", "typ", "kid"})
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_KID = re.compile(r"[A-Za-z0-9_-]{43}")
_LAST_CHARS = {
    0: re.compile(r"."),
    2: re.compile(r"[AQgw]"),  # one byte in the last group: four unused bits, which must be zero
    3: re.compile(r"[AEIMQUYcgkosw048]"),  # two bytes: two unused bits
}
_MAX_NUMERIC_DATE = 1 << 43
"""In seconds; beyond it milliseconds no longer fit a double exactly."""

_PADDING, _DIGEST = PKCS1v15(), SHA256()
"""RS256 (RFC 7518 section 3.3)."""

_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_jws = jwt.PyJWS(algorithms=[ALGORITHM])

PublicKeyFor = Callable[[str], RSAPublicKey | None]


class UnknownKey(InvalidToken):
    """Signed under a `kid` that is not in the ring: forged, withdrawn, or newer than the ring's view."""

    def __init__(self, kid: str) -> None:
        super().__init__("The token's key is not known.")
        self.kid = kid


class VerifiedJwt(NamedTuple):
    kid: str
    claims: dict[str, Any]


def sign(claims: Mapping[str, Any], key: ActiveKey, typ: str) -> str:
    """A JWT in compact form with the header members `alg`, `typ` and `kid`. Times in `claims` are in seconds."""
    signed = _header_segment(key.kid, typ) + b"." + _base64url(_compact_json(claims))
    return (signed + b"." + _base64url(key.private.sign(signed, _PADDING, _DIGEST))).decode("ascii")


@lru_cache(maxsize=64)
def _header_segment(kid: str, typ: str) -> bytes:
    return _base64url(_compact_json({"alg": ALGORITHM, "kid": kid, "typ": typ}))


def _compact_json(value: Mapping[str, Any]) -> bytes:
    return _encoder.encode(value).encode("ascii")


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def verify(
    token: str,
    public_key_for: PublicKeyFor,
    *,
    typ: str,
    issuer: str,
    now: Instant,
    leeway: Duration = 0,
) -> VerifiedJwt:
    """The claims of a genuine, unexpired JWT of ours; raises InvalidToken (UnknownKey) for anything else.

    `typ` is matched with and without the "application/" prefix (RFC 7515 section 4.1.9).
    """
    header_segment = _check_form(token)
    kid = _check_header(_header(header_segment), typ)
    key = public_key_for(kid)
    if key is None:
        raise UnknownKey(kid)
    claims = _json_object(_signed_payload(token, key), "payload")
    _check_issuer(claims, issuer)
    _check_times(claims, now, leeway)
    return VerifiedJwt(kid, claims)


def _check_form(token: str) -> str:
    """Three canonical base64url segments, so that a token has one spelling; returns the first."""
    if len(token) > MAX_TOKEN_CHARS:
        raise InvalidToken("The token is too long.")
    segments = token.split(".", 3)
    if len(segments) != 3 or not all(map(_is_canonical, segments)):
        _malformed("not three canonical base64url segments")
    if len(segments[0]) > MAX_HEADER_CHARS:
        _malformed("header too long")
    return segments[0]


def _is_canonical(segment: str) -> bool:
    last = _LAST_CHARS.get(len(segment) % 4)
    return bool(last and _SEGMENT.fullmatch(segment) and last.match(segment[-1]))


def _header(segment: str) -> dict[str, Any]:
    return _json_object(jwt.utils.base64url_decode(segment), "header")


def _check_header(header: Mapping[str, Any], typ: str) -> str:
    """Only what `sign` writes: so `crit`, `jku`, `jwk`, `x5u`, `x5c`, `b64`, `zip` ... are refused unread."""
    if header.keys() != _HEADER_MEMBERS:
        raise InvalidToken("The token's header is not acceptable.", detail="missing or unexpected header member")
    if header["alg"] != ALGORITHM:
        raise InvalidToken("The token's algorithm is not acceptable.")
    if header["typ"] not in (typ, f"application/{typ}"):
        raise InvalidToken("The token's type is not acceptable.")
    kid = header["kid"]
    # Only what could be a key of ours is worth a look at the database.
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise InvalidToken("The token's key is not known.", detail="kid is not a thumbprint")
    return kid


def _signed_payload(token: str, key: RSAPublicKey) -> bytes:
    try:
        payload: bytes = _jws.decode(token, key, algorithms=[ALGORITHM], options={"verify_signature": True})
    except jwt.InvalidTokenError as error:
        raise InvalidToken("The token's signature is not valid.", detail=type(error).__name__) from None
    return payload


def _check_issuer(claims: Mapping[str, Any], issuer: str) -> None:
    if claims.get("iss") != issuer:
        raise InvalidToken("The token is not from this issuer.")


def _check_times(claims: Mapping[str, Any], now: Instant, leeway: Duration) -> None:
    expires, issued = _instant(claims, "exp"), _instant(claims, "iat")
    if expires + leeway <= now:
        raise InvalidToken("The token has expired.")
    starts = _instant(claims, "nbf") if "nbf" in claims else issued
    if max(issued, starts) > now + MAX_FUTURE:
        raise InvalidToken("The token is not valid yet.")


def _instant(claims: Mapping[str, Any], name: str) -> Instant:
    seconds = claims.get(name)
    # A bool is an int to Python; a fraction or a text is no NumericDate that we ever write.
    if type(seconds) is not int or not 0 <= seconds < _MAX_NUMERIC_DATE:
        raise InvalidToken(f"The token's {name} claim is missing or malformed.")
    return seconds * SECOND


def _json_object(raw: bytes, part: str) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_repeats, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        _malformed(f"{part} is not strict JSON")
    if not isinstance(value, dict):
        _malformed(f"{part} is not an object")
    return value


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):  # two readers could take different ones for true
        raise ValueError("repeated member")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _malformed(detail: str) -> NoReturn:
    raise InvalidToken("The token is malformed.", detail=detail)
