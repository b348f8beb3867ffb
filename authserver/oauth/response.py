"""The answer that carries tokens, the same whichever way they were earned (RFC 6749 section 5.1)."""

from __future__ import annotations

from authserver.model.grant import Authorization
from authserver.tokens.issuer import MintedToken


def token_response(minted: MintedToken, authorization: Authorization) -> dict[str, object]:
    """RFC 6749 section 5.1. The scope is left out only when none was asked for and none is granted."""
    body: dict[str, object] = {
        "access_token": minted.token,
        "token_type": "Bearer",
        "expires_in": minted.expires_in,
    }
    if authorization.scope or authorization.scope_asked:
        body["scope"] = " ".join(authorization.scope)
    if authorization.refresh_token is not None:
        body["refresh_token"] = authorization.refresh_token
    return body
