"""Handles: what only we can make, and what nobody can make from what is stored."""

from __future__ import annotations

import base64
import hashlib
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authserver.ids import uuid7
from authserver.model.account import User
from authserver.model.time import DAY
from authserver.tokens.handles import (
    DeviceCookies,
    MalformedHandle,
    RefreshHandles,
    SessionHandles,
    client_secret_hash,
    new_client_secret,
)
from authserver.tokens.masterkey import MasterKey
from tests.unit.tokens.builders import MASTER, NOON

OTHER_MASTER = MasterKey(bytes(range(1, 33)))
FAMILY = uuid7(NOON)
SESSION = uuid7(NOON)
refresh, sessions, devices = RefreshHandles(MASTER), SessionHandles(MASTER), DeviceCookies(MASTER)


# -- refresh tokens ---------------------------------------------------------------------------


def test_a_refresh_token_names_its_family_and_generation() -> None:
    handle = refresh.parse(refresh.first(FAMILY).token)
    assert (handle.family_id, handle.generation) == (FAMILY, 0)


def test_what_is_stored_is_the_hash_of_what_is_presented() -> None:
    new = refresh.first(FAMILY)
    handle = refresh.parse(new.token)
    assert handle.hash == new.secret_hash == hashlib.sha256(handle.secret).digest()


def test_the_same_parent_and_salt_give_the_same_successor_again_and_after_a_restart() -> None:
    parent = refresh.parse(refresh.first(FAMILY).token)
    child = refresh.successor(parent)
    again = RefreshHandles(MASTER).successor(RefreshHandles(MASTER).parse(refresh.first(FAMILY).token), child.salt)
    assert refresh.successor(parent, child.salt) == child
    assert again != child  # another family's secret, even under the same salt
    assert RefreshHandles(MASTER).successor(parent, child.salt) == child


def test_a_successor_is_of_the_next_generation_and_shares_no_secret() -> None:
    parent = refresh.parse(refresh.first(FAMILY).token)
    child = refresh.parse(refresh.successor(parent).token)
    assert (child.family_id, child.generation) == (FAMILY, 1)
    assert child.secret != parent.secret


def test_each_salt_gives_another_successor() -> None:
    parent = refresh.parse(refresh.first(FAMILY).token)
    assert len({refresh.successor(parent).token for _ in range(20)}) == 20


def test_the_salt_and_the_master_key_without_the_parents_secret_do_not_give_the_successor() -> None:
    """What a thief of database and key holds: hashes and salts. Presenting those is another secret."""
    parent = refresh.parse(refresh.first(FAMILY).token)
    child = refresh.successor(parent)
    thiefs = type(parent)(FAMILY, 0, parent.hash)
    assert refresh.successor(thiefs, child.salt).secret_hash != child.secret_hash


def test_a_successor_computed_under_another_master_key_is_another_one() -> None:
    parent = refresh.parse(refresh.first(FAMILY).token)
    child = refresh.successor(parent)
    assert RefreshHandles(OTHER_MASTER).successor(parent, child.salt).secret_hash != child.secret_hash


def test_every_alteration_of_a_refresh_token_is_refused() -> None:
    token = refresh.first(FAMILY).token
    for index, char in enumerate(token):
        other = "B" if char == "A" else "A"
        with pytest.raises(MalformedHandle):
            refresh.parse(token[:index] + other + token[index + 1 :])


@pytest.mark.parametrize(
    "alter",
    [
        lambda t: t + "=",
        lambda t: t + "A",
        lambda t: t[:-1],
        lambda t: " " + t[1:],
        lambda t: t + "\n",
        lambda t: "",
        lambda t: "\x00" * len(t),
        lambda t: "é" * len(t),
        lambda t: "\ud800" * len(t),
        lambda t: t * 1000,
    ],
)
def test_a_refresh_token_has_one_spelling(alter: object) -> None:
    with pytest.raises(MalformedHandle):
        refresh.parse(alter(refresh.first(FAMILY).token))  # type: ignore[operator]  # a parameter of pytest


def test_the_other_base64_alphabet_is_refused() -> None:
    token = next(token for token in (refresh.first(FAMILY).token for _ in range(1000)) if "-" in token or "_" in token)
    with pytest.raises(MalformedHandle):
        refresh.parse(token.replace("-", "+").replace("_", "/"))


def test_a_refresh_token_of_another_master_key_is_refused() -> None:
    with pytest.raises(MalformedHandle):
        refresh.parse(RefreshHandles(OTHER_MASTER).first(FAMILY).token)


def test_a_session_cookie_is_no_refresh_token_nor_the_other_way_round() -> None:
    with pytest.raises(MalformedHandle):
        refresh.parse(sessions.new(SESSION).value)
    with pytest.raises(MalformedHandle):
        sessions.parse(refresh.first(FAMILY).token)


@given(st.text(max_size=120) | st.text(alphabet=string.ascii_letters + string.digits + "-_", min_size=96, max_size=96))
def test_no_text_but_ours_is_a_handle(text: str) -> None:
    for parse in (refresh.parse, sessions.parse):
        with pytest.raises(MalformedHandle):
            parse(text)
    assert devices.parse(text, "alice", NOON) is None


