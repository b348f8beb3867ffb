"""A session as its owner sees it: no secrets, times as RFC 3339."""

from __future__ import annotations

from authserver.model.inputs import rfc3339
from authserver.model.session import Session


def session_view(session: Session, *, current: bool) -> dict[str, object]:
    return {
        "session_id": session.id,
        "current": current,
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
