"""The issuer's public keys (RFC 7517), each pinned to one algorithm; what is weak, private or ambiguous is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import Algorithm, get_default_algorithms

from .records import key_of
from .strict import Malformed, decoded, json_object

MAX_KEYS = 64
MAX_KID_CHARS = 128
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
MIN_EXPONENT = 65537
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

_KEY_TYPES: Mapping[str, tuple[str, str | None]] = {
    **{f"{family}{bits}": ("RSA", None) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""alg -> `kty` and `crv`. No `none` and nothing symmetric: no configuration can bring them in."""
USUAL = ("RS256", "PS256", "ES256", "EdDSA")
"""What this issuer can sign with. Which of them a key is for is for the key to say."""


class UnusableKeys(ValueError):
    """A JWKS with which no token can be verified; the old keys stay."""


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """Compared by identity: a remembered signature counts while this very object is among the keys."""

    kid: str
    alg: str
    public: Any
    algorithm: Algorithm = field(repr=False)
    revocation_key: bytes = field(repr=False)
    """What stands for the `kid` in the feed."""
    jwk: Mapping[str, Any] = field(repr=False)

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        return self.algorithm.verify(signing_input, self.public, signature)

    @property
    def rsa(self) -> RSAPublicKey | None:
        """The key if it may sign RS256, which is what checkpoints are signed with."""
        return self.public if self.alg == "RS256" and isinstance(self.public, RSAPublicKey) else None


def checked_algorithms(algorithms: Iterable[str]) -> tuple[str, ...]:
    """Raises ValueError for algorithms that this verifier does not do: unknown, symmetric or `none`."""
    try:
        names = () if isinstance(algorithms, str) else tuple(algorithms)
        known = all(name in _KEY_TYPES for name in names)
    except TypeError:
        names, known = (), False
    if not names or not known:
        raise ValueError(f"algorithms {algorithms!r}: must be a list of some of {', '.join(_KEY_TYPES)}")
    return names


def parse_jwks(
    body: bytes, issuer: str, algorithms: Sequence[str], known: Mapping[str, Key] | None = None
) -> dict[str, Key]:
    """The usable keys by `kid`; those that did not change are the same objects as in `known`. Raises UnusableKeys."""
    try:
        listed = json_object(body).get("keys")
    except Malformed as error:
        raise UnusableKeys(f"the JWKS is {error}") from None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise UnusableKeys("the JWKS has no keys, or too many")
    jwks = [jwk for jwk in listed if isinstance(jwk, dict) and isinstance(jwk.get("kid"), str)]
    # Which of two keys with the same name signed something cannot be said: neither did.
    names = Counter(jwk["kid"] for jwk in jwks)
    keys = [_key(jwk, issuer, algorithms, known or {}) for jwk in jwks if names[jwk["kid"]] == 1]
    usable = {key.kid: key for key in keys if key is not None}
    if not usable:
        raise UnusableKeys("none of the keys in the JWKS can be used")
    return usable


def _key(jwk: Mapping[str, Any], issuer: str, algorithms: Sequence[str], known: Mapping[str, Key]) -> Key | None:
    old = known.get(jwk["kid"])
    if old is not None and old.jwk == jwk:
        return old
    alg = _pinned(jwk, algorithms)
    if alg is None or not is_kid(jwk["kid"]) or not _may_verify(jwk):
        return None
    algorithm = get_default_algorithms()[alg]
    try:
        public = algorithm.from_jwk(dict(jwk))
        public = algorithm.prepare_key(public)
        acceptable = _ACCEPTABLE[jwk["kty"]](jwk, public)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if not acceptable:
        return None
    return Key(jwk["kid"], alg, public, algorithm, key_of("kid", issuer, jwk["kid"]), jwk)


def is_kid(kid: object) -> bool:
    """A name that is worth looking up: short, printable ASCII."""
    return isinstance(kid, str) and 0 < len(kid) <= MAX_KID_CHARS and kid.isascii() and kid.isprintable()


def _pinned(jwk: Mapping[str, Any], algorithms: Sequence[str]) -> str | None:
    """The one algorithm of this key: its own `alg`, or the first of ours that goes with its type."""
    kind = (jwk.get("kty"), jwk.get("crv"))
    fitting = [alg for alg in algorithms if _KEY_TYPES[alg] == kind]
    if "alg" in jwk:
        return jwk["alg"] if jwk["alg"] in fitting else None
    return fitting[0] if fitting else None


def _may_verify(jwk: Mapping[str, Any]) -> bool:
    """`use` and `key_ops` (RFC 7517 sections 4.2 and 4.3), which PyJWT does not look at; and no private half."""
    uses = jwk.get("use", "sig") == "sig"
    operations = jwk.get("key_ops", ["verify"])
    return uses and isinstance(operations, list) and "verify" in operations and PRIVATE_MEMBERS.isdisjoint(jwk)


def _is_strong_rsa(jwk: Mapping[str, Any], key: Any) -> bool:
    canonical = bool(decoded(jwk["n"]) and decoded(jwk["e"]))
    exponent = key.public_numbers().e
    return canonical and MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS and exponent >= MIN_EXPONENT and exponent % 2 == 1


def _is_public_point(jwk: Mapping[str, Any], key: Any) -> bool:
    canonical = all(decoded(jwk[axis]) for axis in ("x", "y") if axis in jwk)
    return canonical and hasattr(key, "public_bytes") and not hasattr(key, "private_bytes")


_ACCEPTABLE: Mapping[str, Callable[[Mapping[str, Any], Any], bool]] = {
    "RSA": _is_strong_rsa,
    "EC": _is_public_point,
    "OKP": _is_public_point,
}
