"""What this server can do, derived from the tables that make it do so (RFC 8414)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from authserver.oauth.client_auth import SECRETS_ONLY

ENDPOINTS: Mapping[str, str] = {
    "authorization_endpoint": "/authorize",
    "token_endpoint": "/token",
    "introspection_endpoint": "/introspect",
    "revocation_endpoint": "/revoke",
    "registration_endpoint": "/register",
    "pushed_authorization_request_endpoint": "/par",
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


def authorization_server_metadata(
    issuer: str,
    *,
    paths: Collection[str],
    grant_types: Collection[str],
    auth_methods: Sequence[str] = SECRETS_ONLY,
    auth_algorithms: Sequence[str] = (),
) -> dict[str, object]:
    """The metadata document. `paths` are the routed ones relative to the issuer, `grant_types` those of the
    grant table, `auth_methods` and `auth_algorithms` those of the client authenticator. Arrays that would be empty are left out (RFC 8414 section 3.2), except
    `response_types_supported`, which section 2 requires."""
    confidential = [method for method in auth_methods if method != "none"]
    document: dict[str, object] = {"issuer": issuer}
    document |= {member: issuer + path for member, path in ENDPOINTS.items() if path in paths}
    document |= {m: issuer + base for m, base in BASES.items() if any(path.startswith(f"{base}/") for path in paths)}
    document["grant_types_supported"] = list(grant_types)
    document["response_types_supported"] = [RESPONSE_TYPES[grant] for grant in grant_types if grant in RESPONSE_TYPES]
    document |= _auth_methods(document, "token", auth_methods, auth_algorithms)
    document |= _auth_methods(document, "revocation", auth_methods, auth_algorithms)
    document |= _auth_methods(document, "introspection", confidential, auth_algorithms)
    return document


def _auth_methods(
    document: Mapping[str, object], endpoint: str, methods: Sequence[str], algorithms: Sequence[str]
) -> dict[str, object]:
    """The algorithms of assertions must be said where assertions are taken (RFC 8414 section 2)."""
    if f"{endpoint}_endpoint" not in document:
        return {}
    said: dict[str, object] = {f"{endpoint}_endpoint_auth_methods_supported": list(methods)}
    if algorithms:
        said[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = list(algorithms)
    return said
