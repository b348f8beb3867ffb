"""The books of the fake issuer: keys, tokens, and what was taken back. For `testing`."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil
from typing import Any

import jwt

from .testing_log import WritableLog
from .testing_proof import ProofKey

AUDIENCE = "https://api.test"
CLIENT = {"client_id": "service-1", "client_secret": "secret-of-service-1"}
_KID_DAYS = 25 * 3600


@dataclass(frozen=True, slots=True)
class Key:
    kid: str
    private: Any = field(repr=False)
    jwk: dict[str, str] = field(repr=False)
    alg: str = "RS256"


def new_key(alg: str = "RS256") -> Key:
    """A signing key is made as a client's is; see `ProofKey` for the algorithms."""
    made = ProofKey(alg)
    return Key(made.jkt, made.private, {**made.jwk, "kid": made.jkt, "alg": alg, "use": "sig"}, alg)


@lru_cache(maxsize=1)
def first_key() -> Key:
    """Shared by all issuers of a test run: making one takes as long as many tests."""
    return new_key()


def unverified_claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


class Book:
    """May be used by several threads."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        lifetime: int,
        now: Callable[[], float],
        algorithms: Iterable[str] = (),
    ) -> None:
        """`algorithms`: beside RS256, with which everything is signed unless another is named."""
        self.issuer, self.audience, self.lifetime, self.now = issuer, audience, lifetime, now
        self.lock = threading.RLock()
        self.log = WritableLog(issuer)
        self.algorithms = tuple(dict.fromkeys(("RS256", *algorithms)))
        self.keys = [first_key(), *map(new_key, self.algorithms[1:])]
        self._versions: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._listed: set[tuple[str, str]] = set()

    @property
    def seq(self) -> int:
        return self.log.seq

    def sign(self, claims: dict[str, Any], typ: str, algorithm: str = "RS256") -> str:
        key = [key for key in self.keys if key.alg == algorithm][-1]
        return jwt.encode(claims, key.private, algorithm=algorithm, headers={"kid": key.kid, "typ": typ})

    def token(
        self,
        sub: str,
        scope: str,
        *,
        client_id: str,
        sid: str | None,
        expires_in: float | None,
        claims: dict[str, Any],
        algorithm: str = "RS256",
    ) -> str:
        if algorithm not in self.algorithms:
            raise ValueError(f"this issuer has keys for {', '.join(self.algorithms)}: see `algorithms`")
        with self.lock:
            now = self.now()
            usual = {
                "iss": self.issuer,
                "sub": sub,
                "aud": self.audience,
                "client_id": client_id,
                "scope": scope or None,
                "iat": int(now),
                "exp": int(now + (self.lifetime if expires_in is None else expires_in)),
                "jti": secrets.token_urlsafe(16),
                "sid": secrets.token_urlsafe(16) if sid == "" else sid,
                "rv": self._versions_of(sub, client_id),
            }
            said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
            return self.sign(said, "at+jwt", algorithm)

    def _versions_of(self, sub: str, client_id: str) -> str:
        return ".".join(str(self._versions[thing]) for thing in (("sub", sub), ("cli", client_id), ("iss", "")))

    def rotate(self) -> None:
        with self.lock:
            self.keys += map(new_key, self.algorithms)

    def revoke(self, kind: str, value: str, *, expires: float | None = None) -> int:
        """The sequence number of its record. `expires`: of the token itself, in seconds since the epoch."""
        with self.lock:
            remembered = self.now() + (_KID_DAYS if kind == "kid" else self.lifetime) + 60
            until = ceil(max(remembered, (expires or 0) + 60))
            if kind in ("sub", "cli", "iss"):
                self._versions[kind, value] += 1
                return self.log.append(kind, value, version=self._versions[kind, value], expires=until)
            self._listed.add((kind, value))
            return self.log.append(kind, value, expires=until)

    def revoke_key(self) -> int:
        """All keys that there are: those that were rotated out have signed tokens, too."""
        with self.lock:
            withdrawn, self.keys = self.keys, [*map(new_key, self.algorithms)]
            return [self.revoke("kid", key.kid) for key in withdrawn][-1]

    def is_alive(self, token: str) -> bool:
        """What introspection says."""
        with self.lock:
            kid = jwt.get_unverified_header(token).get("kid")
            key = next((key for key in self.keys if key.kid == kid), None)
            if key is None:
                return False
            try:
                claims = jwt.decode(
                    token,
                    key.private.public_key(),
                    algorithms=[key.alg],
                    options={"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
                )
            except jwt.InvalidTokenError:
                return False
            return claims.get("exp", 0) > self.now() and not self._is_revoked(claims)

    def _is_revoked(self, claims: dict[str, Any]) -> bool:
        if {("jti", claims.get("jti")), ("sid", claims.get("sid"))} & self._listed:
            return True
        current = self._versions_of(claims["sub"], claims["client_id"]).split(".")
        return any(int(own) < int(least) for own, least in zip(claims["rv"].split("."), current, strict=True))
