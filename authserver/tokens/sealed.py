"""What a page carries from one request to the next: encrypted, so that nobody can read or change it, and dated.

A request for authorization waits in the browser instead of in a table: whoever asks a thousand times leaves nothing
behind on the server.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from authserver.model.time import Instant
from authserver.tokens.masterkey import MasterKey

MAX_CHARS = 6000
"""What a URL may hold in practice; longer requests are to be pushed (RFC 9126)."""
_NONCE_BYTES = 12


class NotSealed(ValueError):
    """Not sealed here for this purpose and these eyes, or too long ago."""


class SealTooLong(ValueError):
    """More than a URL can carry."""


class Sealed:
    """AES-256-GCM under a key of one purpose; random nonces, so at most 2**32 seals under one master key."""

    def __init__(self, master: MasterKey, purpose: str) -> None:
        self._aead = AESGCM(master.derive(f"{purpose} seal"))

    def seal(self, value: Mapping[str, Any], *, bound_to: str, until: Instant) -> str:
        """`bound_to` must be given again to open it (a value of a cookie, say). Raises SealTooLong."""
        plain = json.dumps([until, value], separators=(",", ":"), ensure_ascii=False).encode()
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._aead.encrypt(nonce, plain, bound_to.encode())
        text = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")
        if len(text) > MAX_CHARS:
            raise SealTooLong
        return text

    def open(self, text: str, *, bound_to: str, now: Instant) -> dict[str, Any]:
        """Raises NotSealed."""
        if len(text) > MAX_CHARS:
            raise NotSealed("too long")
        try:
            sealed = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
            plain = self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to.encode())
        except (ValueError, InvalidTag):
            raise NotSealed("not sealed here, or for somebody else") from None
        until, value = json.loads(plain)
        if until <= now:
            raise NotSealed("too old")
        return dict(value)
