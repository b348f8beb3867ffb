"""The fields of a client that may be set and changed, by the names of `model.client.Client`, each with its reader.

What the fields may hold together is in `client_rules`, how they look when shown in `client_view`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from authserver.administration.client_certificates import address, host_name, other_name, subject_name
from authserver.administration.client_keys import jwks
from authserver.administration.client_uris import fetched, kind_of, page, redirect_uri, resource
from authserver.administration.client_words import another_client, name, scope, word
from authserver.administration.fields import Reader, nullable, one_of, seconds, several
from authserver.model import client as model
from authserver.model.inputs import truth, whole_number
from authserver.model.time import SECOND, Duration

ASSERTION_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
"""What a client may sign with: its keys are its own, so it does not matter what this server signs with."""
AUTH_METHODS: Final[tuple[str, ...]] = get_args(model.AuthMethod)
LONGEST_AGE: Final = 10 * 365 * 86_400
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What this server has on, as far as the fields of clients depend on it."""

    grant_types: Collection[str]
    longest_token: Duration
    auth_methods: Collection[str] = AUTH_METHODS
    signing_algorithms: Collection[str] = ("RS256",)
    fetches_loopback: bool = False
    """It calls http URLs on its own machine: OUTGOING_ALLOW_LOOPBACK."""


def client_readers(offer: Offer) -> dict[str, Reader]:
    return {
        **_basic(offer),
        **_authentication(offer),
        **_authorization(),
        **_tokens(offer),
        **_leaving(offer),
        **_appearance(),
    }


def with_defaults(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a new client; where nothing is said, what it may do follows from how it authenticates, and what
    it is from where its answers go."""
    method = fields.get("auth_method", "client_secret_basic")
    grants = ("refresh_token",) if method == "none" else ("client_credentials",)
    kind = kind_of(fields.get("redirect_uris", ()))
    return {"auth_method": method, "grant_types": grants, "application_type": kind, **fields}


def _basic(offer: Offer) -> dict[str, Reader]:
    grant = one_of(*sorted(offer.grant_types))
    methods = [method for method in AUTH_METHODS if method in offer.auth_methods]
    return {
        "name": name,
        "auth_method": one_of(*methods),
        "grant_types": several(lambda field, value: str(grant(field, value))),
        "scopes": several(scope),
        "resources": several(resource),
        "audiences": several(resource),
        "redirect_uris": several(redirect_uri),
        "first_party": truth,
        "refresh_rotation": one_of(*get_args(model.RefreshRotation)),
        "access_token_ttl": nullable(seconds(1, offer.longest_token // SECOND)),
        "profile": one_of(*get_args(model.Profile)),
    }


def _authentication(offer: Offer) -> dict[str, Reader]:
    return {
        "jwks": nullable(jwks),
        "jwks_uri": nullable(fetched(loopback=offer.fetches_loopback)),
        "token_endpoint_auth_signing_alg": nullable(one_of(*ASSERTION_ALGORITHMS, "HS256")),
        "assertion_audience": one_of(*get_args(model.AssertionAudience)),
        "tls_client_auth_subject_dn": nullable(subject_name),
        "tls_client_auth_san_dns": nullable(host_name),
        "tls_client_auth_san_uri": nullable(other_name),
        "tls_client_auth_san_ip": nullable(address),
        "tls_client_auth_san_email": nullable(other_name),
    }


def _authorization() -> dict[str, Reader]:
    return {
        "application_type": one_of(*get_args(model.ApplicationType)),
        "require_pkce": truth,
        "require_pushed_authorization_requests": truth,
        "require_signed_request_object": truth,
        "request_object_signing_alg": nullable(one_of(*ASSERTION_ALGORITHMS)),
        "default_max_age": nullable(_age),
        "default_acr_values": several(word),
        "authorization_details_types": several(word),
    }


def _tokens(offer: Offer) -> dict[str, Reader]:
    signed = nullable(one_of(*offer.signing_algorithms))
    return {
        "access_token_format": one_of(*get_args(model.AccessTokenFormat)),
        "access_token_typ": one_of(*get_args(model.AccessTokenTyp)),
        "access_token_signed_response_alg": signed,
        "id_token_signed_response_alg": signed,
        "userinfo_signed_response_alg": signed,
        "introspection_signed_response_alg": signed,
        "dpop_bound_access_tokens": truth,
        "tls_client_certificate_bound_access_tokens": truth,
        "subject_type": one_of(*get_args(model.SubjectType)),
        "sector_identifier_uri": nullable(fetched(loopback=offer.fetches_loopback)),
        "token_exchange_clients": several(another_client),
        "may_impersonate": truth,
    }


def _leaving(offer: Offer) -> dict[str, Reader]:
    return {
        "post_logout_redirect_uris": several(redirect_uri),
        "backchannel_logout_uri": nullable(fetched(loopback=offer.fetches_loopback)),
        "backchannel_logout_session_required": truth,
    }


def _appearance() -> dict[str, Reader]:
    return {
        "client_uri": nullable(page),
        "logo_uri": nullable(page),
        "policy_uri": nullable(page),
        "tos_uri": nullable(page),
        "contacts": several(word, most=10),
        "software_id": nullable(word),
        "software_version": nullable(word),
    }


def _age(field: str, value: object) -> int:
    return whole_number(field, value, least=0, most=LONGEST_AGE)
