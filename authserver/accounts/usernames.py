"""One account, one key, however its name is typed."""

from __future__ import annotations

import unicodedata
from typing import Final

from authserver.model.errors import Refused

MAX_USERNAME: Final = 256
"""Characters, before and after normalisation."""

_FORBIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, invisible, private and unassigned characters: two names that look alike must be alike."""


class InvalidUsername(Refused):
    """Not a name any account could have; says nothing about which accounts exist (400)."""


def username_key(name: str) -> str:
    """The name as compared and as throttled: compatibility forms, case and spaces folded together.

    Full-width and small letters, ligatures, composed and decomposed accents, spaces around and doubled
    inside are one bucket (Unicode's NFKC_Casefold, and spaces). Idempotent.
    Raises InvalidUsername when empty, too long, or holding characters that cannot be seen.
    """
    if len(name) > MAX_USERNAME:
        raise InvalidUsername(f"username must have at most {MAX_USERNAME} characters")
    folded = _fold(_fold(unicodedata.normalize("NFD", name)))
    key = " ".join(folded.split())
    if any(unicodedata.category(character) in _FORBIDDEN for character in name.strip() + key):
        raise InvalidUsername("username must not contain control or invisible characters")
    if not 1 <= len(key) <= MAX_USERNAME:
        raise InvalidUsername(f"username must have 1 to {MAX_USERNAME} characters")
    return key


def display_name(name: str) -> str:
    """As entered, in composed form and with single spaces."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text.casefold())
