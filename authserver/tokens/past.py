"""Tokens of the past: genuine, whatever has become of them. For explaining, never for admitting."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Iterable
from typing import Any

from authserver.model.errors import InvalidToken
from authserver.model.key import SigningKey
from authserver.model.time import SECOND
from authserver.tokens import jwt
from authserver.tokens.algorithms import ALGORITHMS, VerifyingKey
from authserver.tokens.claims import ACCESS_TOKEN_TYPES, AccessTokenClaims, read_claims


def read_past(token: str, keys: Iterable[SigningKey], issuer: str) -> AccessTokenClaims:
    """The claims of a token that we signed: expired ones too, and under keys that were withdrawn since.

    Raises InvalidToken for anything that no key in `keys` has signed. That it returns says
    nothing about whether the token may be accepted.
    """
    kid, claims = past_jwt(token, keys, issuer, ACCESS_TOKEN_TYPES)
    return read_claims(claims, kid)


def past_jwt(token: str, keys: Iterable[SigningKey], issuer: str, typ: str | Collection[str]) -> jwt.VerifiedJwt:
    """The same for a JWT of any type."""
    known = {key.kid: key for key in keys}

    def public_key(kid: str) -> VerifyingKey | None:
        return stored_key(known[kid]) if kid in known else None

    issued_at = unverified_parts(token)[1].get("iat")
    then = issued_at * SECOND if type(issued_at) is int and 0 <= issued_at < 1 << 43 else 0
    return jwt.verify(token, public_key, typ=typ, issuer=issuer, now=then)


def unverified_parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload as anybody can read them, without a look at the signature; raises InvalidToken."""
    segments = token.split(".")
    if len(segments) != 3 or len(token) > jwt.MAX_TOKEN_CHARS:
        raise InvalidToken("this is not a JWT in compact form")
    return _unverified_object(segments[0]), _unverified_object(segments[1])


def _unverified_object(segment: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise InvalidToken("this is not a JWT in compact form") from None
    if not isinstance(value, dict):
        raise InvalidToken("this is not a JWT in compact form")
    return value


def stored_key(key: SigningKey) -> VerifyingKey | None:
    """The public half of a key of whatever state; None for an algorithm that is not known here."""
    algorithm = ALGORITHMS.get(key.algorithm)
    if algorithm is None:
        return None
    public = algorithm.verifier.from_jwk(key.public_jwk)
    return VerifyingKey(algorithm, public)
