"""Identifiers: UUIDv7 (RFC 9562)."""

from __future__ import annotations

import os

from authserver.model.time import Instant


def uuid7(now: Instant) -> str:
    """A UUIDv7: 48 bits of `now` in milliseconds, 74 random bits. Sorts by time; never a credential."""
    random = int.from_bytes(os.urandom(10), "big") >> 6
    value = (now << 80) | (0x7 << 76) | ((random >> 62) << 64) | (0b10 << 62) | (random & (1 << 62) - 1)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def uuid7_floor(at: Instant) -> str:
    """The smallest UUIDv7 of that millisecond: a bound for ranges by time."""
    text = f"{(at << 80) | (0x7 << 76) | (0b10 << 62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
