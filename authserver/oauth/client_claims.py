"""Who a request says it is from: one reader for each way to say it, and a table of the methods."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote_plus

from authserver.model.client import AuthMethod
from authserver.oauth.errors import InvalidClient, InvalidRequest
from authserver.oauth.form import Form
from authserver.tokens.client_certificate import ClientCertificate
from authserver.tokens.client_jwt import ClientJwtRefused, read_client_jwt

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class PresentedCredentials(NamedTuple):
    """What a request says about its sender."""

    authorization: str | None
    """The Authorization header."""
    form: Form
    endpoint: str = ""
    """The path that is called, relative to the issuer: "/token"."""
    certificate: ClientCertificate | None = None
    """What the sender showed in its TLS handshake."""

    def __repr__(self) -> str:
        return f"PresentedCredentials(endpoint={self.endpoint!r}, ...)"


class Claim(NamedTuple):
    """Who the request says it is from, and the proof that it brought."""

    client_id: str
    methods: tuple[AuthMethod, ...]
    """The methods that it may be: an id alone is one of three, and the certificate beside it is not part of it."""
    secret: str | None = None
    assertion: str | None = None

    def __repr__(self) -> str:
        return f"Claim({self.client_id!r}, {self.methods!r})"


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
    return Claim(client_id, ("client_secret_basic",), secret)


def client_secret_post(presented: PresentedCredentials) -> Claim | None:
    """RFC 6749 section 2.3.1: id and secret in the body."""
    secret = presented.form.get("client_secret")
    if secret is None:
        return None
    return Claim(presented.form.require("client_id"), ("client_secret_post",), secret)


def client_assertion(presented: PresentedCredentials) -> Claim | None:
    """RFC 7523 section 2.2: a JWT whose issuer and subject are the client. It names the client by itself; a
    `client_id` beside it must be the same (RFC 7521 section 4.2)."""
    assertion, kind = presented.form.get("client_assertion"), presented.form.get("client_assertion_type")
    if assertion is None and kind is None:
        return None
    if assertion is None or kind != JWT_BEARER:
        raise InvalidRequest(f"a client_assertion goes with client_assertion_type {JWT_BEARER}")
    try:
        jwt = read_client_jwt(assertion)
        subject = jwt.unverified_claims().get("sub")
    except ClientJwtRefused as refused:
        raise InvalidClient(f"client_assertion: {refused.why}") from None
    if not isinstance(subject, str) or not subject or not subject.isprintable():
        raise InvalidClient("client_assertion: it has no sub")
    if presented.form.get("client_id") not in (None, subject):
        raise InvalidClient("client_id is not the sub of the client_assertion")
    return Claim(subject, ("client_secret_jwt" if jwt.alg == "HS256" else "private_key_jwt",), assertion=assertion)


def client_id_alone(presented: PresentedCredentials) -> Claim | None:
    """A client that cannot keep a secret (RFC 6749 section 2.1), or one that its certificate proves (RFC 8705
    section 2)."""
    client_id = presented.form.get("client_id")
    if client_id is None or presented.authorization is not None or not _PROOFS.isdisjoint(presented.form.first):
        return None
    return Claim(client_id, ("none", "tls_client_auth", "self_signed_tls_client_auth"))


_PROOFS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})

Reader = Callable[[PresentedCredentials], Claim | None]

METHODS: Mapping[AuthMethod, Reader] = {
    "client_secret_basic": client_secret_basic,
    "client_secret_post": client_secret_post,
    "private_key_jwt": client_assertion,
    "client_secret_jwt": client_assertion,
    "tls_client_auth": client_id_alone,
    "self_signed_tls_client_auth": client_id_alone,
    "none": client_id_alone,
}
"""All that there are, in the order in which they are announced; `ClientAuthenticator.methods` says which are on."""
_READERS = tuple(dict.fromkeys(METHODS.values()))


def the_only_claim(presented: PresentedCredentials) -> Claim:
    """Raises InvalidRequest when more than one method was used, InvalidClient when none was."""
    claims = [claim for read in _READERS if (claim := read(presented)) is not None]
    if len(claims) > 1:
        raise InvalidRequest("use one way of client authentication, not several")
    if not claims:
        raise InvalidClient("client authentication is missing")
    return claims[0]


def _decode_basic(encoded: str) -> tuple[str, str]:
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        client_id, secret = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
        if client_id and secret and "\0" not in client_id:
            return client_id, secret
    except ValueError:
        pass
    raise InvalidClient(challenge=True, detail="malformed Basic credentials")
