"""What the audit log tells about one token."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from authserver.audit.events import EventType
from authserver.cli.runtime import every
from authserver.model.audit import AuditEvent
from authserver.model.time import MINUTE, Instant
from authserver.storage.interface import AuditFilter

if TYPE_CHECKING:
    from authserver.model.session import Session
    from authserver.services import Services

_ENDINGS = tuple(
    str(kind)
    for kind in EventType
    if str(kind).endswith((".revoked", ".ended", ".reused", ".disabled", ".removed", ".password_set", "_ended"))
)
"""Events that can be the end of a token."""
_NAMED_IN_DETAIL = tuple(
    str(kind)
    for kind in (
        EventType.ISSUER_REVOKED,
        EventType.KEY_REVOKED,
        EventType.TOKEN_REVOKED,
        EventType.TOKEN_ISSUED,
        EventType.FAMILY_REVOKED,
    )
)
"""Those that concern everybody, or name a token, family or key and neither user nor client."""
_BEGINNINGS = tuple(
    str(kind)
    for kind in (EventType.CODE_ISSUED, EventType.CODE_REDEEMED, EventType.CODE_REPLAYED, EventType.TOKEN_EXCHANGED)
)
"""Of a user, and of a session that may be another than the token's."""
CODE_LIFE = 2 * MINUTE
"""A code is issued before there is anything that it gave."""
_MOST_EVENTS = 2000
"""Read of each kind: a story is told by a person's patience."""


async def events_about(
    services: Services,
    since: Instant,
    names: set[str | None],
    client_id: str,
    user_id: str | None,
    session: Session | None,
) -> list[AuditEvent]:
    """What the audit log tells about beginning and end of the token, newest first: events of its user, client and
    session, of the issuer, and those that name its jti, family or key."""
    found: dict[str, AuditEvent] = {}
    for where in (
        AuditFilter(types=_ENDINGS, user_id=user_id, since=since) if user_id else None,
        AuditFilter(types=_ENDINGS, client_id=client_id, since=since),
        AuditFilter(session_id=session.id, since=since) if session else None,
        AuditFilter(types=_BEGINNINGS, user_id=user_id, since=since - CODE_LIFE) if user_id else None,
        AuditFilter(types=_NAMED_IN_DETAIL, since=since),
    ):
        if where is not None:
            listing = partial(services.audit_store.list, where=where)
            found.update([(event.id, event) async for event in every(listing, _MOST_EVENTS)])
    about = {client_id, user_id, session.id if session else None} - {None}
    telling = [event for event in found.values() if _concerns(event, names, about)]
    return sorted(telling, key=lambda event: event.id, reverse=True)


def _concerns(event: AuditEvent, names: set[str | None], about: set[str | None]) -> bool:
    """By what it names most closely: a token or family first, then a session, a user, a client; else everybody."""
    named = [event.detail.get(name) for name in ("jti", "family_id", "kid", "revoked")]
    if any(named):
        return bool(names & {str(name) for name in named if name})
    closest = event.session_id or event.user_id or event.client_id
    if event.type == EventType.SESSION_OTHERS_ENDED:
        return event.user_id in about and event.session_id not in about
    return event.type == EventType.ISSUER_REVOKED if closest is None else closest in about
