"""A client's public keys as it hands them in (RFC 7517 section 5): few, public, and strong enough.

Whether a key fits an algorithm is seen when it is used; here nothing is let in that never could, and nothing secret.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Final

from authserver.model.inputs import InvalidField

MOST_KEYS: Final = 20
LONGEST: Final = 20_000
"""Of the whole set as text."""
LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 8192
_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""kty -> the members that make the key."""
_CURVES: Final[Mapping[str, tuple[str, ...]]] = {"EC": ("P-256", "P-384", "P-521"), "OKP": ("Ed25519",)}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


def jwks(field: str, value: object) -> str:
    """A JWK set as an object in, as compact JSON text out."""
    keys = value.get("keys") if isinstance(value, Mapping) else None
    if not isinstance(keys, list) or not keys:
        raise InvalidField(field, 'must be a JWK set: {"keys": [...]} with at least one key')
    if len(keys) > MOST_KEYS:
        raise InvalidField(field, f"must hold at most {MOST_KEYS} keys")
    for key in keys:
        _check(field, key)
    try:
        written = json.dumps({"keys": keys}, separators=(",", ":"), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        raise InvalidField(field, "must hold JSON values only") from None
    if len(written) > LONGEST:
        raise InvalidField(field, f"must have at most {LONGEST} characters")
    return written


def key_types(written: str) -> list[tuple[str, str | None]]:
    """`kty` and `crv` of each key of a set that was read."""
    return [(key["kty"], key.get("crv")) for key in json.loads(written)["keys"]]


def _check(field: str, key: object) -> None:
    if not isinstance(key, Mapping):
        raise InvalidField(field, "must hold keys that are objects")
    if _SECRET_MEMBERS & key.keys():
        raise InvalidField(field, "must hold public keys only: this one is private or symmetric, and spent by now")
    kty = key.get("kty")
    numbers = _NUMBERS.get(kty) if isinstance(kty, str) else None
    if numbers is None or not all(_is_text(key.get(member)) for member in numbers):
        raise InvalidField(field, "must hold whole keys of kty RSA, EC or OKP")
    if kty == "RSA":
        _check_rsa(field, str(key["n"]), str(key["e"]))
    elif key["crv"] not in _CURVES[str(kty)]:
        raise InvalidField(field, f"must hold keys on the curves {', '.join(sum(_CURVES.values(), ()))}")
    if key.get("use", "sig") not in ("sig", "enc") or not isinstance(key.get("kid", ""), str):
        raise InvalidField(field, "must hold keys whose use is sig or enc, and whose kid is text")


def _check_rsa(field: str, modulus: str, exponent: str) -> None:
    n, e = _number(modulus), _number(exponent)
    if not LEAST_RSA_BITS <= n.bit_length() <= MOST_RSA_BITS or n % 2 == 0:
        raise InvalidField(field, f"must hold RSA keys of {LEAST_RSA_BITS} to {MOST_RSA_BITS} bits")
    if e < 65_537 or e % 2 == 0:
        raise InvalidField(field, "must hold RSA keys whose exponent is odd and at least 65537")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and _BASE64URL.fullmatch(value) is not None


def _number(text: str) -> int:
    try:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return 0
