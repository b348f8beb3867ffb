"""The ways in which a resource server can check a token, each a function of one token, and the bare signature check."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import jwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import RSAKey

from authserver.verifier.records import key_of
from authserver.verifier.token import TokenKeys

Way = Callable[[str], object]


def signing_jwk(issuer: str, token: str) -> dict[str, Any]:
    """The key that signed it, from the issuer's key set."""
    with urlopen(f"{issuer}/.well-known/jwks.json", timeout=10) as answer:
        keys: list[dict[str, Any]] = json.load(answer)["keys"]
    return next(key for key in keys if key["kid"] == _kid(token))


def bare(jwk: Mapping[str, Any]) -> Callable[[tuple[bytes, bytes]], None]:
    """RSA-2048 PKCS#1 v1.5 SHA-256 over what `signed_parts` has taken apart."""
    key, padding, digest = jwt.PyJWK(dict(jwk)).key, PKCS1v15(), SHA256()
    return lambda parts: key.verify(*parts, padding, digest)


def signed_parts(token: str) -> tuple[bytes, bytes]:
    """Signature and message."""
    message, _, signature = token.rpartition(".")
    return _decoded(signature), message.encode()


def pyjwt(jwk: Mapping[str, Any], issuer: str, audience: str) -> Way:
    """Signature, `exp`, `iss`, `aud`; the key is at hand. It knows nothing of revocations."""
    key = jwt.PyJWK(dict(jwk)).key
    return lambda token: jwt.decode(token, key, algorithms=["RS256"], issuer=issuer, audience=audience)


def joserfc(jwk: Mapping[str, Any], issuer: str, audience: str) -> Way:
    """The same with joserfc."""
    key = RSAKey.import_key(dict(jwk))
    claims = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer}, aud={"essential": True, "value": audience}, exp={"essential": True}
    )

    def decode(token: str) -> None:
        claims.validate(joserfc_jwt.decode(token, key, algorithms=["RS256"]).claims)

    return decode


def introspection(port: int, headers: Mapping[str, str]) -> Way:
    """One call over a connection that stays open."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(token: str) -> None:
        connection.request("POST", "/introspect", body=urlencode({"token": token}), headers=dict(headers))
        if b'"active":true' not in connection.getresponse().read():
            raise ValueError("introspection says that a good token is not active")

    return ask


def token_keys(token: str, issuer: str) -> TokenKeys:
    """What the verifier looks up about it, made as the verifier makes it."""
    claims = json.loads(_decoded(token.split(".")[1]))
    s, c, i = map(int, claims["rv"].split("."))
    return TokenKeys(
        kid=key_of("kid", issuer, _kid(token)),
        jti=key_of("jti", issuer, claims["jti"]),
        sid=key_of("sid", issuer, claims["sid"]),
        sub=key_of("sub", issuer, claims["sub"]),
        cli=key_of("cli", issuer, claims["client_id"]),
        s=s,
        c=c,
        i=i,
    )


def _kid(token: str) -> str:
    return str(json.loads(_decoded(token.partition(".")[0]))["kid"])


def _decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
