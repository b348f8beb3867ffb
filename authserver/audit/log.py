"""Building audit events: who, what, when; never a credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from authserver.audit.events import EventType
from authserver.audit.sparing import Sparing
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.audit import AuditEvent, Caller

MAX_TEXT = 512
"""Characters kept of any one text: the log is no place to fill a disk from outside."""

_CREDENTIALS = frozenset(
    {"password", "secret", "client_secret", "token", "access_token", "refresh_token", "id_token", "cookie"}
    | {"authorization", "private_key", "master_key", "csrf_token", "code", "handle"}
)


@dataclass(frozen=True, slots=True)
class AuditLog:
    """Makes events; the store verb they are handed to writes them with the change they describe."""

    now: Clock
    _sparing: Sparing = field(default_factory=Sparing, repr=False, compare=False)

    def may_tell(self, type: EventType, *who: str) -> bool:
        """To be asked before the event of a refusal: False when `who` has caused enough of them this minute."""
        return self._sparing.allows(self.now(), type.value, *who)

    def event(
        self,
        type: EventType,
        caller: Caller,
        *,
        user_id: str | None = None,
        client_id: str | None = None,
        session_id: str | None = None,
        **detail: object,
    ) -> AuditEvent:
        """An event of this moment. `detail` must be JSON values; None is left out.

        Raises ValueError for a detail named like a credential: that is a bug in the caller, and failing
        is better than a password in the log.
        """
        at = self.now()
        return AuditEvent(
            id=uuid7(at),
            at=at,
            type=type.value,
            actor=_bounded(caller.actor),
            address=_bounded(caller.address),
            request_id=_bounded(caller.request_id),
            user_id=user_id,
            client_id=client_id,
            session_id=session_id,
            detail=_clean(detail),
        )


def _clean(detail: Mapping[str, object]) -> dict[str, object]:
    named_like_credentials = _CREDENTIALS & detail.keys()
    if named_like_credentials:
        raise ValueError(f"audit detail named like a credential: {', '.join(sorted(named_like_credentials))}")
    return {name: _bounded_value(value) for name, value in detail.items() if value is not None}


def _bounded_value(value: object) -> object:
    return _bounded(value) if isinstance(value, str) else value


def _bounded(text: str) -> str:
    # PostgreSQL text cannot hold NUL, and an event that cannot be written would fail what it describes.
    return text[:MAX_TEXT].replace("\x00", "\ufffd")
