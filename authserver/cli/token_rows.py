"""What is stored around a token, and what of it refuses the token now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from authserver.cli.runtime import every
from authserver.model.grant import Versions
from authserver.storage.interface import SessionFilter

if TYPE_CHECKING:
    from authserver.model.account import User
    from authserver.model.client import Client
    from authserver.model.grant import Family
    from authserver.model.session import Session
    from authserver.model.time import Instant
    from authserver.services import Services


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The rows as they are now, dead or alive; None: there is no such thing, or it is no longer stored."""

    client: Client | None
    user: User | None
    session: Session | None
    family: Family | None
    issuer_version: int
    now: Instant

    @classmethod
    async def of(
        cls,
        services: Services,
        client_id: str,
        user_id: str | None,
        family: Family | None,
        session_id: str | None = None,
    ) -> Surroundings:
        """`session_id`: where it is not that of the family."""
        client = await services.clients.get(client_id)
        user = await services.users.get(user_id) if user_id else None
        wanted = family.session_id if family else session_id
        session = await _session(services, user_id, wanted) if user_id and wanted else None
        return cls(client, user, session, family, await services.clients.issuer_version(), services.now())

    @property
    def is_over(self) -> bool:
        """The family, or the session, has ended or run out."""
        if self.family is None or (self.session is not None and self.session.dead_at is not None):
            return True
        return self.family.dead_at is not None or min(self.family.idle_until, self.family.abs_until) <= self.now

    def outrun(self, born: Versions, *, has_user: bool) -> Mapping[str, bool]:
        """Which of subject, client and issuer have been revoked (or switched off) since."""
        return {
            "subject": has_user and _moved_on(self.user, born.subject),
            "client": _moved_on(self.client, born.client),
            "issuer": self.issuer_version > born.issuer,
        }


def _moved_on(row: User | Client | None, born: int) -> bool:
    return row is None or not row.enabled or row.version != born


async def _session(services: Services, user_id: str, session_id: str) -> Session | None:
    where = SessionFilter(user_id=user_id, include_dead=True)
    listing = partial(services.session_store.list, where=where, now=services.now())
    async for session in every(listing):
        if session.id == session_id:
            return session
    return None
