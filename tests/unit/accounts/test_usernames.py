"""One account, one key, however its name is typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authserver.accounts.directory import username_key
from authserver.accounts.usernames import MAX_USERNAME, InvalidUsername, display_name


@pytest.mark.parametrize(
    "typed",
    [
        "alice",
        "Alice",
        "ALICE",
        " alice",
        "alice\u00a0",
        "\u3000alice ",
        "\uff41\uff4c\uff49\uff43\uff45",
        "\u24d0lice",
        "al\u2170ce",
    ],
)
def test_case_width_and_outer_spaces_fall_in_one_bucket(typed: str) -> None:
    assert username_key(typed) == "alice"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jos\u00e9", "jose\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("o\ufb03ce", "OFFICE"),
        ("mary  ann", "Mary\u2003Ann"),
        ("\u03c3\u03bf\u03c6\u03cc\u03c2", "\u03a3\u039f\u03a6\u038c\u03a3"),
    ],
)
def test_names_that_read_alike_are_alike(one: str, other: str) -> None:
    assert username_key(one) == username_key(other)


def test_different_names_stay_different() -> None:
    assert len({username_key(name) for name in ("alice", "alice1", "al ice", "alic\u00e9", "bob")}) == 5


@pytest.mark.parametrize(
    "refused", ["", "   ", "a\0b", "a\nb", "al\u200bice", "a\u202eb", "x" * 257, "\ud800", "\ufdfa" * 20]
)
def test_what_cannot_be_a_name_is_refused(refused: str) -> None:
    with pytest.raises(InvalidUsername):
        username_key(refused)


@given(st.text(max_size=60))
def test_the_key_of_a_key_is_itself(name: str) -> None:
    try:
        key = username_key(name)
    except InvalidUsername:
        return
    assert username_key(key) == key
    assert 1 <= len(key) <= MAX_USERNAME
    assert username_key(display_name(name)) == key


@given(st.text(max_size=60))
def test_upper_and_lower_case_share_a_key(name: str) -> None:
    try:
        key = username_key(name)
        upper = username_key(name.upper())
    except InvalidUsername:
        return
    assert username_key(upper.lower()) == username_key(key.upper().lower())
