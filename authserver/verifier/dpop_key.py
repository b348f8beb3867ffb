"""The public key in the header of a DPoP proof (RFC 9449 section 4.2), and its thumbprint (RFC 7638)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import Algorithm, get_default_algorithms

from .jwk import MIN_EXPONENT, MIN_RSA_BITS, PRIVATE_MEMBERS
from .strict import Malformed, decoded

MAX_RSA_BITS = 4096
MAX_EXPONENT = 1 << 32
"""Whoever makes the key chooses what its verification costs."""
_KEYS: Mapping[str, tuple[str, str | None, str]] = {
    "ES256": ("EC", "P-256", "ES256"),
    "EdDSA": ("OKP", "Ed25519", "EdDSA"),
    "Ed25519": ("OKP", "Ed25519", "EdDSA"),
    "PS256": ("RSA", None, "PS256"),
    "RS256": ("RSA", None, "RS256"),
}
"""alg -> `kty`, `crv`, and what PyJWT calls it. Ed25519 is the other name of EdDSA on that curve (RFC 9864)."""
ALGORITHMS = tuple(_KEYS)
"""What proofs may be signed with: nothing symmetric, no `none`, no SHA-1."""

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}
"""kty -> the members of which its thumbprint is made, in this order (RFC 7638 section 3.2, RFC 8037 section 2)."""
_COORDINATE_BYTES = 32
_signers: Mapping[str, Algorithm] = get_default_algorithms()


class KeyRefused(ValueError):
    """The text says why, and holds nothing of the key."""


class HeldKey(NamedTuple):
    jkt: str
    public: Any
    algorithm: Algorithm

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        return self.algorithm.verify(signing_input, self.public, signature)


def read_key(jwk: object, alg: object, algorithms: Collection[str] = ALGORITHMS) -> HeldKey:
    """The key that `alg` says it is for; raises KeyRefused for one that is weak, private, or of another kind."""
    if not isinstance(alg, str) or alg not in _KEYS or alg not in algorithms:
        raise KeyRefused("its algorithm is not one of those that are accepted")
    kind, curve, name = _KEYS[alg]
    if not isinstance(jwk, dict) or (jwk.get("kty"), jwk.get("crv")) != (kind, curve):
        raise KeyRefused("its key is not one for its algorithm")
    if not PRIVATE_MEMBERS.isdisjoint(jwk):
        raise KeyRefused("its key is not a public one alone")
    if jwk.get("alg", alg) != alg or jwk.get("use", "sig") != "sig":
        raise KeyRefused("its key is for something else")
    members = {member: jwk.get(member) for member in _REQUIRED[kind]}
    return HeldKey(_thumbprint(members), _public(members, kind, _signers[name]), _signers[name])


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """SHA-256 in base64url (RFC 7638) of a JWK that is well formed."""
    return _thumbprint({member: jwk[member] for member in _REQUIRED[jwk["kty"]]})


def _thumbprint(required: Mapping[str, Any]) -> str:
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True).encode()
    return urlsafe_b64encode(sha256(canonical).digest()).rstrip(b"=").decode("ascii")


def _public(members: Mapping[str, Any], kind: str, algorithm: Algorithm) -> Any:
    try:
        _refuse_other_spellings(members, kind)
        public = algorithm.from_jwk(dict(members))
    except (Malformed, jwt.PyJWTError, ValueError, TypeError):
        raise KeyRefused("its key is malformed") from None
    if isinstance(public, RSAPublicKey) and not _is_strong(public):
        raise KeyRefused("its RSA key is too small, too large, or has an unusual exponent")
    return public


def _refuse_other_spellings(members: Mapping[str, Any], kind: str) -> None:
    """One key has one thumbprint: numbers without leading zeros, points in full length (RFC 7518 section 6)."""
    for name, text in members.items():
        if name in ("kty", "crv"):
            continue
        if not isinstance(text, str):
            raise Malformed("not a text")
        raw = decoded(text)
        if (raw[0] == 0) if kind == "RSA" else (len(raw) != _COORDINATE_BYTES):
            raise Malformed("not the canonical length")


def _is_strong(key: RSAPublicKey) -> bool:
    exponent = key.public_numbers().e
    fits = MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS
    return fits and MIN_EXPONENT <= exponent <= MAX_EXPONENT and exponent % 2 == 1
