"""What a client may be: fields that do not go together, profiles, and that every field can be set and is shown."""

from __future__ import annotations

import base64
import tomllib
from dataclasses import fields, replace
from typing import Any

import pytest

from authserver.administration.client_fields import Offer, client_readers
from authserver.administration.client_rules import check_client
from authserver.administration.client_view import client_body, told
from authserver.administration.last_admin import LastAdmin
from authserver.administration.profiles import FAPI_ALGORITHMS, settled
from authserver.model.client import Client, ClientSecret
from authserver.model.inputs import InvalidField
from tests.unit.administration.declared import faults, read

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ALL = ("RS256", "PS256", "ES256", "EdDSA")
GRANTS = (
    "authorization_code",
    "refresh_token",
    "client_credentials",
    TOKEN_EXCHANGE,
)
READERS = client_readers(Offer(grant_types=GRANTS, longest_token=300_000, signing_algorithms=ALL))
EC = {"kty": "EC", "crv": "P-256", "x": "x" * 43, "y": "y" * 43}
RSA = {"kty": "RSA", "n": base64.urlsafe_b64encode(b"\xff" * 256).rstrip(b"=").decode(), "e": "AQAB"}
OKP = {"kty": "OKP", "crv": "Ed25519", "x": "x" * 43}


def keys(*held: dict[str, Any]) -> str:
    return str(READERS["jwks"]("jwks", {"keys": list(held or (EC,))}))


def client(**changes: Any) -> Client:
    """A confidential client of the code flow."""
    settled: dict[str, Any] = {
        "id": "app",
        "name": "App",
        "auth_method": "client_secret_basic",
        "grant_types": ("authorization_code", "refresh_token"),
        "redirect_uris": ("https://app.example/cb",),
        **changes,
    }
    return Client(**settled)


def refused_field(record: Client) -> str:
    with pytest.raises(InvalidField) as refused:
        check_client(record)
    return refused.value.field


# -- every field ---------------------------------------------------------------------------------

NEVER_SET = {"id", "enabled", "version", "created_at", "updated_at", "secrets", "origin"}
"""By verbs of their own, or by nobody."""


def test_every_field_can_be_set_but_those_with_verbs_of_their_own() -> None:
    assert {field.name for field in fields(Client)} - NEVER_SET == set(READERS)


def test_every_field_is_shown_under_its_own_name() -> None:
    shown = set(client_body(client()))
    renamed = {"id": "client_id", "version": "revocation_version"}
    assert shown == {renamed.get(field.name, field.name) for field in fields(Client)}


def test_what_is_shown_can_be_set_again() -> None:
    before = client(jwks=keys(), default_max_age=60, contacts=("a@b.example",), access_token_ttl=60_000)
    body = {name: value for name, value in client_body(before).items() if name in READERS}
    again = replace(before, **{name: READERS[name](name, value) for name, value in body.items()})  # type: ignore[arg-type]  # mixed values
    assert again == before


def test_people_are_spared_what_stands_at_its_default() -> None:
    assert "default_max_age" not in told(client_body(client()))
    assert told(client_body(client(default_max_age=0)))["default_max_age"] == 0


# -- what does not go together -------------------------------------------------------------------


def test_a_usual_client_is_good() -> None:
    check_client(client())
    check_client(client(auth_method="none"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"jwks": keys(), "jwks_uri": "https://app.example/jwks"}, "jwks_uri"),
        ({"auth_method": "private_key_jwt"}, "jwks"),
        ({"auth_method": "self_signed_tls_client_auth"}, "jwks"),
        ({"auth_method": "tls_client_auth"}, "tls_client_auth_subject_dn"),
        (
            {"auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a", "tls_client_auth_san_ip": "10.0.0.1"},
            "tls_client_auth_san_ip",
        ),
        ({"tls_client_auth_san_dns": "a.example"}, "tls_client_auth_san_dns"),
        ({"token_endpoint_auth_signing_alg": "PS256"}, "token_endpoint_auth_signing_alg"),
        (
            {"auth_method": "private_key_jwt", "jwks": keys(), "token_endpoint_auth_signing_alg": "HS256"},
            "token_endpoint_auth_signing_alg",
        ),
        ({"auth_method": "none", "grant_types": ("client_credentials",)}, "grant_types"),
        ({"auth_method": "none", "grant_types": (TOKEN_EXCHANGE,)}, "grant_types"),
        ({"auth_method": "none", "audiences": ("https://a.example",)}, "audiences"),
        ({"auth_method": "none", "token_exchange_clients": ("*",)}, "token_exchange_clients"),
        ({"auth_method": "none", "may_impersonate": True}, "may_impersonate"),
        ({"auth_method": "none", "refresh_rotation": "never"}, "refresh_rotation"),
        ({"auth_method": "none", "require_pkce": False}, "require_pkce"),
        ({"redirect_uris": ()}, "redirect_uris"),
        ({"redirect_uris": ("com.example.app:/cb",)}, "redirect_uris"),
        ({"post_logout_redirect_uris": ("com.example.app:/bye",)}, "post_logout_redirect_uris"),
        ({"require_signed_request_object": True}, "require_signed_request_object"),
        ({"request_object_signing_alg": "ES256"}, "request_object_signing_alg"),
        (
            {"dpop_bound_access_tokens": True, "tls_client_certificate_bound_access_tokens": True},
            "dpop_bound_access_tokens",
        ),
        ({"subject_type": "pairwise"}, "access_token_format"),
        (
            {
                "subject_type": "pairwise",
                "access_token_format": "opaque",
                "redirect_uris": ("https://a.example/", "https://b.example/"),
            },
            "sector_identifier_uri",
        ),
        ({"may_impersonate": True}, "may_impersonate"),
        ({"backchannel_logout_session_required": True}, "backchannel_logout_session_required"),
        ({"origin": "dynamic", "first_party": True}, "first_party"),
        ({"origin": "document", "scopes": ("admin:read",)}, "scopes"),
        ({"origin": "dynamic", "require_pkce": False}, "require_pkce"),
    ],
)
def test_what_is_useless_or_unsafe_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    assert refused_field(client(**changes)) == field


