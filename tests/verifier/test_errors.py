"""What a refusal says to the client: status, code and challenge."""

from __future__ import annotations

import inspect

import pytest

from authserver.verifier import errors
from authserver.verifier.errors import Refusal

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Refusal)]
TOKEN_CODES = (
    "malformed_token",
    "header_not_acceptable",
    "unknown_key",
    "bad_signature",
    "wrong_issuer",
    "wrong_audience",
    "expired",
    "not_yet_valid",
    "claim_missing",
    "proof_required",
    "inactive",
    "invalid_token",
    "revoked",
)
CODES = {
    "missing_token": (401, None),
    "malformed_request": (400, "invalid_request"),
    "insufficient_scope": (403, "insufficient_scope"),
    **dict.fromkeys(TOKEN_CODES, (401, "invalid_token")),
    **dict.fromkeys(("stale", "not_ready", "keys_unavailable", "overloaded", "undecided"), (503, None)),
}


def test_each_code_has_its_status_and_its_error_and_there_are_no_others() -> None:
    assert {kind.code: (kind.status, kind.error) for kind in ALL if kind is not Refusal} == CODES


def _made(kind: type[Refusal]) -> Refusal:
    return errors.Revoked("sid") if kind is errors.Revoked else kind()


@pytest.mark.parametrize("kind", ALL)
def test_what_is_undecided_says_when_to_come_back_and_asks_for_no_other_token(kind: type[Refusal]) -> None:
    refusal = _made(kind)
    assert (refusal.status == 503) == (refusal.retry_after is not None) == (refusal.www_authenticate() is None)


def test_who_shows_no_token_is_told_of_no_error() -> None:
    assert errors.MissingToken().www_authenticate() == "Bearer"
    challenge = errors.MissingToken().www_authenticate(resource_metadata="https://api.example.com/.well-known/x")
    assert challenge == 'Bearer resource_metadata="https://api.example.com/.well-known/x"'


def test_a_challenge_names_realm_error_scope_and_where_to_read_on() -> None:
    challenge = errors.InsufficientScope().www_authenticate(
        realm="orders", scope=["read", "write"], resource_metadata="https://api.example.com/m"
    )
    assert challenge == (
        'Bearer realm="orders", error="insufficient_scope", '
        'error_description="The token lacks a scope that is needed here.", scope="read write", '
        'resource_metadata="https://api.example.com/m"'
    )


def test_nothing_can_leave_the_quotes_or_begin_another_header() -> None:
    challenge = errors.Expired('a"b\\c\r\nSet-Cookie: é').www_authenticate(realm='x", error="y')
    assert challenge == ('Bearer realm="x?, error=?y", error="invalid_token", error_description="a?b?c??Set-Cookie: ?"')


def test_the_detail_is_not_for_the_client() -> None:
    refusal = errors.Stale(detail="introspection: status 500")
    assert "500" not in str(refusal)
    assert "500" not in refusal.description
    assert refusal.detail == "introspection: status 500"
