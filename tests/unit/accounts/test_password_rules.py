"""New passwords: guessable ones are refused, and nothing else is asked of them."""

from __future__ import annotations

import time

import pytest

from authserver.accounts.password_rules import WeakPassword, check_new_password
from authserver.accounts.passwords import InvalidPassword


@pytest.mark.parametrize(
    "weak",
    [
        "password", "Password1", "P@ssw0rd", "P@$$w0rd!", "passw0rd2024!", "12345678", "123456789012", "87654321",
        "qwertyuiop", "QWERTY123", "asdfghjkl", "1qaz2wsx", "zxcvbnm123", "aaaaaaaa", "abababab", "abcabcabc",
        "abcdefgh", "hgfedcba", "11111111", "Welcome1!", "letmein123", "Summer2025", "iloveyou!!", "admin123",
        "Administrator", "changeme1", "trustno1", "!!!!!!!!!", "2025-01-31", "1q2w3e4r5t", "abcd1234", "dragon99",
        "\uff50assword1", "Authserver1",
    ],
)  # fmt: skip
def test_what_is_guessed_first_is_refused(weak: str) -> None:
    with pytest.raises(WeakPassword) as raised:
        check_new_password(weak, "alice")
    assert raised.value.code == "weak_password"
    assert weak not in raised.value.description.removeprefix("password ")


@pytest.mark.parametrize(
    "about", ["robertson", "Robertson1", "ROBERTSON!!", "nostrebor", "r0berts0n", "robertson@example.com"]
)
def test_a_password_made_from_the_username_is_refused(about: str) -> None:
    with pytest.raises(WeakPassword, match="username"):
        check_new_password(about, "robertson@example.com")


def test_short_is_refused() -> None:
    with pytest.raises(WeakPassword, match="8 characters"):
        check_new_password("kx7#Qz2", "alice")


def test_characters_are_counted_and_not_bytes() -> None:
    with pytest.raises(WeakPassword, match="8 characters"):
        check_new_password("\u00fc\u00f6\u00e4\u00df\u00e9", "alice")


def test_long_is_refused() -> None:
    with pytest.raises(InvalidPassword, match="1024"):
        check_new_password("correct horse " * 100, "alice")


@pytest.mark.parametrize(
    "good",
    [
        "correct horse battery staple", "all small letters here", "kx7qz2mw", "93017462", "tr\u00e8s bon pain frais",
        "\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440",
        "  spaces around  ", "fj29-dkw0-slq1", "wonderful-copper-lamp",
        "\U0001f422\U0001f335\U0001f9e9\U0001f3b7\U0001f422\U0001f6f6\U0001f9f2\U0001f9ca",
    ],
)  # fmt: skip
def test_no_composition_is_asked_for(good: str) -> None:
    check_new_password(good, "alice")


def test_a_long_walk_over_the_keyboard_is_seen_through_quickly() -> None:
    started = time.process_time()
    with pytest.raises(WeakPassword):
        check_new_password("qwertyuiop" * 102, "ada")
    assert time.process_time() - started < 0.1
