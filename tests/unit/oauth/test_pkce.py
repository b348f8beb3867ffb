"""Proof key for code exchange (RFC 7636)."""

from __future__ import annotations

import pytest

from authserver.oauth.errors import InvalidRequest
from authserver.oauth.pkce import challenge_of, proves, read_challenge

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""RFC 7636 appendix B."""


def test_the_example_of_the_rfc():
    assert challenge_of(VERIFIER) == CHALLENGE
    assert proves(VERIFIER, CHALLENGE)
    assert read_challenge(CHALLENGE, "S256") == CHALLENGE


@pytest.mark.parametrize("verifier", ["", VERIFIER[:-1], VERIFIER[:-1] + "l", VERIFIER + "=", CHALLENGE, "ä" * 43])
def test_another_verifier_proves_nothing(verifier: str):
    assert not proves(verifier, CHALLENGE)


@pytest.mark.parametrize(("length", "good"), [(42, False), (43, True), (128, True), (129, False)])
def test_a_verifier_has_43_to_128_characters(length: int, good: bool):
    verifier = "~" * length
    assert proves(verifier, challenge_of(verifier)) is good


@pytest.mark.parametrize("method", [None, "plain", "s256", "S512"])
def test_only_s256_is_taken(method: str | None):
    with pytest.raises(InvalidRequest, match="S256"):
        read_challenge(CHALLENGE, method)


@pytest.mark.parametrize("challenge", [CHALLENGE[:-1], CHALLENGE + "A", CHALLENGE[:-1] + "~", CHALLENGE[:-1] + "="])
def test_a_challenge_that_is_no_sha256_is_refused(challenge: str):
    with pytest.raises(InvalidRequest, match="43 base64url"):
        read_challenge(challenge, "S256")


def test_a_method_without_a_challenge_is_refused():
    with pytest.raises(InvalidRequest, match="without code_challenge"):
        read_challenge(None, "S256")
    assert read_challenge(None, None) is None
