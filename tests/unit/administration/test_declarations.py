"""Reading declared clients: what they become, and every fault of a file at once."""

from __future__ import annotations

import pytest

from tests.unit.administration.declared import faults, read


def test_a_client_that_only_has_an_id_gets_the_defaults() -> None:
    (client,) = read('[[clients]]\nid = "robot"').clients
    assert (client.name, client.auth_method, client.grant_types) == (
        "robot",
        "client_secret_basic",
        ("client_credentials",),
    )
    assert (client.scopes, client.enabled, client.first_party, client.access_token_ttl) == ((), True, False, None)


def test_a_public_client_refreshes_by_default() -> None:
    (client,) = read('[[clients]]\nid = "app"\nauth_method = "none"').clients
    assert client.grant_types == ("refresh_token",)


def test_every_field_can_be_declared() -> None:
    (client,) = read("""
        [[clients]]
        id = "shop"
        name = "The shop"
        auth_method = "client_secret_post"
        grant_types = ["client_credentials", "refresh_token"]
        scopes = ["read", "write"]
        resources = ["https://a.example"]
        audiences = ["https://b.example"]
        redirect_uris = ["https://shop.example/cb"]
        first_party = true
        refresh_rotation = "never"
        access_token_ttl = 60
        enabled = false
    """).clients
    assert (client.name, client.auth_method, client.scopes) == ("The shop", "client_secret_post", ("read", "write"))
    assert (client.resources, client.audiences) == (("https://a.example",), ("https://b.example",))
    assert (client.redirect_uris, client.first_party) == (("https://shop.example/cb",), True)
    assert (client.refresh_rotation, client.access_token_ttl, client.enabled) == ("never", 60_000, False)


def test_a_lifetime_may_be_written_as_in_the_settings() -> None:
    (client,) = read('[[clients]]\nid = "a"\naccess_token_ttl = "2m"').clients
    assert client.access_token_ttl == 120_000


@pytest.mark.parametrize("lifetime", ["soon", "1500ms", ""])
def test_a_lifetime_is_whole_seconds(lifetime: str) -> None:
    assert faults(f'[[clients]]\nid = "a"\naccess_token_ttl = "{lifetime}"') == [
        'clients "a": access_token_ttl must be whole seconds, or have a unit: "90s", "5m", "1h"'
    ]


def test_only_a_declaration_that_says_so_switches_a_client() -> None:
    declared = read('[[clients]]\nid = "a"\n[[clients]]\nid = "b"\nenabled = true')
    assert declared.switched == {"b"}


def test_settings_may_stand_beside_the_tables() -> None:
    assert read('issuer = "https://a.example"\nport = 1').clients == ()


def test_a_misspelt_table_is_refused_with_the_nearest_one() -> None:
    assert faults('[[client]]\nid = "a"') == ["client: there is no such table or setting; did you mean clients?"]


@pytest.mark.parametrize("text", ['clients = "robot"', '[clients.robot]\nname = "x"', "clients = [1]"])
def test_clients_are_tables(text: str) -> None:
    assert faults(text) == ["clients: must be tables, one for each client: [[clients]]"]


def test_without_an_id_a_client_is_named_by_its_place() -> None:
    assert faults('[[clients]]\nid = "a"\n[[clients]]\nname = "b"') == ["clients, table 2: id is required"]
    assert faults("[[clients]]\nid = 7") == ["clients, table 1: id must be a string"]


def test_an_id_stands_for_one_client() -> None:
    assert faults('[[clients]]\nid = "a"\n[[clients]]\nid = "a"') == [
        'clients "a": id is declared twice, again in table 2'
    ]


def test_a_misspelt_field_is_refused_with_the_nearest_one() -> None:
    assert faults('[[clients]]\nid = "a"\nscope = ["read"]') == [
        'clients "a": scope is not a field of a client; did you mean scopes?'
    ]


def test_what_does_not_go_together_is_refused() -> None:
    text = '[[clients]]\nid = "app"\nauth_method = "none"\ngrant_types = ["client_credentials"]'
    (fault,) = faults(text)
    assert fault.startswith('clients "app": grant_types ')


def test_all_faults_of_all_clients_are_told_at_once() -> None:
    told = faults("""
        prot = 1
        [scopes]
        read = 7
        [[clients]]
        id = "a"
        auth_method = "magic"
        first_party = "yes"
        scopes = ["reed", "wright"]
        [[clients]]
        id = "with space"
        name = ""
        [[clients]]
        id = "c"
        access_token_ttl = 999999
    """)
    beginnings = [
        "prot: there is no",
        'scopes "read": its text must be a string',
        'clients "a": auth_method must be one of',
        'clients "a": first_party must be true or false',
        'clients "a": scopes names "reed", which [scopes] does not; did you mean read?',
        'clients "a": scopes names "wright", which [scopes] does not',
        "clients, table 2: id may have",
        "clients, table 2: name must have",
        'clients "c": access_token_ttl must be between 1 and 300',
    ]
    assert len(told) == len(beginnings)
    assert [line for line, begin in zip(told, beginnings, strict=True) if not line.startswith(begin)] == []


def test_without_a_vocabulary_every_word_is_good() -> None:
    (client,) = read('[[clients]]\nid = "a"\nscopes = ["anything"]\nresources = ["https://any.example"]').clients
    assert client.scopes == ("anything",)


def test_an_empty_vocabulary_allows_nothing() -> None:
    assert len(faults('[scopes]\n[[clients]]\nid = "a"\nscopes = ["read"]')) == 1


@pytest.mark.parametrize("field", ["resources", "audiences"])
def test_resources_and_audiences_share_a_vocabulary(field: str) -> None:
    vocabulary = '[resources]\n"https://shop.example" = "The shop"\n'
    assert read(f'{vocabulary}[[clients]]\nid = "a"\n{field} = ["https://shop.example"]').clients
    assert faults(f'{vocabulary}[[clients]]\nid = "a"\n{field} = ["https://shopp.example"]') == [
        f'clients "a": {field} names "https://shopp.example", which [resources] does not;'
        " did you mean https://shop.example?"
    ]


def test_a_vocabulary_holds_what_a_client_could_name() -> None:
    (scope,) = faults('[scopes]\n"re ad" = ""')
    assert scope.startswith('scopes "re ad": its name must hold scope tokens')
    (resource,) = faults('[resources]\nshop = ""')
    assert resource.startswith('resources "shop": its name must hold absolute URIs')
    assert faults('scopes = ["read"]') == ['scopes: must be a table: [scopes] with lines such as name = "what it is"']
