"""The short codes that people type to connect a device (RFC 8628 section 6.1)."""

from __future__ import annotations

import hmac
import secrets

from authserver.tokens.masterkey import MasterKey

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""Twenty consonants: no vowels that make words, nothing that is read for something else."""
LENGTH = 8
"""20**8 codes, 34.6 bits: with the limits on guesses and ten minutes of life, no better than one in a hundred million
guesses finds one of a hundred that wait."""


class UserCodes:
    """Too few to be kept as a plain hash: whoever has the table would try them all. So an HMAC under the master key."""

    def __init__(self, master: MasterKey) -> None:
        self._key = master.derive("user code")

    def new(self) -> str:
        """As it is shown: "WDJB-MJHT"."""
        letters = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        return f"{letters[:4]}-{letters[4:]}"

    def hash(self, typed: str) -> bytes | None:
        """Of what somebody typed, in whatever case and with whatever between the letters; None if it can be no code."""
        letters = "".join(character for character in typed.upper() if character.isalnum())
        if len(typed) > 40 or len(letters) != LENGTH or not set(letters) <= set(ALPHABET):
            return None
        return hmac.digest(self._key, letters.encode(), "sha256")
