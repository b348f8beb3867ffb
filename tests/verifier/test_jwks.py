"""The copy of the issuer's keys: which are taken, how often they are asked for, how old they may get."""

from __future__ import annotations

import json
import threading
import time as real_time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from authserver.verifier import Verifier
from authserver.verifier.jwk import Key, UnusableKeys, parse_jwks
from authserver.verifier.metadata import metadata_url
from authserver.verifier.records import key_of
from authserver.verifier.testing_book import new_key
from tests.verifier.network import (
    AUDIENCE,
    ISSUER,
    JWKS,
    METADATA,
    NOON,
    Network,
    Service,
    a_service,
    a_token,
    an_answer,
    jwk,
    private_key,
)


def later(service: Service, seconds: float) -> None:
    """Time goes by; the feed stays fresh."""
    service.time.pass_(seconds)
    service.feed.tell()


def token_of(service: Service, number: int = 1) -> str:
    now = int(service.time.wall)
    return a_token({"kid": f"key-{number}"}, key=private_key(number), iat=now, exp=now + 300)


def refusal(service: Service, number: int = 1) -> str:
    return service.refusal(token_of(service, number))


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = real_time.monotonic() + 5
    while not holds() and real_time.monotonic() < deadline:
        real_time.sleep(0.002)
    return holds()


# -- which keys --------------------------------------------------------------------------------


def usable(*keys: dict[str, Any], algorithms: tuple[str, ...] = ("RS256",)) -> set[str]:
    try:
        return set(parse_jwks(json.dumps({"keys": keys}).encode(), ISSUER, algorithms))
    except UnusableKeys:
        return set()


@pytest.mark.parametrize(
    "differs",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"alg": "RS512"},
        {"alg": "HS256"},
        {"alg": "none"},
        {"alg": None},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC"},
        {"kty": None},
        {"d": "AQAB"},
        {"p": "AQAB"},
        {"kid": 1},
        {"kid": None},
        {"kid": ""},
        {"kid": "k" * 129},
        {"kid": "a b\n"},
        {"e": "AQ"},
        {"e": "Aw"},
        {"e": "AQAA"},
        {"e": 65537},
        {"n": "AQAB"},
        {"n": None},
        {"n": jwk()["n"] + "="},
    ],
)
def test_keys_that_are_not_taken(differs: dict[str, Any]) -> None:
    assert usable(jwk()) == {"key-1"}
    assert usable({**jwk(), **differs}) == set()
    assert usable({**jwk(), **differs}, jwk(2)) == {"key-2"}


@pytest.mark.parametrize("bits", [1024, 1536])
def test_a_short_key_is_not_taken(bits: int) -> None:
    short = json.loads(RSAAlgorithm.to_jwk(private_key(1, bits).public_key()))
    assert usable({**short, "kid": "short", "key_ops": ["verify"]}) == set()


def test_use_key_ops_and_alg_may_be_left_out() -> None:
    bare = {name: value for name, value in jwk().items() if name not in ("use", "alg")}
    assert usable(bare) == {"key-1"}
    assert usable({**bare, "key_ops": ["verify"]}) == {"key-1"}


def test_two_keys_of_one_name_are_none() -> None:
    assert usable(jwk(1), jwk(2, kid="key-1")) == set()


def test_an_elliptic_key_is_pinned_to_the_algorithm_of_its_curve() -> None:
    keys = [
        {**json.loads(ECAlgorithm.to_jwk(ec_key(curve()).public_key())), "kid": curve.name}
        for curve in (SECP256R1, SECP384R1)
    ]
    assert usable(*keys) == set()
    found = parse_jwks(json.dumps({"keys": keys}).encode(), ISSUER, ("ES256", "ES384"))
    assert {kid: key.alg for kid, key in found.items()} == {"secp256r1": "ES256", "secp384r1": "ES384"}
    assert usable({**keys[0], "alg": "ES384"}, algorithms=("ES256", "ES384")) == set()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[1]}', b'{"keys":[],"keys":[]}', b"\xff"]
)
def test_what_is_no_jwks(body: bytes) -> None:
    with pytest.raises(UnusableKeys):
        parse_jwks(body, ISSUER, ("RS256",))


