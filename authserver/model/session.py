"""A log-in that is still on: one row per log-in and device."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .time import Instant

SessionKind = Literal["browser", "token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`kind` "browser": carried by a cookie. "token": made by POST /login in token mode, alive as
    long as one of its refresh families is."""

    id: str
    """UUIDv7; never a credential."""
    user_id: str
    kind: SessionKind
    secret_hash: bytes | None = field(default=None, repr=False)
    """SHA-256 of the cookie's 256-bit secret; None for kind "token"."""
    auth_time: Instant
    acr: str | None = None
    amr: tuple[str, ...] = ()
    client_id: str | None = None
    """The first-party client that the log-in came through; None: on this server's own page, for none in particular."""
    user_version: int = 0
    issuer_version: int = 0
    """Revocation versions at birth; the session is dead once the stored ones have moved on."""
    created_at: Instant
    last_seen_at: Instant
    """Written at most once a minute."""
    idle_until: Instant
    abs_until: Instant
    user_agent: str = ""
    address: str = ""
    dead_at: Instant | None = None
    """When its own row was ended; None also for one that expired or that a revocation outran."""
    dead_reason: str | None = None
    """Why it is over. A list names "revoked" and "expired" too, which no row says."""
    alive: bool = True
    """As a list saw it; every other verb finds only living ones."""
