"""A person who can log in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: str
    """UUIDv7; the `sub` of tokens; never reused."""
    username: str
    """As it was entered, for display."""
    username_key: str
    """Unique; the username as compared (see `accounts.directory.username_key`)."""
    password_hash: str | None = field(default=None, repr=False)
    """argon2id in PHC string format; None: cannot log in with a password."""
    enabled: bool = True
    version: int = 0
    """Revocation version, the `s` of a token's `rv`."""
    created_at: Instant = 0
    updated_at: Instant = 0
    claims: Mapping[str, object] = field(default_factory=dict, repr=False)
    """What others may be told about this person, under the names of OpenID Connect Core section 5.1: texts, except
    `email_verified` and `phone_number_verified` (booleans), `updated_at` (not kept: it is the row's) and
    `address` (an object, section 5.1.1)."""
