"""What a client may ask for: scopes and resources (RFC 6749 section 3.3, RFC 8707)."""

from __future__ import annotations

import pytest

from authserver.model.client import Client
from authserver.oauth.errors import InvalidScope, InvalidTarget
from authserver.oauth.scopes import audience, grant_scope, is_resource, narrow, narrow_resources

ISSUER = "https://as.example"
API, FILES = "https://api.example/v1", "https://files.example"


def a_client(**different: object) -> Client:
    return Client(
        **{
            "id": "app",
            "name": "App",
            "auth_method": "none",
            "scopes": ("read", "write"),
            "resources": (API, FILES),
            **different,
        }
    )


def test_a_client_that_names_no_scope_gets_all_of_its_own():
    assert grant_scope(a_client(), None) == ("read", "write")


def test_a_client_gets_the_scopes_it_asks_for_each_once_and_in_its_order():
    assert grant_scope(a_client(), "write read  write") == ("write", "read")


@pytest.mark.parametrize(
    "asked",
    [
        "admin",
        "read admin",
        "READ",
        "read\twrite",
        "read,write",
        '"',
        "re\\ad",
        "   ",
        "a" * 10_000,
    ],
)
def test_a_scope_that_is_not_the_clients_is_refused(asked: str):
    with pytest.raises(InvalidScope):
        grant_scope(a_client(), asked)


def test_the_refused_scope_is_named_when_it_is_safe_to_repeat():
    with pytest.raises(InvalidScope) as refused:
        narrow(("read",), "admin:write")
    assert refused.value.description == "scope is not granted to this client: admin:write"


@pytest.mark.parametrize("nasty", ['a"b', "a\\b", "a\nb", "ä", "a" * 81])
def test_a_description_never_repeats_characters_outside_of_the_rfc(nasty: str):
    with pytest.raises(InvalidScope) as refused:
        narrow(("read",), nasty)
    assert nasty not in refused.value.description


def test_the_default_audience_is_the_first_resource():
    assert audience(a_client(), [], ISSUER) == (API,)


def test_a_client_without_resources_gets_tokens_for_the_issuer_alone():
    client = a_client(resources=())
    assert audience(client, [], ISSUER) == (ISSUER,)
    assert audience(client, [ISSUER], ISSUER) == (ISSUER,)
    with pytest.raises(InvalidTarget):
        audience(client, [API], ISSUER)


def test_several_resources_may_be_asked_for_at_once():
    assert audience(a_client(), [FILES, API, FILES], ISSUER) == (FILES, API)


@pytest.mark.parametrize(
    "asked",
    [
        "https://other.example",
        API + "/",
        API.upper(),
        API + "?x=1",
        API + "#part",
        "/v1",
        "api",
        "https://",
        "https:///x",
        "",
        " ",
        "https://[bad",
        ISSUER,
        "https://api.example/v1 ",
        "x" * 10_000,
    ],
)
def test_a_resource_that_is_not_the_clients_is_refused(asked: str):
    with pytest.raises(InvalidTarget):
        audience(a_client(), [asked], ISSUER)


def test_a_flood_of_resources_is_refused():
    with pytest.raises(InvalidTarget):
        narrow_resources((API,), [API] * 11)


@pytest.mark.parametrize(
    "uri", [API, "urn:example:api", "https://api.example?tenant=1", "mcp+https://x", "http://127.0.0.1:9000"]
)
def test_absolute_uris_are_resources(uri: str):
    assert is_resource(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "api",
        "//api.example",
        "https:api",
        "https://a#",
        "https://a b",
        "https://ä.example",
        "1a:b",
        "a:",
    ],
)
def test_other_text_is_no_resource(uri: str):
    assert not is_resource(uri)
