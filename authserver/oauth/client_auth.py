"""Who the calling client is: one function per authentication method, and a table (RFC 6749 section 2.3)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeGuard
from urllib.parse import unquote_plus

from authserver.clock import Clock
from authserver.model.client import AuthMethod, Client
from authserver.model.time import Instant
from authserver.oauth.errors import InvalidClient, InvalidRequest
from authserver.oauth.form import Form
from authserver.storage.interface import ClientLookup
from authserver.tokens.client_certificate import ClientCertificate

_NOBODY = bytes(32)
"""Compared against when there is no secret, so that an unknown client costs what a known one does."""


class PresentedCredentials(NamedTuple):
    """What a request says about its sender."""

    authorization: str | None
    """The Authorization header."""
    form: Form
    endpoint: str = ""
    """The path that is called, relative to the issuer: "/token"."""
    certificate: ClientCertificate | None = None
    """What the sender showed in its TLS handshake."""


class Claim(NamedTuple):
    """Who the request says it is from, and the proof that it brought."""

    client_id: str
    method: AuthMethod
    secret: str | None = None


def client_secret_basic(presented: PresentedCredentials) -> Claim | None:
    """RFC 6749 section 2.3.1: id and secret are form-urlencoded before base64."""
    if presented.authorization is None:
        return None
    scheme, _, encoded = presented.authorization.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient(challenge=True, detail="the Authorization header is not Basic")
    client_id, secret = _decode_basic(encoded.strip())
    if presented.form.get("client_id") not in (None, client_id):
        raise InvalidRequest("client_id is not the one in the Authorization header")
    return Claim(client_id, "client_secret_basic", secret)


def client_secret_post(presented: PresentedCredentials) -> Claim | None:
    """RFC 6749 section 2.3.1: id and secret in the body."""
    secret = presented.form.get("client_secret")
    if secret is None:
        return None
    return Claim(presented.form.require("client_id"), "client_secret_post", secret)


def public_client(presented: PresentedCredentials) -> Claim | None:
    """RFC 6749 section 2.1: the id alone, from a client that cannot keep a secret."""
    client_id = presented.form.get("client_id")
    if client_id is None or presented.authorization is not None or presented.form.get("client_secret") is not None:
        return None
    return Claim(client_id, "none")


METHODS: Mapping[AuthMethod, Callable[[PresentedCredentials], Claim | None]] = {
    "client_secret_basic": client_secret_basic,
    "client_secret_post": client_secret_post,
    "none": public_client,
}


@dataclass(frozen=True, slots=True)
class ClientAuthenticator:
    clients: ClientLookup
    """The fast way, which may be a moment behind."""
    now: Clock
    stored: ClientLookup
    """The exact way, asked before a known client is refused: its secret may be newer than the copy in
    memory. It also makes a wrong secret cost the query that an unknown client costs."""

    async def authenticate(self, presented: PresentedCredentials) -> Client:
        """The enabled client that sent the request; raises InvalidClient, or InvalidRequest when
        more than one method was used."""
        claim, now = _the_only_claim(presented), self.now()
        client = await self.clients.get(claim.client_id)
        if _proves(claim, client, now) and _may_use(client, claim):
            return client
        if client is not None:
            client = await self.stored.get(claim.client_id)
        proven = _proves(claim, client, now)
        if proven and _may_use(client, claim):
            return client
        raise _refusal(claim, client, proven)


def _the_only_claim(presented: PresentedCredentials) -> Claim:
    claims = [claim for method in METHODS.values() if (claim := method(presented)) is not None]
    if len(claims) > 1:
        raise InvalidRequest("use one way of client authentication, not several")
    if not claims:
        raise InvalidClient("client authentication is missing")
    return claims[0]


def _proves(claim: Claim, client: Client | None, now: Instant) -> bool:
    """Compare with every secret that has not expired; at least one comparison is always made."""
    if claim.secret is None:
        return client is not None and client.is_public
    digest = hashlib.sha256(claim.secret.encode()).digest()
    secrets = client.secrets if client else ()
    valid = [secret.sha256 for secret in secrets if secret.expires_at is None or secret.expires_at > now]
    matches = [hmac.compare_digest(digest, known) for known in valid or (_NOBODY,)]
    return any(matches)


def _may_use(client: Client | None, claim: Claim) -> TypeGuard[Client]:
    return client is not None and client.enabled and client.auth_method == claim.method


def _refusal(claim: Claim, client: Client | None, proven: bool) -> InvalidClient:
    """The same words for every cause but one: who has proven to hold the secret is told what else is wrong."""
    challenge = claim.method == "client_secret_basic"
    if client is not None and proven and client.enabled:
        described = f"this client is registered for {client.auth_method}, not {claim.method}"
        return InvalidClient(described, challenge=challenge)
    cause = "unknown client" if client is None else "disabled client" if proven else "wrong secret"
    return InvalidClient(challenge=challenge, detail=f"{cause} ({claim.method})")


def _decode_basic(encoded: str) -> tuple[str, str]:
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        client_id, secret = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
        if client_id and secret and "\0" not in client_id:
            return client_id, secret
    except ValueError:
        pass
    raise InvalidClient(challenge=True, detail="malformed Basic credentials")
