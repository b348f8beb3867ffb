"""What a client is told about a user (OpenID Connect Core sections 5.4 and 5.5)."""

from __future__ import annotations

from typing import Any

import pytest

from authserver.administration.user_claims import CLAIMS
from authserver.model.account import User
from authserver.oauth.user_claims import SCOPES, USER_CLAIMS, asked_by_name, asked_by_scope


def a_user(**claims: object) -> User:
    return User(id="u", username="Ada", username_key="ada", updated_at=1_800_000_000_500, claims=claims)


FULL = a_user(
    name="Ada Lovelace",
    email="ada@example.org",
    email_verified=False,
    phone_number="+431234567",
    address={"country": "UK"},
    locale="en",
)


def test_what_can_be_set_can_be_asked_for_and_the_other_way_round() -> None:
    assert set(USER_CLAIMS) == set(CLAIMS) | {"updated_at"}


def test_each_scope_asks_for_its_claims_and_no_others() -> None:
    assert asked_by_scope(FULL, {"openid"}) == {}
    assert asked_by_scope(FULL, {"email"}) == {"email": "ada@example.org", "email_verified": False}
    assert asked_by_scope(FULL, {"phone"}) == {"phone_number": "+431234567"}
    assert asked_by_scope(FULL, {"address"}) == {"address": {"country": "UK"}}
    assert asked_by_scope(FULL, {"profile"}) == {
        "name": "Ada Lovelace",
        "preferred_username": "Ada",
        "locale": "en",
        "updated_at": 1_800_000_000,
    }


def test_all_scopes_together_ask_for_everything() -> None:
    everything = a_user(**dict.fromkeys(CLAIMS, "x"))
    assert set(asked_by_scope(everything, SCOPES)) == set(USER_CLAIMS)


def test_the_username_stands_in_for_a_preferred_one() -> None:
    assert asked_by_scope(a_user(preferred_username="Countess"), {"profile"})["preferred_username"] == "Countess"
    assert asked_by_scope(a_user(), {"profile"})["preferred_username"] == "Ada"


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (None, True),
        ({}, True),
        ({"essential": True}, True),
        ({"essential": False}, True),
        ({"value": "en"}, True),
        ({"value": "de"}, False),
        ({"value": None}, False),
        ({"values": ["de", "en"]}, True),
        ({"values": ["de"], "essential": True}, False),
        ({"values": []}, False),
        ({"values": "en"}, False),
        ("en", False),
    ],
)
def test_a_claim_that_is_asked_for_by_name_comes_if_it_has_a_value_that_was_asked_for(
    request_: Any, told: bool
) -> None:
    assert asked_by_name(FULL, {"locale": request_}) == ({"locale": "en"} if told else {})


def test_values_are_compared_as_json_has_them() -> None:
    assert asked_by_name(FULL, {"email_verified": {"value": 0}}) == {}
    assert asked_by_name(FULL, {"email_verified": {"value": False}}) == {"email_verified": False}
    assert asked_by_name(FULL, {"address": {"value": {"country": "UK"}}}) == {"address": {"country": "UK"}}


def test_what_is_not_known_is_left_out_however_essential() -> None:
    assert asked_by_name(FULL, {"gender": {"essential": True}, "iban": None, "sub": None, "password_hash": None}) == {}
