"""What resource servers have applied, as they report it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from authserver.model.page import Page, PageRequest
from authserver.model.resource_server import ResourceServer
from authserver.model.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceServerFilter:
    client_id: str | None = None
    behind: tuple[str, int] | None = None
    """A log and a sequence number: those that have not applied that record yet, or follow another log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceServerCounts:
    """By state (`ResourceServer.state`), and how far the last of those that report is behind."""

    current: int
    behind: int
    silent: int
    max_lag: int


class ResourceServerStore(Protocol):
    async def report(self, server: ResourceServer) -> None:
        """Remember what it says now; `first_seen` holds the first time. An older report never replaces a newer."""
        ...

    async def list(self, page: PageRequest, where: ResourceServerFilter) -> Page[ResourceServer]:
        """By client and instance."""
        ...

    async def counts(self, log: str, seq: int, *, now: Instant) -> ResourceServerCounts: ...

    async def purge(self, *, before: Instant) -> int:
        """Forget those that reported last before then; how many."""
        ...
