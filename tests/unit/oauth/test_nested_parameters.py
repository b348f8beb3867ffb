"""JSON inside parameters: `claims` (OpenID Connect Core section 5.5) and `authorization_details` (RFC 9396)."""

from __future__ import annotations

import json

import pytest

from authserver.model.client import Client
from authserver.oauth.authorization_details import narrow_details, read_details
from authserver.oauth.claims_request import read_claims_request
from authserver.oauth.errors import InvalidAuthorizationDetails, InvalidRequest
from authserver.oauth.nested import NotReadable, read_json_value

PAYMENT = {"type": "payment", "actions": ["initiate"], "amount": {"value": "12.30", "currency": "EUR"}}
CLIENT = Client(id="app", name="App", auth_method="none", authorization_details_types=("payment", "account"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not valid JSON"),
        ('{"a":1,"a":2}', "not valid JSON"),
        ("[NaN]", "not valid JSON"),
        ("[" * 9 + "]" * 9, "nested too deeply"),
        ("[" * 100_000, "too long"),
        ('["\\u0000"]', "NUL"),
        ('{"\\ud800":1}', "surrogate"),
        ('"' + "x" * 8192 + '"', "too long"),
    ],
)
def test_a_text_with_more_than_one_reading_or_without_end_is_refused(text: str, problem: str):
    with pytest.raises(NotReadable, match=problem):
        read_json_value(text)


# -- claims -----------------------------------------------------------------------------------


def test_the_example_of_the_specification():
    asked = {
        "userinfo": {"given_name": {"essential": True}, "nickname": None, "http://example.info/claims/groups": None},
        "id_token": {"auth_time": {"essential": True}, "acr": {"values": ["urn:mace:incommon:iap:silver"]}},
    }
    assert read_claims_request(json.dumps(asked)) == asked


def test_what_is_not_understood_is_left_out():
    asked = {"verified_claims": {"a": 1}, "userinfo": {"name": {"essential": False, "purpose": "to greet you"}}}
    assert read_claims_request(json.dumps(asked)) == {"userinfo": {"name": {"essential": False}}}
    assert read_claims_request(None) == {}
    assert read_claims_request('{"userinfo":null}') == {}


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "[]",
        '{"userinfo":[1]}',
        '{"id_token":{"acr":"silver"}}',
        '{"id_token":{"acr":{"essential":"yes"}}}',
        '{"id_token":{"acr":{"values":"silver"}}}',
        json.dumps({"id_token": {"acr": {"values": ["x"] * 21}}}),
        json.dumps({"userinfo": {f"claim{number}": None for number in range(51)}}),
        json.dumps({"userinfo": {"x" * 101: None}}),
        json.dumps({"userinfo": {"x": {"value": "y" * 4096}}}),
    ],
)
def test_a_claims_parameter_of_another_shape_is_refused(text: str):
    with pytest.raises(InvalidRequest, match="claims"):
        read_claims_request(text)


# -- authorization details --------------------------------------------------------------------


def test_details_of_the_clients_types_are_carried_as_they_are():
    assert read_details(CLIENT, json.dumps([PAYMENT])) == (PAYMENT,)
    assert read_details(CLIENT, None) == ()


@pytest.mark.parametrize(
    "value",
    [
        PAYMENT,
        [],
        ["payment"],
        [{"actions": ["initiate"]}],
        [{"type": 1}],
        [{"type": "transfer"}],
        [PAYMENT, {"type": "transfer"}],
        [{"type": "payment", "actions": "initiate"}],
        [{"type": "payment", "locations": [1]}],
        [{"type": "payment", "identifier": 7}],
        [PAYMENT] * 21,
    ],
)
def test_details_of_other_types_or_shapes_are_refused(value: object):
    with pytest.raises(InvalidAuthorizationDetails):
        read_details(CLIENT, json.dumps(value))


def test_a_client_without_types_gets_no_details():
    with pytest.raises(InvalidAuthorizationDetails):
        read_details(Client(id="app", name="App", auth_method="none"), json.dumps([PAYMENT]))


def test_a_token_request_may_leave_details_out_and_add_none():
    account = {"type": "account"}
    assert narrow_details((PAYMENT, account), json.dumps([account])) == (account,)
    assert narrow_details((PAYMENT, account), None) == (PAYMENT, account)
    with pytest.raises(InvalidAuthorizationDetails):
        narrow_details((account,), json.dumps([PAYMENT]))
    with pytest.raises(InvalidAuthorizationDetails):
        narrow_details((PAYMENT,), json.dumps([PAYMENT | {"actions": ["initiate", "cancel"]}]))
