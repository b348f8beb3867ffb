"""The metadata document tells what is there and nothing else (RFC 8414)."""

from __future__ import annotations

from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from authserver.oauth.metadata import ENDPOINTS, Abilities, authorization_server_metadata

ISSUER = "https://as.example/tenant"
TODAY = ("/token", "/introspect", "/revoke", "/.well-known/jwks.json", "/login")
GRANTS = ("client_credentials", "refresh_token")


def metadata(paths: tuple[str, ...] = TODAY, grant_types: tuple[str, ...] = GRANTS, **abilities: Any) -> dict[str, Any]:
    return authorization_server_metadata(ISSUER, paths=paths, grant_types=grant_types, abilities=Abilities(**abilities))


def test_the_issuer_is_said_exactly_as_configured():
    assert metadata()["issuer"] == ISSUER


def test_an_endpoint_is_announced_exactly_when_it_is_routed():
    announced = {name for name in metadata() if name in ENDPOINTS}
    assert announced == {"token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri"}
    assert metadata()["token_endpoint"] == ISSUER + "/token"
    assert "introspection_endpoint_auth_methods_supported" not in metadata(paths=("/token",))


def test_grants_are_always_listed_because_their_absence_would_mean_code_and_implicit():
    assert metadata()["grant_types_supported"] == ["client_credentials", "refresh_token"]


def test_the_token_endpoint_takes_public_clients_and_introspection_does_not():
    document = metadata()
    assert "none" in document["token_endpoint_auth_methods_supported"]
    assert "none" in document["revocation_endpoint_auth_methods_supported"]
    assert "none" not in document["introspection_endpoint_auth_methods_supported"]


def test_a_response_type_is_announced_when_its_grant_is_there():
    assert metadata()["response_types_supported"] == []
    assert metadata(grant_types=("authorization_code",))["response_types_supported"] == ["code"]


CHECKED = sorted(set(AuthorizationServerMetadata.REGISTRY_KEYS) - {"response_types_supported"})
"""That one may not be empty for the library; ours is, until there is an authorization endpoint."""


@pytest.mark.parametrize("member", CHECKED)
def test_an_independent_library_finds_nothing_wrong_with(member: str):
    getattr(AuthorizationServerMetadata(metadata()), f"validate_{member}")()


def test_an_independent_library_accepts_the_whole_document_once_there_is_an_authorization_endpoint():
    whole = metadata((*TODAY, "/authorize"), (*GRANTS, "authorization_code"))
    AuthorizationServerMetadata(whole).validate()


EVERYTHING = (*ENDPOINTS.values(), "/revocations/tail")
OF_THE_FLOW = {
    "response_modes_supported",
    "code_challenge_methods_supported",
    "authorization_response_iss_parameter_supported",
    "prompt_values_supported",
    "acr_values_supported",
    "claims_parameter_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "request_object_signing_alg_values_supported",
    "ui_locales_supported",
    "client_id_metadata_document_supported",
}
OF_OPENID = {
    "scopes_supported",
    "claims_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "userinfo_signing_alg_values_supported",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
}


def test_what_belongs_to_an_endpoint_is_said_where_there_is_that_endpoint():
    whole = metadata(EVERYTHING, signing_algorithms=("RS256",))
    assert whole.keys() >= OF_THE_FLOW | OF_OPENID
    without_flow = metadata(tuple(set(EVERYTHING) - {"/authorize"}), signing_algorithms=("RS256",))
    assert whole.keys() - without_flow.keys() == OF_THE_FLOW | {"authorization_endpoint"}
    without_openid = metadata(tuple(set(EVERYTHING) - {"/userinfo"}), signing_algorithms=("RS256",))
    assert whole.keys() - without_openid.keys() == OF_OPENID | {"userinfo_endpoint"}


def test_back_channel_logout_is_on_where_there_is_a_log_out():
    assert metadata(EVERYTHING)["backchannel_logout_supported"] is True
    assert metadata(("/userinfo",))["backchannel_logout_session_supported"] is False


def test_proof_key_is_said_to_be_possible_because_clients_refuse_to_start_otherwise():
    assert metadata(EVERYTHING)["code_challenge_methods_supported"] == ["S256"]


def test_offline_access_is_offered_where_there_are_refresh_tokens():
    assert "offline_access" in metadata(EVERYTHING)["scopes_supported"]
    assert "offline_access" not in metadata(EVERYTHING, ("authorization_code",))["scopes_supported"]


def test_no_array_is_empty_but_the_one_that_is_required():
    assert [name for name, value in metadata(EVERYTHING).items() if value == []] == ["response_types_supported"]


def test_algorithms_are_those_there_are_keys_for():
    document = metadata(EVERYTHING, signing_algorithms=("RS256", "ES256"))
    for use in ("id_token", "userinfo", "introspection"):
        assert document[f"{use}_signing_alg_values_supported"] == ["RS256", "ES256"]


def test_certificates_and_documents_are_offered_when_they_are_on():
    off, on = (
        metadata(EVERYTHING),
        metadata(EVERYTHING, auth_methods=("none", "self_signed_tls_client_auth"), client_documents=True),
    )
    for member in ("tls_client_certificate_bound_access_tokens", "client_id_metadata_document_supported"):
        assert (off[member], on[member]) == (False, True)


def test_assertions_come_with_their_algorithms_and_never_none():
    document = metadata(EVERYTHING, auth_methods=("private_key_jwt", "none"), auth_algorithms=("ES256",))
    for endpoint in ("token", "revocation", "introspection"):
        assert document[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] == ["ES256"]
    assert "none" not in document["introspection_endpoint_auth_methods_supported"]
    assert not any("auth_signing_alg" in name for name in metadata(EVERYTHING))