@pytest.mark.parametrize(
    "changes",
    [
        {"require_pkce": False},
        {"auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks"},
        {"auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=app"},
        {"auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "HS256"},
        {"application_type": "native", "redirect_uris": ("com.example.app:/cb", "http://127.0.0.1/cb")},
        {"redirect_uris": ("http://127.0.0.1:3000/cb", "http://localhost:3000/cb")},
        {"subject_type": "pairwise", "access_token_format": "opaque"},
        {"grant_types": ("client_credentials",), "redirect_uris": ()},
        {"token_exchange_clients": ("*",), "may_impersonate": True},
    ],
)
def test_what_goes_together_is_not_refused(changes: dict[str, Any]) -> None:
    check_client(client(**changes))


# -- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        "{}",
        {},
        {"keys": []},
        {"keys": [7]},
        {"keys": [{"kty": "oct", "k": "AAAA"}]},
        {"keys": [{**EC, "d": "AAAA"}]},
        {"keys": [{**EC, "crv": "P-192"}]},
        {"keys": [{**EC, "crv": "secp256k1"}]},
        {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA"}]},
        {"keys": [{**OKP, "crv": "X25519"}]},
        {"keys": [{**RSA, "n": base64.urlsafe_b64encode(b"\xff" * 128).decode().rstrip("=")}]},
        {"keys": [{**RSA, "e": "AQ"}]},
        {"keys": [{**RSA, "e": "AQAC"}]},
        {"keys": [{**RSA, "use": "both"}]},
        {"keys": [{**EC, "kid": 7}]},
        {"keys": [EC] * 21},
        {"keys": [{**EC, "x5c": ["x" * 20_000]}]},
    ],
)
def test_keys_that_are_weak_secret_or_no_keys_are_refused(value: object) -> None:
    if value is None:
        assert READERS["jwks"]("jwks", None) is None
        return
    with pytest.raises(InvalidField, match="jwks"):
        READERS["jwks"]("jwks", value)


def test_good_keys_of_every_kind_are_taken() -> None:
    assert keys(EC, RSA, OKP).startswith('{"keys":[')


@pytest.mark.parametrize("field", ["jwks_uri", "backchannel_logout_uri", "sector_identifier_uri"])
@pytest.mark.parametrize(
    "url",
    ["http://app.example/x", "https://127.0.0.1/x", "https://10.0.0.1/x", "https://a.internal/x", "https://u@a.b/"],
)
def test_what_this_server_calls_is_public_and_https(field: str, url: str) -> None:
    with pytest.raises(InvalidField, match=field):
        READERS[field](field, url)
    assert READERS[field](field, "https://app.example/x") == "https://app.example/x"


def test_a_development_machine_may_call_itself() -> None:
    readers = client_readers(Offer(grant_types=GRANTS, longest_token=300_000, fetches_loopback=True))
    assert readers["jwks_uri"]("jwks_uri", "http://127.0.0.1:9000/jwks")
    with pytest.raises(InvalidField):
        readers["jwks_uri"]("jwks_uri", "http://app.example/jwks")


