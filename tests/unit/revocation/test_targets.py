"""Reading the body of POST /admin/revocations."""

from __future__ import annotations

import pytest

from authserver.ids import uuid7
from authserver.model.errors import Refused
from authserver.model.inputs import InvalidField
from authserver.model.revocation import RevocationTarget
from authserver.model.time import DAY, MINUTE
from authserver.revocation.targets import RevocationRequest, parse_request

NOW = 1_800_000_000_000
ID = uuid7(NOW)


def parse(**body: object) -> RevocationRequest:
    return parse_request(body, now=NOW, longest_token=5 * MINUTE)


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ({"family_id": ID}, RevocationTarget(kind="family", value=ID)),
        ({"session_id": ID}, RevocationTarget(kind="session", value=ID)),
        ({"user_id": ID}, RevocationTarget(kind="user", value=ID)),
        ({"client_id": "web"}, RevocationTarget(kind="client", value="web")),
        ({"kid": "k1"}, RevocationTarget(kind="kid", value="k1")),
        ({"all": True}, RevocationTarget(kind="all")),
    ],
)
def test_each_level_has_its_field(body: dict[str, object], target: RevocationTarget) -> None:
    assert parse(**body) == RevocationRequest(target=target)


def test_a_token_is_left_to_be_resolved() -> None:
    assert parse(token="abc", reason="lost phone") == RevocationRequest(token="abc", reason="lost phone")


def test_a_token_does_not_show_in_the_representation() -> None:
    assert "abc" not in repr(parse(token="abc"))


def test_a_bare_jti_is_remembered_as_long_as_any_token_can_live() -> None:
    request = parse(jti="j1")
    assert request.target == RevocationTarget(kind="jti", value="j1", expires_at=NOW + 5 * MINUTE)


@pytest.mark.parametrize("expires_at", [1_800_000_060, "2027-01-15T08:01:00Z", "2027-01-15T09:01:00.000+01:00"])
def test_a_jti_may_come_with_its_expiry_in_seconds_or_rfc3339(expires_at: object) -> None:
    request = parse(jti="j1", expires_at=expires_at)
    assert request.target is not None
    assert request.target.expires_at == NOW + MINUTE


@pytest.mark.parametrize(
    "expires_at",
    [
        NOW // 1000,
        NOW // 1000 - 1,
        NOW,
        NOW // 1000 + 400 * DAY // 1000,
        -1,
        10**30,
        1.5,
        True,
        None,
        "",
        "tomorrow",
        "2027-01-15",
        "2027-01-15T08:01:00",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59Z",
        "2027-01-15T08:01:00Z" + "0" * 100,
        {"s": 1},
    ],
)
def test_an_absurd_expiry_is_refused_by_name(expires_at: object) -> None:
    with pytest.raises(InvalidField) as refused:
        parse(jti="j1", expires_at=expires_at)
    assert refused.value.field == "expires_at"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": "why"},
        {"user_id": ID, "session_id": ID},
        {"token": "abc", "jti": "j1"},
        {"all": True, "client_id": "web"},
    ],
)
def test_exactly_one_thing_must_be_named(body: dict[str, object]) -> None:
    with pytest.raises(Refused, match="exactly one"):
        parse(**body)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user_id": "not-a-uuid"}, "user_id"),
        ({"user_id": 7}, "user_id"),
        ({"session_id": ID.upper()}, "session_id"),
        ({"session_id": ID + "\0"}, "session_id"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": "a\0b"}, "client_id"),
        ({"client_id": "x" * 257}, "client_id"),
        ({"kid": ["k"]}, "kid"),
        ({"kid": "a\nb"}, "kid"),
        ({"jti": "\ud800"}, "jti"),
        ({"all": False}, "all"),
        ({"all": "true"}, "all"),
        ({"all": 1}, "all"),
        ({"token": "x" * 8193}, "token"),
        ({"token": None}, "token"),
        ({"user_id": ID, "reason": ""}, "reason"),
        ({"user_id": ID, "reason": "x" * 201}, "reason"),
        ({"user_id": ID, "reason": "line\nbreak"}, "reason"),
        ({"user_id": ID, "reason": "\u2028"}, "reason"),
        ({"user_id": ID, "reason": None}, "reason"),
        ({"user_id": ID, "expires_at": 1_800_000_060}, "expires_at"),
        ({"user_id": ID, "dry_run": True}, "dry_run"),
    ],
)
def test_a_bad_field_is_refused_by_name(body: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        parse(**body)
    assert refused.value.field == field


def test_a_reason_may_be_as_long_as_a_short_sentence() -> None:
    assert parse(all=True, reason="x" * 200).reason == "x" * 200
