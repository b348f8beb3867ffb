"""JWTs that clients and other issuers sign (RFC 7523, RFC 9101), read as strictly as our own (RFC 8725)."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from authserver.model.client import Client
from authserver.model.time import MINUTE, SECOND, Duration, Instant
from authserver.tokens.algorithms import ALGORITHMS
from authserver.tokens.client_keys import ClientKey, ClientKeys, KeySource, UnusableClientKeys
from authserver.verifier.strict import MAX_HEADER_CHARS, Malformed, decoded, json_object

CLIENT_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
LEEWAY: Duration = 60 * SECOND
MAX_LIFETIME: Duration = 5 * MINUTE
MAX_CHARS = 16_384
_HEADER_MEMBERS = frozenset({"alg", "typ", "kid", "x5t", "x5t#S256"})
"""The last two are hints that some libraries always send. Whatever brings keys, addresses or duties of its own (`jwk`,
`jku`, `x5u`, `x5c`, `crit`, `b64`, `zip` …) is refused unread."""
_LAST_SECOND = 1 << 43


class ClientJwtRefused(Exception):
    """`why` is printable ASCII without quote or backslash, and holds nothing of the token."""

    def __init__(self, why: str, *, genuine: bool = False, detail: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.genuine = genuine
        """Its signature is good: whoever sent it, or had it sent, holds the key and may be told what is wrong."""
        self.detail = detail
        """For the log alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a JWT must say to be taken."""

    issuer: str
    audience: Collection[str]
    """One of these must be in `aud`."""
    sole_audience: bool = False
    """... and nothing else beside it (RFC 10070)."""
    typ: Collection[str | None] = (None, "JWT")
    """None: the header has no `typ`. Compared without regard to case and to "application/" (RFC 7515 section 4.1.9)."""
    algorithms: Collection[str] = CLIENT_ALGORITHMS
    max_lifetime: Duration | None = MAX_LIFETIME
    """How far ahead `exp` may be; None: as far as it likes."""


class UnverifiedJwt(NamedTuple):
    unverified_header: Mapping[str, Any]
    unverified_payload: bytes
    signing_input: bytes
    signature: bytes

    @property
    def alg(self) -> str:
        alg = self.unverified_header.get("alg")
        return alg if isinstance(alg, str) else ""

    def unverified_claims(self) -> dict[str, Any]:
        """Raises ClientJwtRefused."""
        try:
            return json_object(self.unverified_payload)
        except Malformed:
            raise ClientJwtRefused("its claims are not strict JSON") from None


def read_client_jwt(token: str, max_chars: int = MAX_CHARS) -> UnverifiedJwt:
    """Three canonical segments and a header that asks for nothing special; raises ClientJwtRefused."""
    segments = token.split(".", 3)
    if len(token) > max_chars or len(segments) != 3 or len(segments[0]) > MAX_HEADER_CHARS:
        raise ClientJwtRefused("it is no signed JWT in compact form")
    try:
        header, payload, signature = json_object(decoded(segments[0])), decoded(segments[1]), decoded(segments[2])
    except Malformed:
        raise ClientJwtRefused("it is no signed JWT in compact form") from None
    if not header.keys() <= _HEADER_MEMBERS:
        raise ClientJwtRefused("its header has members that are not taken here")
    return UnverifiedJwt(header, payload, token[: -len(segments[2]) - 1].encode("ascii"), signature)


async def verify_client_jwt(
    keys: ClientKeys, token: str, client: Client, expected: Expected, now: Instant
) -> dict[str, Any]:
    """The claims of a JWT signed with one of the client's keys; `jti` is looked at by who asks. Raises
    ClientJwtRefused."""
    return await verify_signed(keys, token, KeySource.of(client), expected, now)


async def verify_signed(
    keys: ClientKeys, token: str, source: KeySource, expected: Expected, now: Instant
) -> dict[str, Any]:
    """The same for any owner of keys."""
    jwt = read_client_jwt(token)
    _refuse_header(jwt, expected)
    await _refuse_signature(keys, jwt, source)
    return checked_claims(jwt, expected, now)


def verify_hmac(token: str, secrets: Sequence[str], expected: Expected, now: Instant) -> dict[str, Any]:
    """HS256 with one of these texts as the key (OpenID Connect Core section 9, client_secret_jwt)."""
    jwt = read_client_jwt(token)
    _refuse_header(jwt, expected)
    tags = [hmac.digest(secret.encode(), jwt.signing_input, "sha256") for secret in secrets]
    if not any([hmac.compare_digest(tag, jwt.signature) for tag in tags]):  # noqa: C419 (each is compared)
        raise ClientJwtRefused("its signature is wrong")
    return checked_claims(jwt, expected, now)


def _refuse_header(jwt: UnverifiedJwt, expected: Expected) -> None:
    if jwt.alg not in expected.algorithms:
        raise ClientJwtRefused("its alg is not one that this client may use")
    if not _has_type(jwt.unverified_header.get("typ"), expected.typ):
        raise ClientJwtRefused("its typ is not the one for this use")
    if not isinstance(jwt.unverified_header.get("kid", ""), str):
        raise ClientJwtRefused("its kid is no text")


def _has_type(typ: object, allowed: Collection[str | None]) -> bool:
    if isinstance(typ, str):
        return typ.lower().removeprefix("application/") in (name.lower() for name in allowed if name is not None)
    return typ is None and None in allowed


async def _refuse_signature(keys: ClientKeys, jwt: UnverifiedJwt, source: KeySource) -> None:
    try:
        known = await keys.of(source)
        if _is_signed(jwt, known):
            return
        newer = await keys.of(source, again=True)
    except UnusableClientKeys as error:
        raise ClientJwtRefused("there is no key to check it with", detail=str(error)) from None
    if newer is known or not _is_signed(jwt, newer):
        raise ClientJwtRefused("its signature is wrong, or no one key of the client goes with its kid and alg")


def _is_signed(jwt: UnverifiedJwt, keys: Sequence[ClientKey]) -> bool:
    """By the one key that its `kid` names, or without one by the only key that goes with its `alg`."""
    kid = jwt.unverified_header.get("kid")
    fitting = [key for key in keys if key.fits(jwt.alg) and kid in (None, key.kid)]
    return len(fitting) == 1 and fitting[0].verify(jwt.alg, jwt.signing_input, jwt.signature)


def checked_claims(jwt: UnverifiedJwt, expected: Expected, now: Instant) -> dict[str, Any]:
    """Of a JWT whose signature is good."""
    try:
        claims = jwt.unverified_claims()
        _refuse_times(claims, expected, now)
        if claims.get("iss") != expected.issuer:
            raise ClientJwtRefused("its iss is not the one that it must have")
        _refuse_audience(claims.get("aud"), expected)
    except ClientJwtRefused as refused:
        refused.genuine = True
        raise
    return claims


def _refuse_times(claims: Mapping[str, Any], expected: Expected, now: Instant) -> None:
    exp = _instant(claims, "exp")
    if exp is None:
        raise ClientJwtRefused("it has no exp")
    if exp + LEEWAY <= now:
        raise ClientJwtRefused("it has expired")
    if expected.max_lifetime is not None and exp > now + expected.max_lifetime + LEEWAY:
        raise LivesTooLong(f"its exp is more than {expected.max_lifetime // SECOND} seconds ahead")
    for name in ("nbf", "iat"):
        if (_instant(claims, name) or 0) > now + LEEWAY:
            raise ClientJwtRefused(f"its {name} is in the future")


def _instant(claims: Mapping[str, Any], name: str) -> Instant | None:
    """A NumericDate may have a fraction (RFC 7519 section 2), and some libraries write one."""
    value = claims.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < _LAST_SECOND:
        raise ClientJwtRefused(f"its {name} is no time")
    return int(value * 1000)


def _refuse_audience(aud: object, expected: Expected) -> None:
    named = [aud] if isinstance(aud, str) else aud
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise ClientJwtRefused("it has no aud")
    if expected.sole_audience and len(named) != 1:
        raise AudienceRefused("its aud must be this issuer alone")
    if not set(named) & set(expected.audience):
        raise AudienceRefused("its aud is not this server")


class AudienceRefused(ClientJwtRefused):
    """Meant for somebody else, or for more than one."""


class LivesTooLong(ClientJwtRefused):
    """Whoever finds it later could still use it."""


# -- for whom there is no key -----------------------------------------------------------------


def verify_in_vain(token: str) -> None:
    """Takes as long as checking a signature: asked about a client that does not exist."""
    try:
        jwt = read_client_jwt(token)
    except ClientJwtRefused:
        return
    if jwt.alg in CLIENT_ALGORITHMS:
        _nobody(jwt.alg)(jwt.signing_input, jwt.signature)


@cache
def _nobody(alg: str) -> Callable[[bytes, bytes], bool]:
    algorithm = ALGORITHMS[alg]
    if alg in ("RS256", "PS256"):
        # Nobody has the factors of a random number, and looking for primes would hold up a request.
        modulus = int.from_bytes(os.urandom(256)) | 1 << 2047 | 1
        public: Any = RSAPublicNumbers(65537, modulus).public_key()
    else:
        public = algorithm.make(0).public_key()
    return lambda signing_input, signature: algorithm.verifier.verify(signing_input, public, signature)
