"""Form bodies: what counts as a parameter, and what is refused (RFC 6749 section 3.2, appendix B)."""

from __future__ import annotations

import contextlib
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authserver.oauth.errors import InvalidRequest
from authserver.oauth.form import MAX_PARAMETERS, Form


def test_values_are_decoded_from_percent_and_plus():
    form = Form.parse(b"scope=a+b&na%6De=%C3%A4%26%3D")
    assert form.get("scope") == "a b"
    assert form.get("name") == "ä&="


def test_a_parameter_without_a_value_counts_as_omitted():
    form = Form.parse(b"scope=&client_id&grant_type=x")
    assert form.get("scope") is None
    assert form.get("client_id") is None
    assert form.all("scope") == []


def test_a_missing_parameter_is_named():
    with pytest.raises(InvalidRequest, match="grant_type is missing"):
        Form.parse(b"").require("grant_type")


@pytest.mark.parametrize("body", [b"scope=a&scope=b", b"scope=a&scope=a", b"scope=a&s%63ope=b"])
def test_a_repeated_parameter_is_refused_when_it_is_asked_for(body: bytes):
    with pytest.raises(InvalidRequest, match="scope is repeated"):
        Form.parse(body).get("scope")


def test_a_repeated_parameter_nobody_asks_for_is_ignored_like_every_unknown_one():
    assert Form.parse(b"audience=a&audience=b&scope=c").get("scope") == "c"


def test_resource_may_be_repeated_and_keeps_its_order():
    assert Form.parse(b"resource=https://b&x=1&resource=&resource=https://a").all("resource") == [
        "https://b",
        "https://a",
    ]


@pytest.mark.parametrize("body", [b"a=%ff", b"a=\xff", b"a=%ed%a0%80", b"a=%00", b"a=\0", b"a=1&%00=b"])
def test_what_is_not_storable_utf_8_text_is_refused(body: bytes):
    with pytest.raises(InvalidRequest):
        Form.parse(body)


def test_a_flood_of_parameters_is_refused():
    with pytest.raises(InvalidRequest, match="too many"):
        Form.parse(b"a=1&" * MAX_PARAMETERS)


def test_an_escaped_percent_sign_before_00_is_no_nul():
    assert Form.parse(b"a=%2500").get("a") == "%00"


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(st.dictionaries(TEXT, TEXT, max_size=20))
def test_every_form_reads_back_as_it_was_written(parameters: dict[str, str]):
    form = Form.parse(urlencode(parameters).encode())
    assert {name: form.require(name) for name in parameters} == parameters


@given(st.binary(max_size=200))
def test_any_body_is_either_read_or_refused(body: bytes):
    with contextlib.suppress(InvalidRequest):
        Form.parse(body)
