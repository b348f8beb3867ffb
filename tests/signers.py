"""Clients that sign: their keys, the JWTs they make with them, right ones by default."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import jwt as pyjwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class _LeftOut:
    def __repr__(self) -> str:
        """The same in every process: it is part of the names of tests."""
        return "LEFT_OUT"


LEFT_OUT = _LeftOut()
"""As a claim or header member: it is not there."""

_numbers = count(1)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True)
class Signer:
    alg: str
    private: Any
    kid: str = "k1"

    @property
    def spki(self) -> bytes:
        raw: bytes = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return raw

    @property
    def private_pem(self) -> str:
        pem: bytes = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem.decode()

    def jwk(self, **members: Any) -> dict[str, Any]:
        """The public JWK with its kid; a member that is LEFT_OUT is left out."""
        algorithm = pyjwt.get_algorithm_by_name(self.alg)
        public = json.loads(algorithm.to_jwk(self.private.public_key()))
        public.pop("key_ops", None)
        return {n: v for n, v in {**public, "kid": self.kid, **members}.items() if v is not LEFT_OUT}

    def jwks(self, **members: Any) -> str:
        return jwks(self.jwk(**members))

    def sign(self, claims: dict[str, Any], header: dict[str, Any] | None = None, alg: str | None = None) -> str:
        """Bytes as they are given: no library looks at the claims."""
        said = {"alg": alg or self.alg, "kid": self.kid, **(header or {})}
        said = {name: value for name, value in said.items() if value is not LEFT_OUT}
        parts = [b64(json.dumps(part).encode()) for part in (said, claims)]
        signing_input = ".".join(parts)
        algorithm = pyjwt.get_algorithm_by_name(alg or self.alg)
        return f"{signing_input}.{b64(algorithm.sign(signing_input.encode(), self.private))}"

    def assertion(
        self, named: str, audience: Any, now: int, header: dict[str, Any] | None = None, /, **claims: Any
    ) -> str:
        """For client authentication; `now` in milliseconds, as everywhere."""
        return self.sign(assertion_claims(named, audience, now, **claims), header)


def assertion_claims(named: str, audience: Any, now: int, /, **claims: Any) -> dict[str, Any]:
    seconds = now // 1000
    said = {
        "iss": named,
        "sub": named,
        "aud": audience,
        "iat": seconds,
        "exp": seconds + 60,
        "jti": f"jti-{next(_numbers)}",
        **claims,
    }
    return {name: value for name, value in said.items() if value is not LEFT_OUT}


def jwks(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": list(keys)})


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Made once per test process: finding primes is slow."""
    return rsa.generate_private_key(65537, bits)


@cache
def signer(alg: str = "RS256", number: int = 0) -> Signer:
    """The `number`th signer with a key for `alg`; its kid is not in any other's set."""
    kid = f"{alg}-{number}"
    if alg in ("RS256", "PS256"):
        return Signer(alg, rsa_key(number), kid)
    private = ec.generate_private_key(ec.SECP256R1()) if alg == "ES256" else ed25519.Ed25519PrivateKey.generate()
    return Signer(alg, private, kid)
