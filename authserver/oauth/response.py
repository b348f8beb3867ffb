"""The answer that carries tokens, the same whichever way they were earned (RFC 6749 section 5.1)."""

from __future__ import annotations

from authserver.model.grant import Authorization, Confirmation
from authserver.tokens.issuer import MintedToken


def token_response(minted: MintedToken, authorization: Authorization) -> dict[str, object]:
    """RFC 6749 section 5.1. The scope is left out only when none was asked for and none is granted."""
    body: dict[str, object] = {
        "access_token": minted.token,
        "token_type": token_type(authorization.confirmation),
        "expires_in": minted.expires_in,
    }
    if authorization.scope or authorization.scope_asked:
        body["scope"] = " ".join(authorization.scope)
    if authorization.refresh_token is not None:
        body["refresh_token"] = authorization.refresh_token
    if authorization.terms.authorization_details:
        body["authorization_details"] = list(authorization.terms.authorization_details)  # RFC 9396 section 7
    if authorization.issued_token_type is not None:
        body["issued_token_type"] = authorization.issued_token_type
    return body


def token_type(confirmation: Confirmation | None) -> str:
    """How the token is presented: RFC 9449 section 5 has a scheme of its own, RFC 8705 has not."""
    return "DPoP" if confirmation is not None and confirmation.method == "jkt" else "Bearer"