def test_a_key_that_did_not_change_stays_the_same_object() -> None:
    body = json.dumps({"keys": [jwk(), jwk(2)]}).encode()
    first = parse_jwks(body, ISSUER, ("RS256",))
    second = parse_jwks(body, ISSUER, ("RS256",), known=first)
    assert [isinstance(key, Key) and second[kid] is key for kid, key in first.items()] == [True, True]
    other = parse_jwks(json.dumps({"keys": [jwk(2, kid="key-1")]}).encode(), ISSUER, ("RS256",), known=first)
    assert other["key-1"] is not first["key-1"]


# -- how often ---------------------------------------------------------------------------------


def test_a_new_key_is_fetched_when_a_token_names_it() -> None:
    service = a_service()
    assert refusal(service) == "accepted"
    service.network.publish(jwk(), jwk(2))
    assert refusal(service, 2) == "accepted"
    assert service.network.count(JWKS) == 2


def test_ten_thousand_made_up_names_cost_one_request_in_half_a_minute_and_known_keys_go_on() -> None:
    service = a_service()
    assert refusal(service) == "accepted"
    for number in range(10_000):
        assert service.refusal(a_token({"kid": f"made-up-{number % 50}"})) == "unknown_key"
    assert service.network.count(JWKS) == 2
    assert refusal(service) == "accepted"
    later(service, 29)
    assert service.refusal(a_token({"kid": "made-up"})) == "unknown_key"
    assert service.network.count(JWKS) == 2
    later(service, 1)
    assert service.refusal(a_token({"kid": "made-up"})) == "unknown_key"
    assert service.network.count(JWKS) == 3


def test_of_many_threads_one_fetches_and_all_have_the_key() -> None:
    service = a_service(cached_tokens=0)
    began, go_on = threading.Event(), threading.Event()

    def slow(body: bytes) -> Any:
        began.set()
        go_on.wait(5)
        return an_answer({"keys": [jwk()]})

    service.network.answers[JWKS] = slow
    token, codes = token_of(service), []
    threads = [threading.Thread(target=lambda: codes.append(service.refusal(token))) for _ in range(12)]
    for thread in threads:
        thread.start()
    assert began.wait(5)
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert codes == ["accepted"] * 12
    assert service.network.count(JWKS) == 1


def test_made_up_names_cannot_occupy_all_threads_while_the_issuer_is_slow() -> None:
    service = a_service()
    assert refusal(service) == "accepted"
    go_on = threading.Event()

    def slow(body: bytes) -> Any:
        go_on.wait(5)
        return an_answer({"keys": [jwk()]})

    service.network.answers[JWKS] = slow
    codes: list[str] = []
    ask = lambda: codes.append(service.refusal(a_token({"kid": "made-up"})))  # noqa: E731 - a name for one expression
    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(codes) == 12)
    assert set(codes) == {"overloaded"}
    assert refusal(service) == "accepted"
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert sorted(codes) == ["overloaded"] * 12 + ["unknown_key"] * 8


# -- how old -----------------------------------------------------------------------------------


def test_keys_are_fetched_in_the_background_before_they_are_too_old() -> None:
    service = a_service()
    assert refusal(service) == "accepted"
    later(service, 239)
    assert refusal(service) == "accepted"
    assert service.network.count(JWKS) == 1
    later(service, 62)
    assert refusal(service) == "accepted"
    assert eventually(lambda: service.network.count(JWKS) == 2)


@pytest.mark.parametrize("token", [a_token(exp=NOON + 3000), a_token(exp=NOON + 3000, jti="never seen")])
def test_after_a_rest_of_more_than_ten_minutes_nothing_is_verified_with_the_old_keys(token: str) -> None:
    service = a_service()
    seen_before = a_token(exp=NOON + 3000)
    assert service.refusal(seen_before) == "accepted"
    service.network.answers[JWKS] = lambda body: (real_time.sleep(0.05), an_answer({"keys": [jwk(2)]}))[1]
    later(service, 601)
    assert service.refusal(token) == "unknown_key"
    assert refusal(service, 2) == "accepted"


def test_after_a_rest_a_token_that_was_seen_before_waits_for_the_keys_too() -> None:
    service = a_service()
    token = a_token(exp=NOON + 3000)
    assert service.refusal(token) == "accepted"

    def slow(body: bytes) -> Any:
        real_time.sleep(0.1)
        return an_answer({"keys": [jwk()]})

    service.network.answers[JWKS] = slow
    later(service, 601)
    assert service.refusal(token) == "accepted"


