"""What this server can do, derived from the tables that make it do so (RFC 8414, OpenID Connect Discovery)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from authserver.accounts.login import PASSWORD_ACR
from authserver.oauth import pkce
from authserver.oauth.authorization_request import PROMPTS, RESPONSE_MODES
from authserver.oauth.client_auth import SECRETS_ONLY
from authserver.oauth.dpop import ALGORITHMS as DPOP_ALGORITHMS
from authserver.oauth.user_claims import SCOPES, USER_CLAIMS
from authserver.tokens.client_jwt import CLIENT_ALGORITHMS

ENDPOINTS: Mapping[str, str] = {
    "authorization_endpoint": "/authorize",
    "token_endpoint": "/token",
    "introspection_endpoint": "/introspect",
    "revocation_endpoint": "/revoke",
    "registration_endpoint": "/register",
    "pushed_authorization_request_endpoint": "/par",
    "authorization_challenge_endpoint": "/authorize-challenge",
    "device_authorization_endpoint": "/device_authorization",
    "userinfo_endpoint": "/userinfo",
    "end_session_endpoint": "/end_session",
    "jwks_uri": "/.well-known/jwks.json",
}
"""Metadata member -> path; a member is announced when its path is routed."""
BASES: Mapping[str, str] = {"revocation_feed_endpoint": "/revocations"}
"""The same for what has several paths below it (docs/feed.md)."""

RESPONSE_TYPES: Mapping[str, str] = {"authorization_code": "code"}
"""Grant type -> the response_type of the authorization endpoint that leads to it."""
ID_TOKEN_CLAIMS: Final = ("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid")
"""What every id token may say (OpenID Connect Core section 2)."""
PAGE_LOCALES: Final = ("en",)
"""Languages of our pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What no path tells."""

    auth_methods: Sequence[str] = SECRETS_ONLY
    """Of the client authenticator, as are `auth_algorithms`, those of assertions."""
    auth_algorithms: Sequence[str] = ()
    signing_algorithms: Sequence[str] = ()
    """For which there are keys; empty: nothing but access tokens is signed."""
    client_documents: bool = False
    """The URL of a metadata document may be a client's id."""

    @property
    def certificates(self) -> bool:
        """A trusted proxy tells us clients' certificates."""
        return "self_signed_tls_client_auth" in self.auth_methods


NOTHING_MORE: Final = Abilities()


def authorization_server_metadata(
    issuer: str, *, paths: Collection[str], grant_types: Collection[str], abilities: Abilities = NOTHING_MORE
) -> dict[str, object]:
    """The metadata document. `paths` are the routed ones relative to the issuer, `grant_types` those of the grant
    table. Arrays that would be empty are left out (RFC 8414 section 3.2), except `response_types_supported`, which
    section 2 requires."""
    document: dict[str, object] = {"issuer": issuer}
    document |= {member: issuer + path for member, path in ENDPOINTS.items() if path in paths}
    document |= {m: issuer + base for m, base in BASES.items() if any(path.startswith(f"{base}/") for path in paths)}
    document["grant_types_supported"] = list(grant_types)
    document["response_types_supported"] = [RESPONSE_TYPES[grant] for grant in grant_types if grant in RESPONSE_TYPES]
    for told in (_authentication, _authorization, _openid, _tokens):
        document |= {name: value for name, value in told(document, abilities).items() if value != []}
    return document


def _authentication(document: Mapping[str, object], abilities: Abilities) -> dict[str, object]:
    """The algorithms of assertions must be said where assertions are taken (RFC 8414 section 2)."""
    said: dict[str, object] = {}
    for endpoint in ("token", "revocation", "introspection"):
        if f"{endpoint}_endpoint" in document:
            methods = [m for m in abilities.auth_methods if m != "none" or endpoint != "introspection"]
            said[f"{endpoint}_endpoint_auth_methods_supported"] = methods
            said[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = list(abilities.auth_algorithms)
    return said


def _authorization(document: Mapping[str, object], abilities: Abilities) -> dict[str, object]:
    if "authorization_endpoint" not in document:
        return {}
    return {
        "response_modes_supported": list(RESPONSE_MODES),
        "code_challenge_methods_supported": list(pkce.METHODS),
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": list(PROMPTS),
        "acr_values_supported": [PASSWORD_ACR],
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        # True where it is left out; nothing but a pushed request has a URI here.
        "request_uri_parameter_supported": False,
        "request_object_signing_alg_values_supported": list(CLIENT_ALGORITHMS),
        "ui_locales_supported": list(PAGE_LOCALES),
        "client_id_metadata_document_supported": abilities.client_documents,
    }


def _openid(document: Mapping[str, object], abilities: Abilities) -> dict[str, object]:
    if "userinfo_endpoint" not in document:
        return {}
    signed, logs_out = list(abilities.signing_algorithms), "end_session_endpoint" in document
    return {
        "scopes_supported": _scopes(document),
        "claims_supported": [*ID_TOKEN_CLAIMS, *USER_CLAIMS],
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": signed,
        "userinfo_signing_alg_values_supported": signed,
        "backchannel_logout_supported": logs_out,
        "backchannel_logout_session_supported": logs_out,
    }


def _scopes(document: Mapping[str, object]) -> list[str]:
    """Those that mean something here; what others mean is for the resource servers to say (RFC 9728)."""
    grants = document["grant_types_supported"]
    refreshes = isinstance(grants, list) and "refresh_token" in grants
    return ["openid", *SCOPES, *(("offline_access",) if refreshes else ())]


def _tokens(document: Mapping[str, object], abilities: Abilities) -> dict[str, object]:
    said: dict[str, object] = {}
    if "token_endpoint" in document:
        said["dpop_signing_alg_values_supported"] = list(DPOP_ALGORITHMS)
        said["tls_client_certificate_bound_access_tokens"] = abilities.certificates
    if "introspection_endpoint" in document:
        said["introspection_signing_alg_values_supported"] = list(abilities.signing_algorithms)
    return said
