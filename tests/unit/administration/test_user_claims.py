"""What may be said about a person (OpenID Connect Core section 5.1)."""

from __future__ import annotations

from typing import Any

import pytest

from authserver.administration.user_claims import ADDRESS, CLAIMS, changes_of_texts, claim_changes, claims
from authserver.model.inputs import InvalidField

GOOD: dict[str, Any] = {
    "name": "Zoë Ångström",
    "given_name": "Zoë",
    "family_name": "Ångström",
    "middle_name": "M.",
    "nickname": "Zo",
    "preferred_username": "zoe",
    "profile": "https://example.org/zoe",
    "picture": "https://example.org/zoe.png?size=2",
    "website": "http://zoe.example",
    "email": "zoe+news@mail.example.org",
    "email_verified": True,
    "gender": "female",
    "birthdate": "1990-02-28",
    "zoneinfo": "America/Argentina/Buenos_Aires",
    "locale": "de-AT",
    "phone_number": "+4312345678",
    "phone_number_verified": False,
    "address": {
        "formatted": "Weg 1\n1010 Wien",
        "street_address": "Weg 1",
        "locality": "Wien",
        "region": "W",
        "postal_code": "1010",
        "country": "AT",
    },
}


def test_every_claim_has_a_value_that_is_good() -> None:
    assert claims("claims", GOOD) == GOOD
    assert set(GOOD) == set(CLAIMS)
    assert set(GOOD["address"]) == set(ADDRESS)


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("value", [7, [], "", "a\x00b", "x" * 2000, "\ud800", "   "])
def test_a_value_of_another_shape_is_refused_under_its_name(name: str, value: object) -> None:
    with pytest.raises(InvalidField) as refused:
        claims("claims", {name: value})
    assert refused.value.field == f"claims.{name}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "zoe"),
        ("email", "a@b@c"),
        ("email", "a b@example.org"),
        ("email", "Zoë <zoe@example.org>"),
        ("email", "a@b..c"),
        ("email_verified", "true"),
        ("email_verified", 1),
        ("picture", "javascript:alert(1)"),
        ("picture", "data:image/png;base64,AA"),
        ("website", "https://user:pass@example.org/"),
        ("website", "https:///nowhere"),
        ("profile", "https://example.org/a b"),
        ("birthdate", "1990-02-30"),
        ("birthdate", "28.2.1990"),
        ("birthdate", "1990-2-28"),
        ("birthdate", "0000"),
        ("zoneinfo", "../../etc/passwd"),
        ("zoneinfo", "/etc/passwd"),
        ("locale", "german"[:1]),
        ("locale", "de AT"),
        ("phone_number", "01 234"),
        ("phone_number", "+0123456789"),
        ("phone_number", "+1 (425) 555-1212"),
        ("address", {}),
        ("address", "Weg 1"),
        ("address", {"country": 7}),
        ("address", {"country": "A\nT"}),
        ("address", {"planet": "Earth"}),
    ],
)
def test_what_is_not_what_its_name_says_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidField, match=name):
        claims("claims", {name: value})


@pytest.mark.parametrize("date", ["1990", "0000-02-29", "2000-02-29"])
def test_a_birthday_may_lack_its_day_or_its_year(date: str) -> None:
    assert claims("claims", {"birthdate": date}) == {"birthdate": date}


@pytest.mark.parametrize("name", ["sub", "updated_at", "roles", "", "name\n", "é" * 100])
def test_an_unknown_claim_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidField, match="is not known; known are: name"):
        claims("claims", {name: "x"})


def test_null_is_a_change_and_not_a_value() -> None:
    assert claim_changes("claims", {"email": None, "name": "Zoë"}) == {"email": None, "name": "Zoë"}
    with pytest.raises(InvalidField):
        claims("claims", {"email": None})


def test_changes_from_the_command_line() -> None:
    known = {"address": {"country": "AT", "locality": "Wien"}}
    pairs = ["name=A = B", "email=", "email_verified=true", "address.locality=Graz", "address.country="]
    assert changes_of_texts(pairs, known) == {
        "name": "A = B",
        "email": None,
        "email_verified": True,
        "address": {"locality": "Graz"},
    }
    assert changes_of_texts(["address.country=", "address.locality="], known) == {"address": None}


@pytest.mark.parametrize("pair", ["name", "=x", "role=x", "address=x", "name.x=y", "email_verified=yes", "address.x=y"])
def test_what_is_no_change_is_refused_at_the_command_line(pair: str) -> None:
    with pytest.raises(InvalidField):
        changes_of_texts([pair], {})
