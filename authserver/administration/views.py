"""Records as administrators see them. Allow-lists: a field that is not named here does not leave.

Times are RFC 3339 in UTC; durations are seconds; no hash, secret or encrypted key is ever shown.
"""

from __future__ import annotations

from authserver.model.account import User
from authserver.model.audit import AuditEvent
from authserver.model.inputs import rfc3339
from authserver.model.key import SigningKey
from authserver.model.resource_server import ResourceServer
from authserver.model.revocation import RevocationOutcome
from authserver.model.session import Session
from authserver.model.time import Instant
from authserver.sessions.facts import session_facts


def when(at: Instant | None) -> str | None:
    return None if at is None else rfc3339(at)


def user_body(user: User) -> dict[str, object]:
    return {
        "user_id": user.id,
        "username": user.username,
        "enabled": user.enabled,
        "has_password": user.password_hash is not None,
        "claims": dict(user.claims),
        "revocation_version": user.version,
        "created_at": when(user.created_at),
        "updated_at": when(user.updated_at),
    }


def session_body(session: Session) -> dict[str, object]:
    return {
        "user_id": session.user_id,
        **session_facts(session),
        "alive": session.alive,
        "ended_at": when(session.dead_at),
        "ended_reason": session.dead_reason,
    }


def key_body(key: SigningKey) -> dict[str, object]:
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": key.state,
        "created_at": when(key.created_at),
        "active_at": when(key.active_at),
        "retired_at": when(key.retired_at),
        "remove_at": when(key.remove_at),
        "revoked_at": when(key.revoked_at),
        "reason": key.reason,
    }


def event_body(event: AuditEvent) -> dict[str, object]:
    return {
        "id": event.id,
        "at": when(event.at),
        "type": str(event.type),
        "actor": event.actor,
        "address": event.address,
        "request_id": event.request_id,
        "user_id": event.user_id,
        "client_id": event.client_id,
        "session_id": event.session_id,
        "detail": dict(event.detail),
    }


def resource_server_body(server: ResourceServer, log: str, seq: int, now: Instant) -> dict[str, object]:
    """Against the log as it stands now."""
    return {
        "client_id": server.client_id,
        "instance": server.instance,
        "state": server.state(log, seq, now),
        "log": server.log,
        "seq": server.seq,
        "lag": server.lag(log, seq),
        "entries": server.entries,
        "address": server.address,
        "version": server.version,
        "first_seen": when(server.first_seen),
        "reported_at": when(server.reported_at),
    }


def outcome_body(outcome: RevocationOutcome, sequence: int | None, *, dry_run: bool) -> dict[str, object]:
    """`sequence`: its place in the revocation log; None if it wrote nothing there, or is not published yet."""
    return {
        "sequence": sequence,
        "sessions": outcome.sessions,
        "families": outcome.families,
        "dry_run": dry_run,
    }