def test_keys_that_get_too_old_while_new_ones_are_under_way_are_waited_for() -> None:
    service = a_service()
    token, go_on = a_token(exp=NOON + 3000), threading.Event()
    assert service.refusal(token) == "accepted"
    service.network.answers[JWKS] = lambda body: (go_on.wait(5), an_answer({"keys": [jwk()]}))[1]
    later(service, 599)
    assert service.refusal(token) == "accepted"
    assert eventually(lambda: service.network.count(JWKS) == 2)
    later(service, 2)
    threading.Timer(0.05, go_on.set).start()
    assert service.refusal(token) == "accepted"
    assert service.network.count(JWKS) == 2


def test_a_withdrawn_key_takes_the_tokens_along_that_were_seen_before() -> None:
    service = a_service()
    token = a_token(exp=NOON + 3000)
    assert service.refusal(token) == "accepted"
    service.network.publish(jwk(2))
    later(service, 301)
    assert eventually(lambda: service.refusal(token) == "unknown_key")


def test_another_key_under_the_same_name_takes_the_tokens_along_that_were_seen_before() -> None:
    service = a_service()
    token = a_token(exp=NOON + 3000)
    assert service.refusal(token) == "accepted"
    service.network.publish(jwk(2, kid="key-1"))
    later(service, 601)
    assert service.refusal(token) == "bad_signature"


def test_a_revoked_key_is_dropped_at_once_and_not_taken_back() -> None:
    service = a_service()
    token = token_of(service)
    assert service.refusal(token) == "accepted"
    service.feed.options["on_kid"](key_of("kid", ISSUER, "key-1"))
    for _ in range(2):
        assert service.refusal(token) == "revoked_kid"
        assert service.feed.options["key_for"]("key-1") is None
        later(service, 301)  # the JWKS still has it
    assert eventually(lambda: service.network.count(JWKS) >= 2)
    assert refusal(service) in ("revoked_kid", "keys_unavailable")


BAD = [
    an_answer({"keys": [jwk(2)]}, status=500),
    an_answer({"keys": [jwk(2)]}, status=204),
    an_answer({"keys": [jwk(2)]}, status=302, location="https://evil.example"),
    an_answer({"keys": [jwk(2)]}, **{"content-type": "text/html"}),
    an_answer({"keys": [jwk(2)]}, **{"content-encoding": "gzip"}),
    an_answer(json.dumps({"keys": [jwk(2)], "padding": "x" * 300_000}).encode()),
    an_answer({"keys": []}),
    an_answer(b"not json"),
]


@pytest.mark.parametrize("answer", BAD)
def test_old_keys_go_on_for_an_hour_while_new_ones_cannot_be_had(answer: Any) -> None:
    service = a_service()
    assert refusal(service) == "accepted"
    service.network.answers[JWKS] = answer
    later(service, 610)
    assert refusal(service) == "accepted"
    assert refusal(service, 2) == "keys_unavailable"
    later(service, 3600 - 611)
    assert refusal(service) == "accepted"
    later(service, 2)
    assert refusal(service) == "keys_unavailable"
    service.network.publish(jwk())
    later(service, 5)
    assert eventually(lambda: refusal(service) == "accepted")


def test_what_fails_is_not_tried_again_for_each_token() -> None:
    service = a_service()
    service.network.fail(JWKS)
    assert [refusal(service) for _ in range(20)] == ["keys_unavailable"] * 20
    assert service.network.count(JWKS) == 1
    service.network.publish(jwk())
    later(service, 5)
    assert refusal(service) == "accepted"


def test_what_is_unavailable_is_no_fault_of_the_token() -> None:
    service = a_service()
    service.network.fail(METADATA)
    with pytest.raises(Exception) as refused:
        service.verifier.verify(a_token())
    assert (refused.value.status, refused.value.retry_after) == (503, 5)  # type: ignore[attr-defined]  # a Refusal


# -- metadata ----------------------------------------------------------------------------------


def test_where_the_metadata_is() -> None:
    assert metadata_url("https://a.example") == "https://a.example/.well-known/oauth-authorization-server"
    assert metadata_url("https://a.example/t/1") == "https://a.example/.well-known/oauth-authorization-server/t/1"


@pytest.mark.parametrize(
    "issuer", ["", "a.example", "http://a.example", "ftp://a", "file:///etc/passwd", "https://a?b", "https://u@a", "x:"]
)
def test_what_is_no_issuer(issuer: str) -> None:
    with pytest.raises(ValueError):
        Verifier(issuer, audience=AUDIENCE)


