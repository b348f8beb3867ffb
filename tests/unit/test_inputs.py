"""Values from outside."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authserver.model import inputs
from authserver.model.inputs import InvalidField

LAST = 253_402_300_799_999


@given(st.integers(0, LAST))
def test_a_moment_survives_being_written_and_read(at: int) -> None:
    assert inputs.moment("at", inputs.rfc3339(at)) == at


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.binary(), st.lists(st.integers())))
def test_a_moment_is_read_or_refused_and_nothing_else(value: object) -> None:
    with contextlib.suppress(InvalidField):
        assert 0 <= inputs.moment("at", value) <= LAST


@given(st.text(max_size=20))
def test_a_text_that_is_taken_can_be_stored_on_one_line(value: str) -> None:
    try:
        taken = inputs.text("name", value, longest=10)
    except InvalidField:
        return
    assert taken == value
    assert len(taken.splitlines()) == 1
    assert "\0" not in taken
    taken.encode()


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 11, -1])
def test_a_number_is_whole_and_within_its_bounds(value: object) -> None:
    with pytest.raises(InvalidField):
        inputs.whole_number("n", value, least=0, most=10)


@pytest.mark.parametrize("value", [1, 0, "true", None])
def test_only_true_and_false_are_truths(value: object) -> None:
    with pytest.raises(InvalidField):
        inputs.truth("on", value)


def test_a_refusal_names_its_field_for_programs_too() -> None:
    refused = InvalidField("limit", "must be a number")
    assert refused.description == "limit must be a number"
    assert refused.extra == {"field": "limit"}
    assert (refused.status, refused.code) == (400, "invalid_request")
