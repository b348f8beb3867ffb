"""Audit events: complete, bounded, and free of credentials."""

from __future__ import annotations

import pytest

from authserver.audit.events import EventType
from authserver.audit.log import MAX_TEXT, AuditLog
from authserver.ids import uuid7_floor
from authserver.model.audit import Caller

NOON = 1_790_000_000_000
CALLER = Caller(actor="user:1", address="192.0.2.1", user_agent="curl", request_id="r-1")
log = AuditLog(lambda: NOON)


def test_an_event_says_what_who_where_and_when() -> None:
    event = log.event(EventType.LOGIN_SUCCEEDED, CALLER, user_id="u", client_id="c", session_id="s", method="pwd")
    assert (event.at, event.type, event.actor) == (NOON, "login.succeeded", "user:1")
    assert (event.address, event.request_id) == ("192.0.2.1", "r-1")
    assert (event.user_id, event.client_id, event.session_id) == ("u", "c", "s")
    assert event.detail == {"method": "pwd"}


def test_events_sort_by_time() -> None:
    assert uuid7_floor(NOON) <= log.event(EventType.LOGIN_FAILED, CALLER).id < uuid7_floor(NOON + 1)


def test_the_type_is_stored_as_plain_text() -> None:
    assert type(log.event(EventType.KEY_REVOKED, CALLER).type) is str


def test_details_that_do_not_apply_are_left_out() -> None:
    assert log.event(EventType.LOGIN_FAILED, CALLER, reason=None, count=0).detail == {"count": 0}


@pytest.mark.parametrize("name", ["password", "secret", "client_secret", "token", "refresh_token", "cookie", "code"])
def test_a_detail_named_like_a_credential_is_a_bug(name: str) -> None:
    with pytest.raises(ValueError, match=name) as refused:
        log.event(EventType.LOGIN_FAILED, CALLER, **{name: "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_nobody_fills_the_log_from_outside() -> None:
    caller = Caller(actor="anonymous", address="x" * 9999, request_id="y" * 9999)
    event = log.event(EventType.LOGIN_FAILED, caller, username="z" * 9999)
    assert {len(event.address), len(event.request_id), len(str(event.detail["username"]))} == {MAX_TEXT}


def test_an_event_can_always_be_written() -> None:
    """NUL is the one character that PostgreSQL text refuses."""
    event = log.event(EventType.LOGIN_FAILED, Caller(actor="a\x00", address="b\x00"), username="c\x00")
    assert "\x00" not in f"{event.actor}{event.address}{event.detail['username']}"


def test_names_of_events_are_unique_dotted_and_lower_case() -> None:
    names = [event.value for event in EventType]
    assert len(names) == len(set(names))
    assert all(name == name.lower() and name.count(".") == 1 for name in names)
