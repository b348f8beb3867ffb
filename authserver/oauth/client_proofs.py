"""Whether the proof that a request brought is a client's: its secret, an assertion it signed, its certificate.

What costs time is done for clients that do not exist as well, so that their absence cannot be timed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

from authserver.model.client import FAPI_ALGORITHMS, Client
from authserver.model.time import HOUR, Instant
from authserver.oauth.client_claims import Claim, PresentedCredentials
from authserver.tokens.client_certificate import ClientCertificate, NotACertificate, read_distinguished_name
from authserver.tokens.client_jwt import (
    CLIENT_ALGORITHMS,
    LEEWAY,
    MAX_LIFETIME,
    AudienceRefused,
    ClientJwtRefused,
    Expected,
    LivesTooLong,
    verify_client_jwt,
    verify_hmac,
    verify_in_vain,
)
from authserver.tokens.client_keys import ClientKeys, KeySource, UnusableClientKeys
from authserver.tokens.derived_secrets import DerivedSecrets

_NOBODY = bytes(32)
"""Compared against when there is no secret, so that an unknown client costs what a known one does."""

ASSERTION_TYPES = (None, "JWT", "client-authentication+jwt")
"""RFC 10070 wants the last; what has none is taken, as nearly all clients still send that."""


class Verdict(NamedTuple):
    proven: bool
    why: str = ""
    """For the log, when not."""
    told: str | None = None
    """For the client too: it holds the key, and something else is wrong."""
    jti: str | None = None
    """Of a good assertion: to be used once ..."""
    until: Instant = 0
    """... until then."""


def prove_by_secret(client: Client | None, secret: str, now: Instant) -> Verdict:
    """Compare with every secret that has not expired; at least one comparison is always made."""
    digest = hashlib.sha256(secret.encode()).digest()
    secrets = client.secrets if client else ()
    valid = [kept.sha256 for kept in secrets if kept.expires_at is None or kept.expires_at > now]
    matches = [hmac.compare_digest(digest, known) for known in valid or (_NOBODY,)]
    return Verdict(any(matches), "wrong secret")


@dataclass(frozen=True, slots=True)
class Assertions:
    """JWTs as proof: `private_key_jwt` and `client_secret_jwt` (OpenID Connect Core section 9, RFC 7523)."""

    keys: ClientKeys
    secrets: DerivedSecrets
    issuer: str

    async def prove(self, client: Client | None, claim: Claim, endpoint: str, now: Instant) -> Verdict:
        assertion = claim.assertion or ""
        if client is None or client.auth_method not in claim.methods:
            verify_in_vain(assertion)
            return Verdict(False, "not a client of that method")
        expected = self._expected(client, endpoint)
        try:
            if client.auth_method == "client_secret_jwt":
                claims = verify_hmac(assertion, self.secrets.of(client, now), expected, now)
            else:
                claims = await verify_client_jwt(self.keys, assertion, client, expected, now)
        except ClientJwtRefused as refused:
            return self._refused(refused)
        if "response_type" in claims:
            # It went through browsers, and so is known to more than the client (RFC 9101 section 10.8).
            return Verdict(False, "a request object", "client_assertion: it is a request object")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not jti:
            return Verdict(False, "no jti", "client_assertion: it has no jti")
        return Verdict(True, jti=jti, until=int(claims["exp"] * 1000) + LEEWAY)

    def _expected(self, client: Client, endpoint: str) -> Expected:
        """RFC 10070: the issuer alone. Older clients name the endpoint that they call, or the token endpoint, and some
        libraries let their assertions live for an hour."""
        legacy = client.assertion_audience == "legacy"
        endpoints = (f"{self.issuer}/token", self.issuer + endpoint) if legacy else ()
        return Expected(
            issuer=client.id,
            audience=(self.issuer, *endpoints),
            sole_audience=not legacy,
            typ=ASSERTION_TYPES,
            algorithms=assertion_algorithms(client),
            max_lifetime=HOUR if legacy else MAX_LIFETIME,
        )

    def _refused(self, refused: ClientJwtRefused) -> Verdict:
        why = f"client_assertion: {refused.why}"
        told = why if refused.genuine else None
        detail = f"{why} ({refused.detail})" if refused.detail else why
        if isinstance(refused, AudienceRefused | LivesTooLong):
            detail += f"; aud must be {self.issuer}; for older clients set their assertion_audience to legacy"
        return Verdict(False, detail, told)


def assertion_algorithms(client: Client) -> tuple[str, ...]:
    """The one it is registered for, or all that its method and profile allow."""
    if client.auth_method == "client_secret_jwt":
        return ("HS256",)
    return client_algorithms(client, client.token_endpoint_auth_signing_alg)


def client_algorithms(client: Client, only: str | None) -> tuple[str, ...]:
    """What its profile allows a client to sign with; `only`: that one, if it is among them."""
    allowed = FAPI_ALGORITHMS if client.profile == "fapi2" else CLIENT_ALGORITHMS
    return allowed if only is None else tuple(alg for alg in allowed if alg == only)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Mutual TLS as proof (RFC 8705 section 2), ended by a proxy."""

    keys: ClientKeys

    async def prove(self, client: Client | None, presented: PresentedCredentials) -> Verdict:
        certificate = presented.certificate
        if client is None or certificate is None:
            return Verdict(False, "no certificate")
        try:
            if client.auth_method == "tls_client_auth":
                return _prove_by_name(client, certificate)
            return await self._prove_by_key(client, certificate)
        except NotACertificate as error:
            return Verdict(False, str(error))

    async def _prove_by_key(self, client: Client, certificate: ClientCertificate) -> Verdict:
        """Section 2.2: what counts is that the client registered this key; the chain means nothing."""
        source = KeySource.of(client)
        try:
            for again in (False, True):
                for key in await self.keys.of(source, again=again):
                    if certificate.der == key.certificate or certificate.public_key == key.spki:
                        return Verdict(True)
        except UnusableClientKeys as error:
            return Verdict(False, f"no keys to compare with: {error}")
        return Verdict(False, "the certificate is of no registered key")


_ALTERNATIVE_NAMES: Mapping[str, str] = {
    "tls_client_auth_san_dns": "dns",
    "tls_client_auth_san_uri": "uri",
    "tls_client_auth_san_ip": "ip",
    "tls_client_auth_san_email": "email",
}


def _prove_by_name(client: Client, certificate: ClientCertificate) -> Verdict:
    """Section 2.1: an authority vouches for the certificate, and its subject is the registered one."""
    if not certificate.verified:
        return Verdict(False, "the proxy did not say that the certificate is verified")
    return Verdict(_is_registered(client, certificate), "the certificate is not for the registered subject")


def _is_registered(client: Client, certificate: ClientCertificate) -> bool:
    if client.tls_client_auth_subject_dn is not None:
        try:
            return read_distinguished_name(client.tls_client_auth_subject_dn) == certificate.subject
        except ValueError:
            return False
    for field_name, kind in _ALTERNATIVE_NAMES.items():
        registered: str | None = getattr(client, field_name)
        if registered is not None:
            return _spelt(kind, registered) in certificate.alternative_names(kind)
    return False


def _spelt(kind: str, name: str) -> str:
    if kind == "dns":
        return name.lower()
    try:
        return str(ip_address(name)) if kind == "ip" else name
    except ValueError:
        return ""
