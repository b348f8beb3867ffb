"""The JWT format: what is written, and how strictly it is read."""

from __future__ import annotations

import json
from typing import Any

import jwt as pyjwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authserver.model.errors import InvalidToken
from authserver.model.time import MINUTE, SECOND
from authserver.tokens import jwt
from authserver.tokens.keyring import ActiveKey
from authserver.tokens.signingkey import make_signing_key, open_signing_key
from tests.unit.tokens.builders import ISSUER, MASTER, NOON, base64url, parts, signed

PAIR = open_signing_key(make_signing_key(2048, MASTER, NOON), MASTER)
KEY = ActiveKey(PAIR.kid, "RS256", PAIR.private)
HEADER = {"alg": "RS256", "typ": "at+jwt", "kid": PAIR.kid}
CLAIMS = {"iss": ISSUER, "iat": NOON // SECOND, "exp": NOON // SECOND + 300}


def _verify(token: str, *, typ: str = "at+jwt", now: int = NOON, leeway: int = 0) -> dict[str, Any]:
    known = {PAIR.kid: PAIR.verifying}
    return jwt.verify(token, known.get, typ=typ, issuer=ISSUER, now=now, leeway=leeway).claims


def _refused(token: str, **options: Any) -> str:
    with pytest.raises(InvalidToken) as refused:
        _verify(token, **options)
    return refused.value.description


def test_what_was_signed_is_what_is_read() -> None:
    claims = {**CLAIMS, "sub": "ümläut \u2028", "aud": ["a", "b"], "nested": {"x": [1, None, True]}}
    assert _verify(jwt.sign(claims, KEY, "at+jwt")) == claims


def test_the_header_says_algorithm_type_and_key_and_nothing_else() -> None:
    header, _, _ = parts(jwt.sign(CLAIMS, KEY, "at+jwt"))
    assert header == HEADER


def test_what_is_written_is_what_pyjwt_would_write() -> None:
    """RS256 is deterministic: the same header, claims and key make the same bytes."""
    claims = {**CLAIMS, "sub": "ümläut \u2028", "aud": ["a", "b"], "amr": []}
    by_pyjwt = pyjwt.encode(claims, PAIR.private, algorithm="RS256", headers={"typ": "at+jwt", "kid": PAIR.kid})
    assert jwt.sign(claims, KEY, "at+jwt") == by_pyjwt


def test_what_json_does_not_have_is_not_written() -> None:
    with pytest.raises(ValueError):
        jwt.sign({**CLAIMS, "x": float("nan")}, KEY, "at+jwt")


def test_other_libraries_read_it() -> None:
    token = jwt.sign(CLAIMS, KEY, "at+jwt")
    read = pyjwt.decode(
        token, PAIR.public, algorithms=["RS256"], issuer=ISSUER, options={"verify_exp": False, "verify_iat": False}
    )
    assert read == CLAIMS


def test_the_media_type_may_be_spelled_out() -> None:
    assert _verify(signed({**HEADER, "typ": "application/at+jwt"}, CLAIMS, PAIR.private)) == CLAIMS


def test_a_token_lives_until_the_millisecond_it_expires() -> None:
    token = jwt.sign(CLAIMS, KEY, "at+jwt")
    expires = CLAIMS["exp"] * SECOND
    assert _verify(token, now=expires - 1) == CLAIMS
    assert "expired" in _refused(token, now=expires)
    assert _verify(token, now=expires + 4 * SECOND, leeway=5 * SECOND) == CLAIMS
    assert "expired" in _refused(token, now=expires + 5 * SECOND, leeway=5 * SECOND)


def test_a_minute_of_difference_between_clocks_is_tolerated_at_the_start() -> None:
    ahead = {**CLAIMS, "iat": NOON // SECOND + 60, "nbf": NOON // SECOND + 60}
    assert _verify(jwt.sign(ahead, KEY, "at+jwt")) == ahead
    assert "not valid yet" in _refused(jwt.sign(ahead, KEY, "at+jwt"), now=NOON - 1)


def test_times_past_2038_are_just_numbers() -> None:
    later = 2**31 * SECOND + MINUTE
    claims = {**CLAIMS, "iat": later // SECOND, "exp": later // SECOND + 300}
    assert _verify(jwt.sign(claims, KEY, "at+jwt"), now=later) == claims


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", [None, "1790000300", 1790000300.0, True, -1, 2**53, 10**400, [1790000300], {}])
def test_a_time_that_is_not_a_whole_number_of_seconds_is_refused(name: str, value: object) -> None:
    token = signed(HEADER, {**CLAIMS, name: value}, PAIR.private)
    assert f"{name} claim is missing or malformed" in _refused(token)


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_a_token_without_its_times_is_refused(name: str) -> None:
    token = signed(HEADER, {other: value for other, value in CLAIMS.items() if other != name}, PAIR.private)
    assert f"{name} claim is missing or malformed" in _refused(token)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(constant: str) -> None:
    payload = json.dumps(CLAIMS)[:-1].encode() + f',"x":{constant}}}'.encode()
    assert "malformed" in _refused(signed(HEADER, payload, PAIR.private))


@pytest.mark.parametrize("part", ["header", "payload"])
def test_a_member_that_comes_twice_is_refused(part: str) -> None:
    header = json.dumps(HEADER).replace("{", '{"alg":"RS256",').encode() if part == "header" else HEADER
    payload = json.dumps(CLAIMS).replace("{", '{"exp":9999999999,').encode() if part == "payload" else CLAIMS
    assert "malformed" in _refused(signed(header, payload, PAIR.private))


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"null", b'"text"', b"1", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 700]
)
def test_a_header_or_payload_that_is_no_json_object_is_refused(raw: bytes) -> None:
    assert "malformed" in _refused(signed(raw, CLAIMS, PAIR.private))
    assert "malformed" in _refused(signed(HEADER, raw, PAIR.private))


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    assert "malformed" in _refused(signed(HEADER, b"[" * 5000, PAIR.private))


def test_a_long_token_is_refused_before_it_is_looked_at() -> None:
    assert "too long" in _refused(jwt.sign({**CLAIMS, "x": "y" * 8192}, KEY, "at+jwt"))
    assert "too long" in _refused("." * 10_000_000)


def test_a_long_header_is_refused_before_it_is_parsed() -> None:
    assert "malformed" in _refused(signed({**HEADER, "x": "y" * 2000}, CLAIMS, PAIR.private))


def test_a_token_has_one_spelling() -> None:
    token = jwt.sign(CLAIMS, KEY, "at+jwt")
    header, payload, signature = token.split(".")
    respelled = [f"{token}=", f"{token}==", f"{header}=.{payload}.{signature}", f" {token}", f"{token}\n", f"{token}."]
    respelled += [f".{token}", f"{header}.{payload}", f"{header}..{signature}", f"{header}.{payload}.", f"{token}\x00"]
    respelled += [f"{header}.{payload}.{signature[:-1]}{_same_bits(signature[-1])}"]
    for spelling in respelled:
        assert "malformed" in _refused(spelling), spelling


def _same_bits(char: str) -> str:
    """Another last character of a 256-byte signature that lenient decoders read as the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(char) + 1]


def test_every_changed_character_is_noticed() -> None:
    token = jwt.sign(CLAIMS, KEY, "at+jwt")
    for index, char in enumerate(token):
        _refused(token[:index] + ("B" if char == "A" else "A") + token[index + 1 :])


@settings(max_examples=300)
@given(
    st.text(max_size=60)
    | st.lists(st.binary(max_size=40), min_size=1, max_size=6).map(lambda p: ".".join(map(base64url, p)))
)
def test_whatever_comes_in_is_refused_and_never_a_crash(text: str) -> None:
    _refused(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "x"]), inner),
    )
)
def test_whatever_header_comes_in_is_refused_and_never_a_crash(header: object) -> None:
    _refused(f"{base64url(json.dumps(header).encode())}.e30.AAAA")


def test_a_refusal_never_repeats_the_token() -> None:
    token = jwt.sign({**CLAIMS, "iss": "https://evil.example"}, KEY, "at+jwt")
    with pytest.raises(InvalidToken) as refused:
        _verify(token)
    assert token[:20] not in f"{refused.value} {refused.value.detail}"
    assert "evil" not in f"{refused.value} {refused.value.detail}"
