"""Records of the revocation log, and the chain that binds them (docs/feed.md)."""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class Record(NamedTuple):
    seq: int
    kind: str
    key: bytes
    """16 bytes, see `key_of`."""
    version: int
    expires: int
    """Seconds since the epoch, issuer time."""
    line: bytes
    """As it was received: these bytes are what is hashed."""


def key_of(kind: str, issuer: str, value: str) -> bytes:
    """What stands for a thing in the feed; `value` is empty for `iss`."""
    return hashlib.sha256(f"{kind}|{issuer}|{value}".encode()).digest()[:16]
