"""One line of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is behind a request, for the audit log: no secrets, no tokens."""

    actor: str
    """"user:<id>", "client:<id>", "cli", "system" or "anonymous"."""
    address: str = ""
    user_agent: str = ""
    request_id: str = ""

    def acting_as(self, actor: str) -> Caller:
        return Caller(actor=actor, address=self.address, user_agent=self.user_agent, request_id=self.request_id)


SYSTEM = Caller(actor="system")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    id: str
    """UUIDv7."""
    at: Instant
    type: str
    """One of the catalogue in `audit.events`."""
    actor: str
    address: str = ""
    request_id: str = ""
    user_id: str | None = None
    client_id: str | None = None
    session_id: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
    """JSON object; never a secret, a token or a password."""
