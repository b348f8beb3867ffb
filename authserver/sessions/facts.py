"""What may be shown of a session, to its owner as to an administrator. An allow-list: no secret, no version."""

from __future__ import annotations

from authserver.model.inputs import rfc3339
from authserver.model.session import Session


def session_facts(session: Session) -> dict[str, object]:
    """Times are RFC 3339 in UTC."""
    return {
        "session_id": session.id,
        "kind": session.kind,
        "client_id": session.client_id,
        "auth_time": rfc3339(session.auth_time),
        "acr": session.acr,
        "amr": list(session.amr),
        "created_at": rfc3339(session.created_at),
        "last_seen_at": rfc3339(session.last_seen_at),
        "idle_until": rfc3339(session.idle_until),
        "abs_until": rfc3339(session.abs_until),
        "user_agent": session.user_agent,
        "address": session.address,
    }
