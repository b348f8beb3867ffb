"""A client as administrators see it: an allow-list, so that a field that is not named here does not leave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from authserver.administration.client_rules import TLS_NAMES
from authserver.administration.views import when
from authserver.model.client import Client, ClientSecret
from authserver.model.time import SECOND

OPTIONS: Final = (
    "profile",
    "origin",
    "application_type",
    # how it authenticates
    "jwks_uri",
    "token_endpoint_auth_signing_alg",
    "assertion_audience",
    *TLS_NAMES,
    # the authorization endpoint
    "require_pkce",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "request_object_signing_alg",
    "default_max_age",
    "default_acr_values",
    "authorization_details_types",
    # tokens
    "access_token_format",
    "access_token_typ",
    "access_token_signed_response_alg",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
    "dpop_bound_access_tokens",
    "tls_client_certificate_bound_access_tokens",
    "subject_type",
    "sector_identifier_uri",
    "token_exchange_clients",
    "may_impersonate",
    # logging out
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    # what people are shown
    "client_uri",
    "logo_uri",
    "policy_uri",
    "tos_uri",
    "contacts",
    "software_id",
    "software_version",
)
"""Fields shown under their own name and as they are; most clients leave nearly all of them at their defaults."""


def client_body(client: Client) -> dict[str, object]:
    ttl = client.access_token_ttl
    return {
        "client_id": client.id,
        "name": client.name,
        "auth_method": client.auth_method,
        "grant_types": list(client.grant_types),
        "scopes": list(client.scopes),
        "resources": list(client.resources),
        "audiences": list(client.audiences),
        "redirect_uris": list(client.redirect_uris),
        "first_party": client.first_party,
        "refresh_rotation": client.refresh_rotation,
        "access_token_ttl": None if ttl is None else ttl // SECOND,
        "jwks": None if client.jwks is None else json.loads(client.jwks),
        **{name: _plain(getattr(client, name)) for name in OPTIONS},
        "enabled": client.enabled,
        "revocation_version": client.version,
        "created_at": when(client.created_at),
        "updated_at": when(client.updated_at),
        "secrets": [secret_body(secret) for secret in client.secrets],
    }


def told(body: Mapping[str, object]) -> dict[str, object]:
    """Of a client's body, what is worth reading: without the options that stand at their defaults."""
    return {name: value for name, value in body.items() if name not in _DEFAULTS or value != _DEFAULTS[name]}


def difference(before: Client, after: Client) -> dict[str, dict[str, object]]:
    """Old and new value of what changed, by the names of the admin API; the fields that can be set hold no secrets."""
    old, new = client_body(before), client_body(after)
    return {
        name: {"from": old[name], "to": new[name]}
        for name in old
        if name not in ("secrets", "updated_at") and old[name] != new[name]
    }


def secret_body(secret: ClientSecret) -> dict[str, object]:
    return {"secret_id": secret.id, "created_at": when(secret.created_at), "expires_at": when(secret.expires_at)}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


_DEFAULTS: Final = {
    name: value
    for name, value in client_body(Client(id="", name="", auth_method="none")).items()
    if name in (*OPTIONS, "jwks")
}
