"""The audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from authserver.model.audit import AuditEvent
from authserver.model.page import Page, PageRequest
from authserver.model.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    type: str | None = None
    types: tuple[str, ...] = ()
    """Any of these; empty: every type."""
    actor: str | None = None
    user_id: str | None = None
    client_id: str | None = None
    session_id: str | None = None
    since: Instant | None = None
    until: Instant | None = None


class AuditStore(Protocol):
    async def append(self, event: AuditEvent) -> None:
        """For events that change nothing else, such as a failed log-in."""
        ...

    async def list(self, page: PageRequest, where: AuditFilter) -> Page[AuditEvent]:
        """Newest first."""
        ...
