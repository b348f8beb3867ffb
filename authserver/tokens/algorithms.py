"""The signature algorithms that this server signs with, and what each does with a key (RFC 7518, RFC 8037).

A key belongs to one algorithm for all its life. What is not in `ALGORITHMS` is neither written nor read here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import Algorithm as Verifier
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, RSAPSSAlgorithm

PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

RS256 = "RS256"
"""The one algorithm that RFC 9068 section 2.1 obliges every resource server to support: always on."""
ALLOWED_BITS = (2048, 3072, 4096)
"""Of RSA keys."""
_EXPONENT = 65537
_COORDINATE = 32
"""Bytes of each half of a P-256 point and signature (RFC 7518 sections 3.4 and 6.2.1)."""

_DIGEST, _PKCS1 = SHA256(), PKCS1v15()
_PSS = PSS(mgf=MGF1(SHA256()), salt_length=SHA256.digest_size)


@dataclass(frozen=True, slots=True)
class Algorithm:
    name: str
    make: Callable[[int], PrivateKey] = field(repr=False)
    """A new key; the number is the size of an RSA key in bits, and means nothing to the others."""
    fits: Callable[[object], bool] = field(repr=False)
    """Whether a private key is of the algorithm's type, and strong."""
    members: Callable[[Any], dict[str, str]] = field(repr=False)
    """What makes the public JWK: `kty` and the rest that RFC 7638 hashes."""
    sign: Callable[[Any, bytes], bytes] = field(repr=False)
    verifier: Verifier = field(repr=False)
    hash: Callable[[bytes], Any] = field(repr=False, default=hashlib.sha256)
    """Of `at_hash` (OpenID Connect Core section 3.1.3.6)."""


class VerifyingKey(NamedTuple):
    """A public key and the one algorithm that it is for: no header chooses another."""

    algorithm: Algorithm
    public: PublicKey

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        return self.algorithm.verifier.verify(signing_input, self.public, signature)


def _make_rsa(bits: int) -> RSAPrivateKey:
    return rsa.generate_private_key(_EXPONENT, bits)


def _is_strong_rsa(key: object) -> bool:
    return (
        isinstance(key, RSAPrivateKey)
        and key.key_size in ALLOWED_BITS
        and key.public_key().public_numbers().e == _EXPONENT
    )


def _rsa_members(key: RSAPublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {"kty": "RSA", "n": _unsigned(numbers.n), "e": _unsigned(numbers.e)}


def _rs256(key: RSAPrivateKey, signing_input: bytes) -> bytes:
    return key.sign(signing_input, _PKCS1, _DIGEST)


def _ps256(key: RSAPrivateKey, signing_input: bytes) -> bytes:
    return key.sign(signing_input, _PSS, _DIGEST)


def _make_p256(_bits: int) -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def _is_p256(key: object) -> bool:
    return isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)


def _p256_members(key: EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    x, y = (base64url(number.to_bytes(_COORDINATE)) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def _es256(key: EllipticCurvePrivateKey, signing_input: bytes) -> bytes:
    """R and S side by side, and not the DER that X.509 has (RFC 7518 section 3.4)."""
    r, s = decode_dss_signature(key.sign(signing_input, ECDSA(SHA256())))  # made here: it loads half a megabyte
    return r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE)


def _make_ed25519(_bits: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def _is_ed25519(key: object) -> bool:
    return isinstance(key, Ed25519PrivateKey)


def _ed25519_members(key: Ed25519PublicKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url(key.public_bytes(Encoding.Raw, PublicFormat.Raw))}


def _eddsa(key: Ed25519PrivateKey, signing_input: bytes) -> bytes:
    return key.sign(signing_input)


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _unsigned(number: int) -> str:
    """RFC 7518 section 2, Base64urlUInt."""
    return base64url(number.to_bytes((number.bit_length() + 7) // 8))


ALGORITHMS: Mapping[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm(RS256, _make_rsa, _is_strong_rsa, _rsa_members, _rs256, RSAAlgorithm(RSAAlgorithm.SHA256)),
        Algorithm("PS256", _make_rsa, _is_strong_rsa, _rsa_members, _ps256, RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256)),
        Algorithm("ES256", _make_p256, _is_p256, _p256_members, _es256, ECAlgorithm(ECAlgorithm.SHA256, SECP256R1)),
        # Ed25519 hashes with SHA-512 inside, and so do its users for at_hash.
        Algorithm("EdDSA", _make_ed25519, _is_ed25519, _ed25519_members, _eddsa, OKPAlgorithm(), hashlib.sha512),
    )
}
