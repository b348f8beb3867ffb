"""Where an answer may go: byte for byte, but for the port of a native client's own machine."""

from __future__ import annotations

import pytest

from authserver.model.client import Client
from authserver.oauth.redirect_uris import is_registered, the_only_one

HTTPS = "https://app.example/cb?keep=1"


def a_client(*uris: str, native: bool = False) -> Client:
    kind = "native" if native else "web"
    return Client(id="app", name="App", auth_method="none", redirect_uris=uris, application_type=kind)


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/cb",
        "https://app.example/cb?keep=1&more=2",
        "https://app.example/cb?keep=1#",
        "https://app.example/cb/?keep=1",
        "https://app.example:443/cb?keep=1",
        "https://APP.example/cb?keep=1",
        "HTTPS://app.example/cb?keep=1",
        "https://app.example/CB?keep=1",
        "https://app.example/%63b?keep=1",
        "https://app.example/x/../cb?keep=1",
        "https://app.example.evil.example/cb?keep=1",
        "https://evil.example/https://app.example/cb?keep=1",
        "http://app.example/cb?keep=1",
        " https://app.example/cb?keep=1",
        "https://app.example/cb?keep=1 ",
        "",
    ],
)
def test_what_differs_by_a_character_is_not_registered(uri: str):
    assert not is_registered(a_client(HTTPS), uri)
    assert not is_registered(a_client(HTTPS, native=True), uri)


def test_what_is_the_same_to_the_last_character_is_registered():
    assert is_registered(a_client("https://other.example/", HTTPS), HTTPS)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
@pytest.mark.parametrize("known_port", ["", ":8000"])
@pytest.mark.parametrize("port", ["", ":1", ":51234", ":65535"])
def test_a_native_client_takes_any_port_of_its_own_machine(host: str, known_port: str, port: str):
    client = a_client(f"http://{host}{known_port}/cb?x=1", native=True)
    assert is_registered(client, f"http://{host}{port}/cb?x=1")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_no_other_client_does(host: str):
    client = a_client(f"http://{host}:8000/cb")
    assert is_registered(client, f"http://{host}:8000/cb")
    assert not is_registered(client, f"http://{host}:8001/cb")


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:5/cb",
        "http://127.0.0.2:5/cb",
        "http://127.1:5/cb",
        "http://[::1]:5/cb",
        "https://127.0.0.1:5/cb",
        "HTTP://127.0.0.1:5/cb",
        "http://127.0.0.1:5/cb/",
        "http://127.0.0.1:5/cb?x",
        "http://127.0.0.1:5/cb#x",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:05/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:5@evil.example/cb",
        "http://me@127.0.0.1:5/cb",
        "http://127.0.0.1:5\\@evil.example/cb",
        "http://127.0.0.1.evil.example:5/cb",
        "http://127.0.0.1:५/cb",
    ],
)
def test_of_a_loopback_address_only_the_port_may_differ(uri: str):
    assert not is_registered(a_client("http://127.0.0.1/cb", native=True), uri)


def test_a_private_use_scheme_and_https_of_a_native_client_are_compared_as_they_are():
    client = a_client("com.example.app:/cb", "https://app.example:8443/cb", native=True)
    assert is_registered(client, "com.example.app:/cb")
    assert not is_registered(client, "com.example.app:/cb2")
    assert not is_registered(client, "https://app.example:8444/cb")


def test_only_a_single_one_may_be_left_out():
    assert the_only_one(a_client(HTTPS)) == HTTPS
    assert the_only_one(a_client(HTTPS, "https://other.example/")) is None
    assert the_only_one(a_client()) is None