def test_only_algorithms_the_server_signs_with_can_be_chosen() -> None:
    readers = client_readers(Offer(grant_types=GRANTS, longest_token=300_000))
    for field in ("id_token_signed_response_alg", "access_token_signed_response_alg", "userinfo_signed_response_alg"):
        assert readers[field](field, "RS256") == "RS256"
        for algorithm in ("PS256", "none", "HS256"):
            with pytest.raises(InvalidField):
                readers[field](field, algorithm)


# -- fapi2 ---------------------------------------------------------------------------------------


def fapi(**changes: Any) -> Client:
    asked = {"profile": "fapi2", "auth_method": "private_key_jwt", "jwks": keys(), **changes}
    return settled(client(**asked), asked, READERS)


@pytest.mark.parametrize(("key", "algorithm"), [(EC, "ES256"), (RSA, "PS256"), (OKP, "EdDSA")])
def test_the_profile_settles_what_is_not_said(key: dict[str, Any], algorithm: str) -> None:
    made = fapi(jwks=keys(key))
    check_client(made)
    assert (made.require_pushed_authorization_requests, made.require_pkce) == (True, True)
    assert (made.refresh_rotation, made.dpop_bound_access_tokens) == ("never", True)
    assert made.token_endpoint_auth_signing_alg == made.request_object_signing_alg == algorithm
    assert made.access_token_signed_response_alg in FAPI_ALGORITHMS
    assert made.id_token_signed_response_alg in FAPI_ALGORITHMS


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"auth_method": "client_secret_basic"}, "auth_method"),
        ({"require_pushed_authorization_requests": False}, "require_pushed_authorization_requests"),
        ({"refresh_rotation": "always"}, "refresh_rotation"),
        ({"dpop_bound_access_tokens": False}, "dpop_bound_access_tokens"),
        ({"require_pkce": False}, "require_pkce"),
        ({"assertion_audience": "legacy"}, "assertion_audience"),
        ({"access_token_signed_response_alg": "RS256"}, "access_token_signed_response_alg"),
        ({"id_token_signed_response_alg": "RS256"}, "id_token_signed_response_alg"),
        ({"token_endpoint_auth_signing_alg": "RS256"}, "token_endpoint_auth_signing_alg"),
        ({"request_object_signing_alg": "RS256"}, "request_object_signing_alg"),
        ({"redirect_uris": ("http://127.0.0.1/cb",)}, "redirect_uris"),
    ],
)
def test_what_contradicts_the_profile_is_refused_with_its_rule(said: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField, match="as profile fapi2 demands") as refused:
        check_client(fapi(**said))
    assert refused.value.field == field
    assert "FAPI 2.0 section" in refused.value.description


def test_certificates_bind_instead_of_dpop() -> None:
    made = fapi(
        auth_method="tls_client_auth",
        jwks=None,
        tls_client_auth_subject_dn="CN=app",
        tls_client_certificate_bound_access_tokens=True,
    )
    check_client(made)
    assert not made.dpop_bound_access_tokens


def test_a_server_that_signs_with_rs256_alone_cannot_have_it() -> None:
    readers = client_readers(Offer(grant_types=GRANTS, longest_token=300_000))
    asked = {"profile": "fapi2", "auth_method": "private_key_jwt", "jwks": keys()}
    assert refused_field(settled(client(**asked), asked, readers)) == "access_token_signed_response_alg"


def test_a_declaration_settles_it_the_same_way() -> None:
    text = f"""
        [[clients]]
        id = "bank"
        profile = "fapi2"
        grant_types = ["client_credentials"]
        jwks = {{ keys = [ {{ kty = "EC", crv = "P-256", x = "{EC["x"]}", y = "{EC["y"]}" }} ] }}
    """
    (fault,) = faults(text)  # that server signs with RS256 alone
    assert fault.startswith('clients "bank": access_token_signed_response_alg must be PS256')
    (declared,) = read(text.replace('profile = "fapi2"', 'auth_method = "private_key_jwt"')).clients
    assert declared.jwks == keys()
    assert tomllib.loads(text)


# -- who can administer --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "can"),
    [
        ({}, False),
        ({"secrets": (ClientSecret(id="1", sha256=b"", created_at=0),)}, True),
        ({"secrets": (ClientSecret(id="1", sha256=b"", created_at=0, expires_at=9),)}, False),
        ({"auth_method": "private_key_jwt", "jwks": keys()}, True),
        ({"auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=ops"}, True),
        ({"auth_method": "private_key_jwt", "jwks": keys(), "enabled": False}, False),
    ],
)
def test_who_has_a_lasting_way_to_authenticate_can_administer(changes: dict[str, Any], can: bool) -> None:
    ops = client(grant_types=("client_credentials",), scopes=("admin",), **changes)
    rule = LastAdmin(clients=None, issuer="https://as.example")  # type: ignore[arg-type]  # never asked
    assert rule.can_administer(ops) is can
