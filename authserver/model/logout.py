"""Telling clients that somebody was logged out (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from dataclasses import dataclass

from .time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutDelivery:
    """One client to be told about one log-in of one user."""

    id: str
    """UUIDv7; the `jti` of the logout token, the same for each attempt."""
    client_id: str
    user_id: str
    family_id: str
    """The `sid` that the client knows the log-in by."""
    uri: str
    attempts: int = 0
    next_at: Instant
    created_at: Instant
    last_problem: str | None = None
