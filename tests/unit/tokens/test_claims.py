"""Claims of access tokens: every one required by RFC 9068, every one of its type."""

from __future__ import annotations

from typing import Any

import pytest

from authserver.model.errors import InvalidToken
from authserver.model.grant import Versions
from authserver.tokens.claims import MAX_AUDIENCES, read_claims

CLAIMS: dict[str, Any] = {
    "iss": "https://auth.example.com",
    "sub": "u1",
    "aud": "https://api.example.com",
    "client_id": "web-app",
    "scope": "read write",
    "iat": 1_790_000_000,
    "exp": 1_790_000_300,
    "jti": "j1",
    "sid": "f1",
    "rv": "3.2.1",
    "auth_time": 1_789_999_990,
    "acr": "1",
    "amr": ["pwd"],
}


def test_claims_are_read_in_milliseconds_and_tuples() -> None:
    claims = read_claims(CLAIMS, "k1")
    assert (claims.iat, claims.exp, claims.auth_time) == (1_790_000_000_000, 1_790_000_300_000, 1_789_999_990_000)
    assert (claims.aud, claims.scope, claims.amr) == (("https://api.example.com",), ("read", "write"), ("pwd",))


def test_the_facts_are_what_a_revocation_can_name() -> None:
    facts = read_claims(CLAIMS, "k1").facts
    assert (facts.kid, facts.jti, facts.family_id) == ("k1", "j1", "f1")
    assert (facts.subject, facts.client_id, facts.versions) == ("u1", "web-app", Versions(3, 2, 1))


def test_a_clients_own_token_has_no_session_and_no_authentication() -> None:
    own = {name: CLAIMS[name] for name in ("iss", "sub", "aud", "client_id", "iat", "exp", "jti", "rv")}
    claims = read_claims(own, "k1")
    assert (claims.sid, claims.auth_time, claims.acr, claims.amr, claims.scope) == (None, None, None, (), ())


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "rv"])
def test_a_token_without_a_required_claim_is_refused(name: str) -> None:
    with pytest.raises(InvalidToken, match=f"{name} claim is missing"):
        read_claims({other: value for other, value in CLAIMS.items() if other != name}, "k1")


@pytest.mark.parametrize("name", [name for name in CLAIMS if name not in ("iat", "exp", "auth_time")])
@pytest.mark.parametrize("value", [None, 1, True, {}, "", [], [1], [""]])
def test_a_claim_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidToken, match=f"{name} claim is missing or malformed"):
        read_claims({**CLAIMS, name: value}, "k1")


@pytest.mark.parametrize("value", ["1.2", "1.2.3.4", "-1.0.0", "a.b.c", "1.2.", " 1.2.3", "1.2.3 ", f"0.0.{2**63}"])
def test_versions_are_three_counters(value: str) -> None:
    with pytest.raises(InvalidToken, match="rv claim"):
        read_claims({**CLAIMS, "rv": value}, "k1")


def test_the_number_of_audiences_is_bounded() -> None:
    assert len(read_claims({**CLAIMS, "aud": ["x"] * MAX_AUDIENCES}, "k1").aud) == MAX_AUDIENCES
    with pytest.raises(InvalidToken, match="aud claim"):
        read_claims({**CLAIMS, "aud": ["x"] * (MAX_AUDIENCES + 1)}, "k1")