@pytest.mark.parametrize(
    "differs",
    [
        {"issuer": f"{ISSUER}/"},
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": 1},
        {"jwks_uri": "http://auth.example.com/jwks"},
        {"jwks_uri": "http://127.0.0.1/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"introspection_endpoint": "http://auth.example.com/introspect"},
        {"revocation_feed_endpoint": "ftp://auth.example.com"},
    ],
)
def test_metadata_that_is_not_to_be_believed(differs: dict[str, Any]) -> None:
    network = Network()
    document = {**json.loads(network.answers[METADATA].body), **differs}
    network.answers[METADATA] = an_answer({name: value for name, value in document.items() if value is not None})
    service = a_service(network=network)
    assert refusal(service) == "keys_unavailable"
    assert service.network.requests == [METADATA]


def test_metadata_is_asked_for_once_and_again_when_its_addresses_make_no_sense() -> None:
    service = a_service()
    assert refusal(service) == "accepted"
    later(service, 610)
    assert refusal(service) == "accepted"
    assert service.network.count(METADATA) == 1
    service.network.fail(JWKS)
    later(service, 610)
    assert refusal(service) == "accepted"
    later(service, 610)
    assert refusal(service) == "accepted"
    assert eventually(lambda: service.network.count(METADATA) >= 2)


# -- other algorithms ----------------------------------------------------------------------------

OTHERS = ("RS256", "PS256", "ES256", "EdDSA")


def elliptic(kind: str, **differs: Any) -> dict[str, Any]:
    made = new_key(kind).jwk
    return {name: value for name, value in {**made, "kid": "key-1", **differs}.items() if value is not None}


@pytest.mark.parametrize("alg", OTHERS)
def test_a_key_is_for_the_one_algorithm_that_it_names(alg: str) -> None:
    key = new_key(alg)
    found = parse_jwks(json.dumps({"keys": [key.jwk]}).encode(), ISSUER, OTHERS)
    assert {each.alg for each in found.values()} == {alg}
    others = tuple(other for other in OTHERS if other != alg)
    assert usable(key.jwk, algorithms=others) == set()


@pytest.mark.parametrize(
    ("kind", "differs"),
    [
        ("ES256", {"crv": "P-384"}),
        ("ES256", {"crv": None}),
        ("ES256", {"crv": "Ed25519"}),
        ("ES256", {"kty": "OKP"}),
        ("ES256", {"kty": "RSA"}),
        ("ES256", {"alg": "EdDSA"}),
        ("ES256", {"alg": "RS256"}),
        ("ES256", {"alg": "ES384"}),
        ("ES256", {"use": "enc"}),
        ("ES256", {"key_ops": ["sign"]}),
        ("ES256", {"d": "AAAA"}),
        ("ES256", {"y": None}),
        ("ES256", {"x": "AAAA"}),
        ("ES256", {"x": 1}),
        ("ES256", {"x": "A" * 43, "y": "A" * 43}),
        ("EdDSA", {"crv": "Ed448"}),
        ("EdDSA", {"crv": "X25519"}),
        ("EdDSA", {"kty": "EC"}),
        ("EdDSA", {"alg": "ES256"}),
        ("EdDSA", {"x": "AAAA"}),
        ("EdDSA", {"x": None}),
        ("EdDSA", {"d": "AAAA"}),
        ("EdDSA", {"use": "enc"}),
    ],
)
def test_elliptic_keys_that_are_not_taken(kind: str, differs: dict[str, Any]) -> None:
    assert usable(elliptic(kind), algorithms=OTHERS) == {"key-1"}
    assert usable(elliptic(kind, **differs), algorithms=OTHERS) == set()


def test_a_coordinate_has_one_spelling() -> None:
    good = elliptic("EdDSA")
    for respelled in (good["x"] + "=", good["x"] + "A", good["x"][:-1] + _stray_bits(good["x"][-1])):
        assert usable({**good, "x": respelled}, algorithms=OTHERS) == set()


def _stray_bits(char: str) -> str:
    """Another last character of 32 bytes that lenient decoders read as the same."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(char) + 1]


def test_a_short_rsa_key_is_none_for_pss_either() -> None:
    short = json.loads(RSAAlgorithm.to_jwk(private_key(1, 1024).public_key()))
    jwks = {**short, "kid": "key-1", "alg": "PS256", "key_ops": ["verify"]}
    assert usable(jwks, algorithms=OTHERS) == set()
