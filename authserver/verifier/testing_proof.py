"""A client's DPoP key, and the proofs it makes. For `testing`.

key = ProofKey()
token = issuer.token("ada", "read", bound_to=key)
client.get("/orders", headers=key.headers("GET", "https://api.test/orders", token))
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from .dpop_key import thumbprint
from .testing_log import base64url

_MAKE: Mapping[str, Callable[[], Any]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
}

_PUBLIC = ("kty", "crv", "x", "y", "n", "e")


class ProofKey:
    """`now`: seconds since the epoch, for `iat`; `FakeIssuer.now` where time goes by there."""

    def __init__(self, alg: str = "ES256", *, now: Callable[[], float] = time.time) -> None:
        self.alg = alg
        self.private = _MAKE[alg]()
        algorithm: Any = get_default_algorithms()[alg]
        members = json.loads(algorithm.to_jwk(self.private.public_key()))
        self.jwk: dict[str, str] = {name: members[name] for name in _PUBLIC if name in members}
        self._now = now

    @property
    def jkt(self) -> str:
        """The thumbprint to which tokens are bound."""
        return thumbprint(self.jwk)

    def proof(
        self,
        method: str,
        url: str,
        token: str | None = None,
        *,
        nonce: str | None = None,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """The value of the DPoP header. `claims` and `header` replace the usual members; None leaves one out."""
        usual = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url.partition("?")[0],
            "iat": int(self._now()),
            "ath": None if token is None else base64url(hashlib.sha256(token.encode()).digest()),
            "nonce": nonce,
        }
        return self.signed(
            _without_none({"typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk, **(header or {})}),
            _without_none({**usual, **claims}),
        )

    def signed(self, header: Mapping[str, Any], claims: Mapping[str, Any] | bytes) -> str:
        """Whatever it says, under a good signature of this key."""
        payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        signing_input = f"{base64url(json.dumps(header).encode())}.{base64url(payload)}"
        algorithm: Any = get_default_algorithms()[self.alg]
        return f"{signing_input}.{base64url(algorithm.sign(signing_input.encode(), self.private))}"

    def headers(self, method: str, url: str, token: str, **different: Any) -> dict[str, str]:
        """Of a request with a bound token."""
        return {"Authorization": f"DPoP {token}", "DPoP": self.proof(method, url, token, **different)}


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
