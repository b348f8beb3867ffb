"""The database itself: its clock, its schema, what may be deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from authserver.model.time import Duration, Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """How long the dead are kept, for people who ask what happened."""

    token_ttl: Duration
    """The longest access-token lifetime: nothing that could still deny a token is deleted."""
    keep_dead: Duration
    keep_audit: Duration


class MaintenanceStore(Protocol):
    async def purge(self, keep: Housekeeping, *, now: Instant) -> dict[str, int]:
        """Delete what can no longer matter, in small batches; rows deleted (or partitions dropped), by table.
        On PostgreSQL it also creates the partitions of the coming weeks."""
        ...

    async def ping(self) -> None:
        """Raises StorageUnavailable unless the database answers."""
        ...

    async def config_version(self) -> int:
        """Moves on with every change to clients, secrets, keys and the issuer's version: a cheap
        question for whoever caches those."""
        ...

    async def now(self) -> Instant:
        """The database's clock, so that all nodes agree on deadlines."""
        ...

    async def schema_state(self) -> Literal["current", "missing", "behind", "ahead"]:
        """Where the schema stands against this code: only "current" may serve ("ahead" too:
        each migration leaves the code before it working)."""
        ...
