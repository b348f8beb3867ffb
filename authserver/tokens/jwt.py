"""Signed JWTs in compact form, strictly: the key's own algorithm, three header members, one spelling.

PyJWT checks signatures; everything a JWT library is known to be lenient about is checked first, in
`verifier/strict.py`, which resource servers use too. Signing is the hot path and spelt out, byte for byte what
PyJWT writes; see docs/decisions/0010-signing-is-spelt-out.md.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from authserver.model.errors import InvalidToken
from authserver.model.time import SECOND, Duration, Instant
from authserver.tokens.algorithms import ALGORITHMS, VerifyingKey
from authserver.tokens.keyring import ActiveKey, KeyRing
from authserver.verifier import strict

MAX_TOKEN_CHARS = strict.MAX_TOKEN_CHARS
MAX_FUTURE: Duration = 60 * SECOND
"""How far `iat` and `nbf` may be ahead: nodes' clocks differ, tokens from tomorrow do not exist."""

_KID = re.compile(r"[A-Za-z0-9_-]{43}")

_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)

PublicKeyFor = Callable[[str], VerifyingKey | None]


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
    algorithm = key.algorithm
    signed = _header_segment(algorithm, key.kid, typ) + b"." + _base64url(_compact_json(claims))
    return (signed + b"." + _base64url(ALGORITHMS[algorithm].sign(key.private, signed))).decode("ascii")


@dataclass(frozen=True, slots=True)
class Signer:
    """Any JWT of this issuer, by whatever algorithm somebody wants it."""

    ring: KeyRing

    def __call__(self, claims: Mapping[str, Any], algorithm: str, typ: str) -> str:
        """As `sign`; raises NoSigningKey for an algorithm without a key."""
        return sign(claims, self.ring.signing_for(algorithm), typ)


@lru_cache(maxsize=256)
def _header_segment(algorithm: str, kid: str, typ: str) -> bytes:
    return _base64url(_compact_json({"alg": algorithm, "kid": kid, "typ": typ}))


def _compact_json(value: Mapping[str, Any]) -> bytes:
    return _encoder.encode(value).encode("ascii")


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def verify(
    token: str,
    public_key_for: PublicKeyFor,
    *,
    typ: str | Collection[str],
    issuer: str,
    now: Instant,
    leeway: Duration = 0,
) -> VerifiedJwt:
    """The claims of a genuine, unexpired JWT of ours; raises InvalidToken (UnknownKey) for anything else.

    `typ`, one or several, is matched with and without the "application/" prefix (RFC 7515 section 4.1.9). The
    algorithm is the key's own, and the header may only agree (RFC 8725 section 3.1).
    """
    form = _read_form(token)
    kid = _check_header(form.header, (typ,) if isinstance(typ, str) else typ)
    key = public_key_for(kid)
    if key is None:
        raise UnknownKey(kid)
    if key.algorithm.name != form.header.alg:
        raise _algorithm_refused()
    if not key.verify(form.signing_input, form.signature):
        raise InvalidToken("The token's signature is not valid.")
    claims = _read_payload(form.unverified_payload)
    _check_issuer(claims, issuer)
    _check_times(claims, now, leeway)
    return VerifiedJwt(kid, claims)


def _read_form(token: str) -> strict.UnverifiedJwt:
    try:
        return strict.read_form(token)
    except strict.TooLong:
        raise InvalidToken("The token is too long.") from None
    except strict.Malformed as error:
        raise _malformed(error) from None
    except strict.HeaderRefused as error:
        raise InvalidToken("The token's header is not acceptable.", detail=str(error)) from None


def _algorithm_refused() -> InvalidToken:
    return InvalidToken("The token's algorithm is not acceptable.")


def _check_header(header: strict.Header, types: Collection[str]) -> str:
    # Before the key is looked for: what no key of ours could have is not worth a look at the database.
    if not isinstance(header.alg, str) or header.alg not in ALGORITHMS:
        raise _algorithm_refused()
    if not any(map(header.has_type, types)):
        raise InvalidToken("The token's type is not acceptable.")
    kid = header.kid
    # Only what could be a key of ours is worth a look at the database.
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise InvalidToken("The token's key is not known.", detail="kid is not a thumbprint")
    return kid


def _read_payload(raw: bytes) -> dict[str, Any]:
    try:
        return strict.json_object(raw)
    except strict.Malformed as error:
        raise _malformed(error) from None


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
    seconds = strict.numeric_date(claims.get(name))
    if seconds is None:
        raise InvalidToken(f"The token's {name} claim is missing or malformed.")
    return seconds * SECOND


def _malformed(error: strict.Malformed) -> InvalidToken:
    return InvalidToken("The token is malformed.", detail=str(error))