def test_handles_do_not_print_their_secrets() -> None:
    new = refresh.first(FAMILY)
    handle = refresh.parse(new.token)
    printed = repr(new) + repr(handle) + repr(sessions.new(SESSION)) + repr(sessions.parse(sessions.new(SESSION).value))
    assert new.token not in printed
    assert repr(handle.secret)[2:10] not in printed
    assert "secret" not in printed


# -- session cookies --------------------------------------------------------------------------


def test_a_session_cookie_names_its_session_and_carries_256_secret_bits() -> None:
    value, secret_hash = sessions.new(SESSION)
    handle = sessions.parse(value)
    secret = base64.urlsafe_b64decode(value)[2 + 16 : 2 + 16 + 32]
    assert handle.session_id == SESSION
    assert handle.secret_hash == secret_hash == hashlib.sha256(secret).digest()


def test_two_cookies_of_one_session_share_neither_secret_nor_csrf_token() -> None:
    first, second = sessions.parse(sessions.new(SESSION).value), sessions.parse(sessions.new(SESSION).value)
    assert first.secret_hash != second.secret_hash
    assert first.csrf_token != second.csrf_token


def test_the_csrf_token_is_the_same_at_each_request_and_does_not_tell_the_secret() -> None:
    value, secret_hash = sessions.new(SESSION)
    token = sessions.parse(value).csrf_token
    raw = base64.urlsafe_b64decode(token + "=")
    assert token == SessionHandles(MASTER).parse(value).csrf_token
    assert raw != secret_hash
    assert token != SessionHandles(OTHER_MASTER).csrf_token(base64.urlsafe_b64decode(value)[18:50])


def test_every_alteration_of_a_session_cookie_is_refused() -> None:
    value = sessions.new(SESSION).value
    for index, char in enumerate(value):
        with pytest.raises(MalformedHandle):
            sessions.parse(value[:index] + ("B" if char == "A" else "A") + value[index + 1 :])


def test_a_cookie_with_another_sessions_id_is_refused() -> None:
    raw = base64.urlsafe_b64decode(sessions.new(SESSION).value)
    other = base64.urlsafe_b64decode(sessions.new(uuid7(NOON)).value)
    with pytest.raises(MalformedHandle):
        sessions.parse(base64.urlsafe_b64encode(raw[:2] + other[2:18] + raw[18:]).decode())


# -- device cookies ---------------------------------------------------------------------------

ALICE = User(id=uuid7(NOON), username="Alice", username_key="alice")


def test_a_device_is_recognised_for_the_account_it_logged_in_to_and_no_other() -> None:
    value = devices.issue(ALICE, NOON)
    assert devices.parse(value, "alice", NOON + DAY) is not None
    assert devices.parse(value, "bob", NOON + DAY) is None


def test_a_device_keeps_its_id_and_another_one_has_another() -> None:
    first = devices.parse(devices.issue(ALICE, NOON), "alice", NOON)
    again = devices.parse(devices.issue(ALICE, NOON + DAY, first), "alice", NOON + 400 * DAY)
    assert first == again
    assert devices.parse(devices.issue(ALICE, NOON), "alice", NOON) != first


def test_a_device_stands_while_its_account_does() -> None:
    device = devices.parse(devices.issue(ALICE, NOON), "alice", NOON)
    assert device is not None
    assert devices.stands(device, replace(ALICE, password_hash="the same under other parameters"))
    assert not devices.stands(device, replace(ALICE, version=1))
    assert not devices.stands(device, replace(ALICE, id=uuid7(NOON)))


def test_a_device_is_forgotten_after_400_days() -> None:
    value = devices.issue(ALICE, NOON)
    assert devices.parse(value, "alice", NOON + 400 * DAY - 1) is not None
    assert devices.parse(value, "alice", NOON + 400 * DAY) is None


def test_a_device_cookie_of_another_server_is_not_recognised() -> None:
    assert devices.parse(DeviceCookies(OTHER_MASTER).issue(ALICE, NOON), "alice", NOON) is None


def test_bytes_cannot_move_between_the_cookie_and_the_account_name() -> None:
    """The tag covers a fixed number of bytes of cookie, then the name: no other split gives the same."""
    value = devices.issue(ALICE, NOON)
    raw = base64.urlsafe_b64decode(value)
    shifted = base64.urlsafe_b64encode(raw[:-17] + raw[-16:] + b"\x00").decode()
    assert devices.parse(shifted, raw[-17:-16].decode("latin-1") + "alice", NOON) is None


# -- client secrets ---------------------------------------------------------------------------


def test_a_client_secret_has_256_bits_and_is_stored_as_its_hash() -> None:
    text, sha256 = new_client_secret()
    assert len(base64.urlsafe_b64decode(text + "=")) == 32
    assert sha256 == client_secret_hash(text) == hashlib.sha256(text.encode()).digest()


def test_any_text_can_be_compared_with_a_client_secret() -> None:
    assert client_secret_hash("\ud800 é \x00") != new_client_secret()[1]
