"""Clients that register themselves (RFC 7591), and the tokens that let them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialAccessToken:
    """Lets its bearer register clients within a policy (RFC 7591 section 3)."""

    id: str
    """UUIDv7."""
    sha256: bytes = field(repr=False)
    label: str = ""
    policy: Mapping[str, object] = field(default_factory=dict)
    """What its clients may have: `scopes`, `resources`, `grant_types`, each a list; absent: the server's default."""
    uses_left: int | None = None
    """None: as often as one likes."""
    created_at: Instant
    expires_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Beside a client whose `origin` is "dynamic" or "document"."""

    client_id: str
    token_sha256: bytes | None = field(default=None, repr=False)
    """Of its registration access token (RFC 7592); None for a document."""
    initial_token_id: str | None = None
    created_at: Instant
    used_at: Instant
    """When it last got tokens, written at most once a day; what is long unused expires."""
    fresh_until: Instant | None = None
    """When a document is to be fetched again."""
    etag: str | None = None
