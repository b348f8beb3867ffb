"""How a token came to be: from the log-in to this very token, as far as rows and audit log still know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from authserver.administration.views import when
from authserver.audit.events import EventType
from authserver.model.time import SECOND

if TYPE_CHECKING:
    from authserver.cli.token_rows import Surroundings
    from authserver.model.audit import AuditEvent
    from authserver.model.time import Instant
    from authserver.tokens.claims import AccessTokenClaims

Step = dict[str, object]
_NEAR = 2 * SECOND
"""An exchange is audited with the token that it gave, which the event does not name."""


def lineage(rows: Surroundings, events: Sequence[AuditEvent], claims: AccessTokenClaims | None = None) -> list[Step]:
    """Oldest first: {"step", "at", "client_id", "detail"}. `claims` of an access token, whose last step they tell."""
    steps = [*_log_in(rows), *_codes(events), *_refreshes(rows)]
    return steps + (list(_last(rows, events, claims)) if claims is not None else [])


def _step(name: str, at: Instant | None, client_id: str | None, detail: str = "") -> Step:
    return {"step": name, "at": when(at), "client_id": client_id, "detail": detail}


def _log_in(rows: Surroundings) -> Iterator[Step]:
    if rows.session is not None:
        how = ", ".join(rows.session.amr)
        yield _step(
            "log-in", rows.session.auth_time, rows.session.client_id, f"session {rows.session.id} {how}".strip()
        )


def _codes(events: Sequence[AuditEvent]) -> Iterator[Step]:
    for event in reversed(events):
        if event.type == EventType.CODE_REDEEMED:
            name = "device code redeemed" if event.detail.get("device") else "authorization code redeemed"
            yield _step(name, event.at, event.client_id, f"family {event.detail.get('family_id')}")


def _refreshes(rows: Surroundings) -> Iterator[Step]:
    family = rows.family
    if family is not None and family.generation:
        yield _step("refreshed", family.rotated_at, family.client_id, f"generation {family.generation} of {family.id}")


def _last(rows: Surroundings, events: Sequence[AuditEvent], claims: AccessTokenClaims) -> Iterator[Step]:
    for event in events:
        if event.type == EventType.TOKEN_ISSUED and event.detail.get("jti") == claims.jti:
            yield _step("minted by an operator", event.at, claims.client_id, event.actor)
            return
    if claims.sid is None:
        yield _step("client credentials", claims.iat, claims.client_id)
    elif rows.family is not None and claims.client_id != rows.family.client_id:
        exchanged = next((event for event in events if _may_have_given(event, claims)), None)
        giver = rows.family.client_id if exchanged is None else exchanged.detail.get("from_client")
        yield _step("exchanged", claims.iat, claims.client_id, f"for a token of {giver}")
    if claims.act is not None:
        yield _step("acted for", claims.iat, claims.client_id, " for ".join(actors(claims.act)))


def _may_have_given(event: AuditEvent, claims: AccessTokenClaims) -> bool:
    is_its = event.type == EventType.TOKEN_EXCHANGED and event.client_id == claims.client_id
    return is_its and abs(event.at - claims.iat) <= _NEAR


def actors(act: Mapping[str, Any] | None) -> list[str]:
    """Who acts, then for whom that one acts in turn (RFC 8693 section 4.1)."""
    found: list[str] = []
    while isinstance(act, Mapping):
        found.append(str(act.get("sub")))
        act = act.get("act")
    return found
