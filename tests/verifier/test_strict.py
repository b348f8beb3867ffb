"""The reader of JWTs never breaks, and what it accepts has one spelling."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authserver.verifier import strict
from tests.verifier.network import Service, a_service, a_token

SERVICE: Service = a_service(credentials=False)
GOOD = a_token()
BASE64URL = st.text("ABCDwxyz0189-_", max_size=12)


@given(st.text(max_size=200) | st.tuples(BASE64URL, BASE64URL, BASE64URL).map(".".join))
def test_any_text_is_refused_and_never_breaks(text: str) -> None:
    assert SERVICE.refusal(text) in ("malformed_token", "header_not_acceptable")


@given(st.integers(0, len(GOOD) - 1), st.characters(exclude_characters="\ud800"))
def test_a_good_token_with_one_other_character_is_refused(at: int, character: str) -> None:
    changed = GOOD[:at] + character + GOOD[at + 1 :]
    assert (SERVICE.refusal(changed) == "accepted") == (changed == GOOD)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(
    st.sampled_from(["iss", "sub", "aud", "client_id", "scope", "iat", "exp", "nbf", "jti", "sid", "rv", "cnf"]), JSON
)
def test_any_value_of_a_claim_is_accepted_or_refused_and_never_breaks(name: str, value: object) -> None:
    assert SERVICE.refusal(a_token(**{name: value})) in (
        "accepted",
        "claim_missing",
        "wrong_issuer",
        "wrong_audience",
        "expired",
        "not_yet_valid",
        "proof_required",
        "malformed_token",
    )


@settings(max_examples=60)
@given(st.sampled_from(["alg", "typ", "kid"]), JSON)
def test_any_value_of_a_header_member_is_refused_and_never_breaks(name: str, value: object) -> None:
    code = SERVICE.refusal(a_token({name: value}))
    assert code in ("header_not_acceptable", "unknown_key", "malformed_token")


@given(st.binary(min_size=1, max_size=50))
def test_what_an_encoder_writes_is_read_back(raw: bytes) -> None:
    encoded = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert strict.decoded(encoded) == raw
    for other in (f"{encoded}=", f"{encoded}==", f" {encoded}", f"{encoded}\n", f"{encoded[:1]}.{encoded[1:]}"):
        with pytest.raises(strict.Malformed):
            strict.decoded(other)


@given(BASE64URL.filter(bool))
def test_no_two_segments_mean_the_same(segment: str) -> None:
    try:
        raw = strict.decoded(segment)
    except strict.Malformed:
        return
    assert base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == segment


@pytest.mark.parametrize("segment", ["", "A", "AB+/", "AB", "AAB", "ABCDE", "=", "é", "\ud800"])
def test_segments_that_no_encoder_writes(segment: str) -> None:
    with pytest.raises(strict.Malformed):
        strict.decoded(segment)


def test_a_header_of_a_thousand_characters_is_read_and_a_longer_one_is_not() -> None:
    def token(length: int) -> str:
        head = json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": ""})[:-2]
        raw = head + "k" * (length * 3 // 4 - len(head) - 2) + '"}'
        return f"{base64.urlsafe_b64encode(raw.encode()).decode()}.e30.AAAA"

    assert strict.read_form(token(1024)).unverified_payload == b"{}"
    with pytest.raises(strict.Malformed, match="header too long"):
        strict.read_form(token(1028))


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, -1, 1 << 43, [1]])
def test_what_is_no_time(value: object) -> None:
    assert strict.numeric_date(value) is None


def test_times_beyond_2038_are_times() -> None:
    assert strict.numeric_date(1 << 32) == 1 << 32
