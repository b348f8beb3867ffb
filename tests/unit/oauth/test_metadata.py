"""The metadata document tells what is there and nothing else (RFC 8414)."""

from __future__ import annotations

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from authserver.oauth.metadata import ENDPOINTS, authorization_server_metadata

ISSUER = "https://as.example/tenant"
TODAY = ("/token", "/introspect", "/revoke", "/.well-known/jwks.json", "/login")
GRANTS = ("client_credentials", "refresh_token")


def metadata(paths: tuple[str, ...] = TODAY, grant_types: tuple[str, ...] = GRANTS) -> dict[str, object]:
    return authorization_server_metadata(ISSUER, paths=paths, grant_types=grant_types)


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
