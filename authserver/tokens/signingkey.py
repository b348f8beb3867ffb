"""One RSA signing key: made, sealed for the database, opened again."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from authserver.model.key import SigningKey
from authserver.model.time import Instant
from authserver.tokens.masterkey import MasterKey, MasterKeyError

ALGORITHM = "RS256"
"""The one algorithm that RFC 9068 section 2.1 obliges every resource server to support."""
ALLOWED_BITS = (2048, 3072, 4096)
_EXPONENT = 65537


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An opened key. Kept in memory while the key ring holds it, so that signing costs no decryption."""

    kid: str
    private: RSAPrivateKey = field(repr=False)
    public: RSAPublicKey = field(repr=False)


def make_signing_key(bits: int, master: MasterKey, at: Instant) -> SigningKey:
    """A new key, announced, its private half encrypted. Takes 0.05 s (2048 bits) to some seconds (4096)."""
    private = generate_private_key(_EXPONENT, bits)
    members = _public_members(private.public_key())
    kid = _thumbprint(members)
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey(
        kid=kid,
        algorithm=ALGORITHM,
        public_jwk=json.dumps({**members, "kid": kid, "use": "sig", "alg": ALGORITHM}, separators=(",", ":")),
        private_encrypted=master.encrypt(der, kid.encode()),
        state="announced",
        created_at=at,
    )


def open_signing_key(key: SigningKey, master: MasterKey) -> KeyPair:
    """Decrypt a stored key; raises MasterKeyError when the master key is another one, or the public half does
    not belong to the private one: whoever can only write the database cannot publish a key of his own."""
    der = master.decrypt(key.private_encrypted, key.kid.encode())
    private = load_der_private_key(der, password=None)
    if not isinstance(private, RSAPrivateKey) or not _is_strong(private):
        raise MasterKeyError(f"signing key {key.kid} in the database is not an RSA key of an allowed size and exponent")
    public = private.public_key()
    if json.loads(key.public_jwk) != public_jwk(public, key.kid) or key.algorithm != ALGORITHM:
        raise MasterKeyError(
            f"the public half of signing key {key.kid} in the database does not match its private half"
        )
    return KeyPair(key.kid, private, public)


def _is_strong(private: RSAPrivateKey) -> bool:
    return private.key_size in ALLOWED_BITS and private.public_key().public_numbers().e == _EXPONENT


def public_jwk(public: RSAPublicKey, kid: str) -> dict[str, str]:
    """The public JWK with `kid`, `use` and `alg` (RFC 7517 section 4)."""
    return {**_public_members(public), "kid": kid, "use": "sig", "alg": ALGORITHM}


def _public_members(public: RSAPublicKey) -> dict[str, str]:
    """The members that make the key (RFC 7518 section 6.3.1)."""
    numbers = public.public_numbers()
    return {"kty": "RSA", "n": _base64url_uint(numbers.n), "e": _base64url_uint(numbers.e)}


def _thumbprint(members: dict[str, str]) -> str:
    """RFC 7638: the same key has the same `kid` everywhere, and two keys never share one."""
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def _base64url_uint(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8)).rstrip(b"=").decode()
