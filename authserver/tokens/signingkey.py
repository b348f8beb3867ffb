"""One signing key: made, sealed for the database, opened again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from authserver.model.key import SigningKey
from authserver.model.time import Instant
from authserver.tokens.algorithms import ALGORITHMS, RS256, PrivateKey, PublicKey, VerifyingKey, base64url
from authserver.tokens.masterkey import MasterKey, MasterKeyError


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An opened key. Kept in memory while the key ring holds it, so that signing costs no decryption."""

    kid: str
    private: PrivateKey = field(repr=False)
    public: PublicKey = field(repr=False)
    algorithm: str = RS256

    @property
    def verifying(self) -> VerifyingKey:
        return VerifyingKey(ALGORITHMS[self.algorithm], self.public)


def make_signing_key(bits: int, master: MasterKey, at: Instant, algorithm: str = RS256) -> SigningKey:
    """A new key, announced, its private half encrypted. RSA takes 0.05 s (2048 bits) to some seconds (4096).

    `bits` is the size of an RSA key; the other algorithms have one size.
    """
    private, kid = _make(algorithm, bits)
    while kid.startswith("-"):  # which command lines would take for an option
        private, kid = _make(algorithm, bits)
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey(
        kid=kid,
        algorithm=algorithm,
        public_jwk=json.dumps(public_jwk(private.public_key(), kid, algorithm), separators=(",", ":")),
        private_encrypted=master.encrypt(der, kid.encode()),
        state="announced",
        created_at=at,
    )


def _make(algorithm: str, bits: int) -> tuple[PrivateKey, str]:
    private = ALGORITHMS[algorithm].make(bits)
    return private, thumbprint(ALGORITHMS[algorithm].members(private.public_key()))


def open_signing_key(key: SigningKey, master: MasterKey) -> KeyPair:
    """Decrypt a stored key; raises MasterKeyError when the master key is another one, or the public half does
    not belong to the private one: whoever can only write the database cannot publish a key of his own."""
    der = master.decrypt(key.private_encrypted, key.kid.encode())
    private = load_der_private_key(der, password=None)
    algorithm = ALGORITHMS.get(key.algorithm)
    if algorithm is None or not algorithm.fits(private):
        raise MasterKeyError(f"signing key {key.kid} in the database is not an acceptable key for {key.algorithm}")
    public: PublicKey = private.public_key()  # type: ignore[assignment]  # `fits` has looked
    if json.loads(key.public_jwk) != public_jwk(public, key.kid, key.algorithm):
        raise MasterKeyError(
            f"the public half of signing key {key.kid} in the database does not match its private half"
        )
    return KeyPair(key.kid, private, public, key.algorithm)  # type: ignore[arg-type]  # `fits` has looked


def public_jwk(public: PublicKey, kid: str, algorithm: str = RS256) -> dict[str, str]:
    """The public JWK with `kid`, `use` and `alg` (RFC 7517 section 4)."""
    return {**ALGORITHMS[algorithm].members(public), "kid": kid, "use": "sig", "alg": algorithm}


def thumbprint(members: dict[str, str]) -> str:
    """RFC 7638: the same key has the same `kid` everywhere, and two keys never share one."""
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64url(hashlib.sha256(canonical).digest())
