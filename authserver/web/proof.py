"""The key that a request proves to hold, so that its tokens can be bound to it (RFC 9449, RFC 8705 section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from starlette.requests import Request

from authserver.model.client import FAPI_ALGORITHMS, Client
from authserver.model.grant import Confirmation
from authserver.oauth.dpop import ALGORITHMS, NONCE_HEADER, DpopGate, InvalidDpopProof
from authserver.oauth.errors import InvalidRequest
from authserver.web.middleware import MORE_HEADERS
from authserver.web.presented import certificate_of

_FAPI = (*FAPI_ALGORITHMS, "Ed25519")
"""Ed25519 is the other name of EdDSA on that curve (RFC 9864)."""
_SAFE = "/:@!$&'()*+,;=~%"


@dataclass(frozen=True, slots=True)
class ProofOfPossession:
    gate: DpopGate
    issuer: str

    async def confirm(self, request: Request, client: Client) -> Confirmation | None:
        """What the client's tokens are to be bound to; None: they will be bearer tokens.

        Raises InvalidDpopProof, UseDpopNonce, and InvalidRequest when a client does not show the certificate that its
        tokens have to be bound to.
        """
        jkt = await self.dpop_key(request, client)
        if client.tls_client_certificate_bound_access_tokens:
            if jkt is not None:
                raise InvalidRequest("the tokens of this client are bound to its certificate: send no DPoP proof")
            return _certificate_of(request)
        if jkt is not None:
            return Confirmation("jkt", jkt)
        if client.dpop_bound_access_tokens:
            raise InvalidDpopProof("the tokens of this client are bound to a key: a DPoP proof is needed")
        return None

    async def dpop_key(
        self, request: Request, client: Client | None = None, *, access_token: str | None = None
    ) -> str | None:
        """The thumbprint of the key behind the DPoP header, or None without one; `access_token` if one comes along,
        `client` where it is known whose request this is: it may have to keep to a profile's algorithms.

        Raises InvalidDpopProof, UseDpopNonce.
        """
        proofs = request.headers.getlist("dpop")
        if not proofs:
            return None
        jkt = await self.gate.prove(
            proofs,
            method=request.method,
            url=called_url(request, self.issuer),
            access_token=access_token,
            algorithms=_FAPI if client is not None and client.profile == "fapi2" else ALGORITHMS,
        )
        nonce = self.gate.nonce()
        if jkt is not None and nonce is not None:
            # RFC 9449 section 8.2: the next one comes with each answer, so that the client need not ask again.
            request.scope[MORE_HEADERS] = [(NONCE_HEADER.lower().encode(), nonce.encode())]
        return jkt


def called_url(request: Request, issuer: str) -> str:
    """The request's URL as clients know it: below the issuer, never at whatever the Host header says."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    path, prefix = quote(raw.partition(b"?")[0].decode("latin-1"), safe=_SAFE), urlsplit(issuer).path
    return issuer + (path[len(prefix) :] if prefix and path.startswith(prefix + "/") else path)


def _certificate_of(request: Request) -> Confirmation:
    certificate = certificate_of(request)
    if certificate is None:
        raise InvalidRequest("the tokens of this client are bound to its certificate: none came with this request")
    return Confirmation("x5t#S256", certificate.thumbprint)
