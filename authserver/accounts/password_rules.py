"""Which new passwords are refused: short ones and those that are guessed first (NIST SP 800-63B-4 section 3.1.1.2).

No composition rules: a long sentence in small letters is welcome, `P@ssw0rd2024!` is not.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from authserver.accounts.passwords import InvalidPassword, password_bytes
from authserver.accounts.usernames import username_key
from authserver.accounts.weak_words import WEAK_PASSWORDS, WEAK_WORDS

MIN_CHARACTERS: Final = 8

_DISGUISES: Final = str.maketrans("@4831!|05$7+29", "aabeiiloosttzg")
_RUNS: Final = (
    "01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm",
    "qwertzuiop", "azertyuiop", "1qaz2wsx3edc4rfv5tgb", "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgb",
)  # fmt: skip
_MIN_RUN: Final = 4
_MAX_RUN: Final = max(map(len, _RUNS))


class WeakPassword(InvalidPassword):
    """Too easily guessed for a new password (400)."""

    code = "weak_password"


def check_new_password(password: str, username: str) -> None:
    """Raises WeakPassword (or InvalidPassword), saying what is wrong with it and never repeating it."""
    password_bytes(password)
    if len(unicodedata.normalize("NFC", password)) < MIN_CHARACTERS:
        raise WeakPassword(f"password must have at least {MIN_CHARACTERS} characters")
    folded = unicodedata.normalize("NFKC", password).casefold()
    if _is_about(folded, username):
        raise WeakPassword("password must not be made from the username")
    if _is_guessed_first(folded):
        raise WeakPassword("password is among those that are guessed first")


def _is_about(folded: str, username: str) -> bool:
    name = username_key(username)
    names = {name, name.split("@")[0], name.replace(" ", "")}
    return folded in names or bool({_core(folded), _core(folded[::-1])} & {_core(n) for n in names} - {""})


def _is_guessed_first(folded: str) -> bool:
    if folded in WEAK_PASSWORDS or _is_repetition(folded) or _is_runs(folded):
        return True
    core = _core(folded)
    return core in WEAK_WORDS or core in WEAK_PASSWORDS or _is_repetition(core) or _is_date(folded)


def _core(folded: str) -> str:
    """The word inside: without the digits and signs around it, and with disguised letters restored."""
    bare = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)
    return re.sub(r"[\W_]+", "", bare.translate(_DISGUISES))


def _is_repetition(text: str) -> bool:
    """One piece of up to four characters, over and over."""
    return re.fullmatch(r"(.{1,4})\1+.{0,3}", text) is not None and len(set(text)) <= 4


def _is_date(text: str) -> bool:
    """A day of the last or this century, in any order and with any signs between, and nothing else."""
    digits = re.sub(r"[\W_]", "", text)
    day, month, year = "(0[1-9]|[12][0-9]|3[01])", "(0[1-9]|1[0-2])", "(19|20)[0-9]{2}"
    return re.fullmatch(f"{day}{month}{year}|{month}{day}{year}|{year}{month}{day}", digits) is not None


def _is_runs(text: str) -> bool:
    """Nothing but stretches of the alphabet, the digits or a keyboard row, forwards or backwards."""
    position = 0
    while position < len(text):
        length = _run_length(text[position:])
        if length < _MIN_RUN:
            return False
        position += length
    return True


def _run_length(text: str) -> int:
    rows = (*_RUNS, *(row[::-1] for row in _RUNS))
    lengths = range(_MIN_RUN, min(len(text), _MAX_RUN) + 1)
    return max((n for n in lengths if any(text[:n] in row for row in rows)), default=0)
