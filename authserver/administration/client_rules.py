"""What no single field of a client can tell: combinations that would leave it useless or unsafe.

An ordered list of short checks; the first that finds something refuses in the terms of one field. They hold for every
client, however it came to be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from authserver.administration import profiles
from authserver.administration.client_uris import is_private_use
from authserver.administration.scopes import ADMIN_SCOPES
from authserver.model.client import Client
from authserver.model.inputs import InvalidField
from authserver.oauth.client_ids import host_of

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 (a grant type)
TLS_NAMES: Final = (
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
)


def check_client(client: Client) -> None:
    """Raises InvalidField."""
    for check in CHECKS:
        check(client)


# -- how it authenticates -----------------------------------------------------------------------


def keys_stand_in_one_place(client: Client) -> None:
    if client.jwks is not None and client.jwks_uri is not None:
        raise InvalidField("jwks_uri", "and jwks exclude each other (RFC 7591 section 2)")


def methods_with_keys_have_keys(client: Client) -> None:
    method = client.auth_method
    if method in ("private_key_jwt", "self_signed_tls_client_auth") and not has_keys(client):
        raise InvalidField("jwks", f"or jwks_uri is required for {method}")


def a_certificate_is_known_by_one_name(client: Client) -> None:
    given = [name for name in TLS_NAMES if getattr(client, name) is not None]
    if client.auth_method == "tls_client_auth" and len(given) != 1:
        raise InvalidField(
            given[1] if given else TLS_NAMES[0], f"or exactly one other of {', '.join(TLS_NAMES)} is due"
        )
    if client.auth_method != "tls_client_auth" and given:
        raise InvalidField(given[0], "is for clients with auth_method tls_client_auth")


def the_algorithm_fits_the_method(client: Client) -> None:
    algorithm, method = client.token_endpoint_auth_signing_alg, client.auth_method
    if algorithm is None:
        return
    if method not in ("private_key_jwt", "client_secret_jwt"):
        raise InvalidField("token_endpoint_auth_signing_alg", "is for clients that sign assertions")
    if (algorithm == "HS256") != (method == "client_secret_jwt"):
        raise InvalidField("token_endpoint_auth_signing_alg", f"{algorithm} is not for {method}")


def a_public_client_does_nothing_that_needs_authentication(client: Client) -> None:
    if not client.is_public:
        return
    if "client_credentials" in client.grant_types:
        raise InvalidField("grant_types", "must not hold client_credentials for a public client")
    if TOKEN_EXCHANGE in client.grant_types:
        raise InvalidField("grant_types", "must not hold token exchange for a public client")
    for name in ("audiences", "token_exchange_clients"):
        if getattr(client, name):
            raise InvalidField(name, "must be empty for a public client: it cannot prove who it is")
    if client.may_impersonate:
        raise InvalidField("may_impersonate", "must be false for a public client")
    if client.refresh_rotation == "never":
        raise InvalidField("refresh_rotation", "must be always for a public client (RFC 9700 section 4.14)")
    if not client.require_pkce:
        raise InvalidField("require_pkce", "must be true for a public client (OAuth 2.1 section 7.5.1)")


# -- the authorization endpoint -----------------------------------------------------------------


def codes_have_somewhere_to_go(client: Client) -> None:
    if "authorization_code" in client.grant_types and not client.redirect_uris:
        raise InvalidField("redirect_uris", "must not be empty for grant type authorization_code")


def redirects_fit_the_kind_of_application(client: Client) -> None:
    """RFC 8252 for native ones; a web application's code must not land in whatever app took a scheme."""
    if client.is_native:
        return
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        if any(map(is_private_use, getattr(client, name))):
            raise InvalidField(name, "may have a scheme of its own only with application_type native")


def signed_requests_have_keys(client: Client) -> None:
    for name in ("require_signed_request_object", "request_object_signing_alg"):
        if getattr(client, name) and not has_keys(client):
            raise InvalidField(name, "needs jwks or jwks_uri to check request objects with")


# -- tokens and log-out -------------------------------------------------------------------------


def tokens_are_bound_to_one_kind_of_key(client: Client) -> None:
    if client.dpop_bound_access_tokens and client.tls_client_certificate_bound_access_tokens:
        raise InvalidField("dpop_bound_access_tokens", "and tls_client_certificate_bound_access_tokens are either, or")


def pairwise_subjects_stay_private(client: Client) -> None:
    if client.subject_type != "pairwise":
        return
    if client.access_token_format != "opaque":  # noqa: S105 - no password
        problem = "must be opaque for subject_type pairwise: a JWT would tell the user's id"
        raise InvalidField("access_token_format", problem)
    if len({host_of(uri) for uri in client.redirect_uris}) > 1 and client.sector_identifier_uri is None:
        problem = "is required for subject_type pairwise with redirect_uris on several hosts"
        raise InvalidField("sector_identifier_uri", f"{problem} (OpenID Connect Core section 8.1)")


def impersonation_is_bounded(client: Client) -> None:
    if client.may_impersonate and not client.token_exchange_clients:
        raise InvalidField("may_impersonate", "needs token_exchange_clients: for whom?")


def logout_is_told_somewhere(client: Client) -> None:
    if client.backchannel_logout_session_required and client.backchannel_logout_uri is None:
        raise InvalidField("backchannel_logout_session_required", "needs backchannel_logout_uri")


# -- where it comes from ------------------------------------------------------------------------


def who_came_by_itself_is_not_trusted(client: Client) -> None:
    """It can change its redirect URIs at any time, so nothing may be granted to it unseen, whoever asks for it."""
    if client.origin == "admin":
        return
    refused: Mapping[str, bool] = {
        "first_party": client.first_party,
        "may_impersonate": client.may_impersonate,
        "require_pkce": not client.require_pkce,
        "scopes": any(scope in ADMIN_SCOPES for scope in client.scopes),
        "audiences": bool(client.audiences),
    }
    for name, is_wrong in refused.items():
        if is_wrong:
            raise InvalidField(name, "cannot be had by a client that registered itself; make one as an administrator")


def has_keys(client: Client) -> bool:
    return client.jwks is not None or client.jwks_uri is not None


CHECKS: Final[tuple[Callable[[Client], None], ...]] = (
    keys_stand_in_one_place,
    a_public_client_does_nothing_that_needs_authentication,
    methods_with_keys_have_keys,
    a_certificate_is_known_by_one_name,
    the_algorithm_fits_the_method,
    codes_have_somewhere_to_go,
    redirects_fit_the_kind_of_application,
    signed_requests_have_keys,
    tokens_are_bound_to_one_kind_of_key,
    pairwise_subjects_stay_private,
    impersonation_is_bounded,
    logout_is_told_somewhere,
    who_came_by_itself_is_not_trusted,
    profiles.check,
)
