"""Log-ins that are still on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from authserver.model.audit import AuditEvent
from authserver.model.grant import Family, Versions
from authserver.model.page import Page, PageRequest
from authserver.model.revocation import (
    RevocationOutcome,
)
from authserver.model.session import Session
from authserver.model.time import Duration, Instant


class SessionTouch(NamedTuple):
    """How far a use of a session moves its idle end."""

    idle: Duration
    """New idle end = now + idle, never past the absolute end."""
    interval: Duration
    """Written only when the last write is at least this long ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    user_id: str | None = None
    client_id: str | None = None
    include_dead: bool = False


class SessionStore(Protocol):
    """A session is *alive* while it is not ended, neither deadline has passed, its user is enabled,
    and user's and issuer's revocation versions are still those of its birth. One of kind "token"
    must also have a family that is alive."""

    async def begin(
        self, session: Session, family: Family | None, *, password_hash: str | None, event: AuditEvent
    ) -> Versions | None:
        """Store a log-in: the session and, in token mode, its first family, in one transaction.

        `user_version`, `client_version` and `issuer_version` of the arguments are ignored: the stored
        ones are read and written by the same statement that checks that the user is enabled, that
        `password_hash` (when given) is still the user's, and that the family's client is enabled.
        Returns them (client 0 without a family); None, with nothing written, when a check fails.
        """
        ...

    async def renew(
        self,
        renewed: Session,
        secret_hash: bytes,
        *,
        repeated_since: Instant,
        password_hash: str | None,
        event: AuditEvent,
    ) -> Session | Literal["changed"] | None:
        """Its user logged in once more: the session of `renewed.id` takes the secret, the authentication, the deadlines
        and the origin of `renewed`; its id, its birth, its families and its revocation versions stay.

        None, with nothing written, unless the session has neither ended nor reached its absolute end (it may be idle),
        is of kind "browser", of that user and of no client, and `secret_hash` is its own or it began or was
        renewed at `repeated_since` or later: a form that was sent twice still has the secret of before. "changed",
        with nothing written, when the user is not enabled any more, or `password_hash` (when given) not the user's.
        """
        ...

    async def add_family(self, family: Family, *, event: AuditEvent | None) -> Versions | None:
        """Open another family under a living session; None, with nothing written, if the session, the user
        or the client is not alive. Holds the session's row, so that an end of the session
        either sees this family or makes this fail."""
        ...

    async def authenticate(
        self, session_id: str, secret_hash: bytes, *, now: Instant, touch: SessionTouch | None = None
    ) -> Session | None:
        """The living session of kind "browser" with this secret, moved on by `touch` if given."""
        ...

    async def get(self, session_id: str, *, now: Instant) -> Session | None:
        """The session if it is alive."""
        ...

    async def end(self, session_id: str, *, at: Instant, reason: str, event: AuditEvent) -> RevocationOutcome:
        """End it and its families, one outbox entry per living family. Idempotent."""
        ...

    async def end_others(
        self, user_id: str, keep_session_id: str, *, at: Instant, reason: str, event: AuditEvent
    ) -> RevocationOutcome:
        """End every living session of the user but one."""
        ...

    async def list(self, page: PageRequest, where: SessionFilter, *, now: Instant) -> Page[Session]:
        """Newest first; only living ones unless `include_dead`: then `alive` and `dead_reason` say which are over
        and why, also those that a revocation of user, client or everybody ended without touching their rows.
        `last_seen_at` of a session of kind "token"
        is the latest rotation of its families."""
        ...
