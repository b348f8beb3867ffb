"""Access tokens that callers show to this server itself: the one place that takes them out of a request."""

from __future__ import annotations

from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, Literal, NamedTuple

from starlette.requests import Request

from authserver.model.client import Client
from authserver.model.errors import InvalidToken, Refused
from authserver.model.grant import Confirmation
from authserver.oauth.dpop import ALGORITHMS, InvalidDpopProof, UseDpopNonce
from authserver.storage.interface import ClientLookup
from authserver.tokens.claims import AccessTokenClaims
from authserver.tokens.validation import AccessTokens
from authserver.web.presented import certificate_of
from authserver.web.proof import ProofOfPossession

Scheme = Literal["bearer", "dpop"]
ALGS: Final = f'algs="{" ".join(ALGORITHMS)}"'
"""What challenges of DPoP say (RFC 9449 section 7.1)."""


class ShownToken(NamedTuple):
    """As it stands in the Authorization header; nothing is verified yet."""

    scheme: Scheme
    token: str


def shown_token(request: Request) -> ShownToken | None:
    """RFC 6750 section 2.1 and RFC 9449 section 7.1; another scheme counts as none.

    Raises InvalidToken when it is not the only credential.
    """
    values = [value.partition(" ") for value in request.headers.getlist("authorization")]
    found: list[ShownToken] = []
    for name, _, token in values:
        if name.lower() == "bearer":
            found.append(ShownToken("bearer", token.strip()))
        elif name.lower() == "dpop":
            found.append(ShownToken("dpop", token.strip()))
    if found and len(values) > 1:
        raise InvalidToken("more than one Authorization header")
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Possession:
    """Bound tokens are worth nothing without their key (RFC 9449 section 7.1, RFC 8705 section 3)."""

    proof: ProofOfPossession
    clients: ClientLookup

    async def require(self, request: Request, token: str, scheme: str, claims: AccessTokenClaims) -> None:
        """Raises InvalidToken, InvalidDpopProof or UseDpopNonce (401) unless whoever sent the request holds the key
        that the token is bound to, and used the scheme ("bearer" or "dpop") that goes with it."""
        bound = claims.confirmation
        if bound is not None and bound.method == "jkt":
            await self._require_key(request, token, scheme, bound, await self.clients.get(claims.client_id))
        elif scheme != "bearer":
            raise _of_dpop(InvalidToken("the token is not bound to a DPoP key: it is a bearer token"))
        elif bound is not None:
            _require_certificate(request, bound)

    async def _require_key(
        self, request: Request, token: str, scheme: str, bound: Confirmation, client: Client | None
    ) -> None:
        if scheme != "dpop":
            raise _of_dpop(InvalidToken("the token is bound to a key and cannot be used as a bearer token"))
        try:
            jkt = await self.proof.dpop_key(request, client, access_token=token)
            if jkt is None:
                raise InvalidDpopProof("the DPoP header is missing")
        except (InvalidDpopProof, UseDpopNonce) as refused:
            refused.status = 401
            raise _of_dpop(refused) from None
        if not compare_digest(jkt, bound.thumbprint):
            raise _of_dpop(InvalidToken("the token is bound to another key"))


def _require_certificate(request: Request, bound: Confirmation) -> None:
    certificate = certificate_of(request)
    if certificate is None or not compare_digest(certificate.thumbprint, bound.thumbprint):
        raise InvalidToken("the token is bound to a client certificate that did not come with the request")


def _of_dpop(refused: Refused) -> Refused:
    described = f'error_description="{refused.description}"'
    refused.headers["WWW-Authenticate"] = f'DPoP error="{refused.code}", {described}, {ALGS}'
    return refused


@dataclass(frozen=True, slots=True)
class TokenReader:
    """Whose requests carry an access token asks this, and nothing else, for it."""

    tokens: AccessTokens
    possession: Possession

    async def token_of(self, request: Request, *, certain: bool = False) -> str | None:
        """The access token of a request, whose sender has proven to hold its key; None without one.

        It is genuine; whether it was revoked is asked of `AccessTokens.authenticate`. `certain` as there. Raises
        InvalidToken, InvalidDpopProof, UseDpopNonce, StorageUnavailable.
        """
        shown = shown_token(request)
        if shown is None:
            return None
        claims = await self.tokens.genuine(shown.token, certain=certain)
        await self.possession.require(request, shown.token, shown.scheme, claims)
        return shown.token
