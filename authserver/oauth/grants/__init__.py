"""The grants, one small object each: it proves something and returns an `Authorization`.

A grant does not mint, write answers or read headers, and no grant knows another.
"""

from __future__ import annotations

from collections.abc import Mapping

from authserver.oauth.grants.authorization_code import AuthorizationCodeGrant
from authserver.oauth.grants.base import Grant
from authserver.oauth.grants.client_credentials import ClientCredentialsGrant
from authserver.oauth.grants.device_code import DeviceCodeGrant
from authserver.oauth.grants.jwt_bearer import JwtBearerGrant
from authserver.oauth.grants.refresh_token import RefreshTokenGrant
from authserver.oauth.grants.token_exchange import TokenExchangeGrant

__all__ = [
    "AuthorizationCodeGrant",
    "ClientCredentialsGrant",
    "DeviceCodeGrant",
    "Grant",
    "JwtBearerGrant",
    "RefreshTokenGrant",
    "TokenExchangeGrant",
    "grant_table",
]


def grant_table(*grants: Grant) -> Mapping[str, Grant]:
    """The grants by grant_type: what POST /token offers and the metadata announces."""
    return {grant.grant_type: grant for grant in grants}
