"""A token's story as it is told: the rules that refuse tokens, and what is known in the shapes of the admin API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from authserver.administration.client_view import client_body
from authserver.administration.views import event_body, key_body, session_body, user_body, when

if TYPE_CHECKING:
    from authserver.cli.token_rows import Surroundings
    from authserver.model.audit import AuditEvent
    from authserver.model.grant import Family
    from authserver.model.key import SigningKey

RULES = {
    "expired": "its lifetime is over",
    "kid": "its signing key was withdrawn",
    "jti": "this very token was revoked",
    "session": "its session or refresh family has ended",
    "subject": "everything of its user was revoked, or the user was disabled or removed, after it was issued",
    "client": "everything of its client was revoked, or the client was disabled or removed, after it was issued",
    "issuer": "everything of this issuer was revoked after it was issued",
    "superseded": "a newer refresh token of its family has been used",
    "spent": "it was redeemed, and a code is good for once",
}


@dataclass(kw_only=True)
class Story:
    """Everything known about one token, in the shapes of the admin API."""

    kind: str
    alive: bool = False
    refused_by: list[str] = field(default_factory=list)
    token: dict[str, object] = field(default_factory=dict)
    lineage: list[dict[str, object]] = field(default_factory=list)
    key: dict[str, object] | None = None
    client: dict[str, object] | None = None
    user: dict[str, object] | None = None
    session: dict[str, object] | None = None
    family: dict[str, object] | None = None
    events: list[dict[str, object]] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {
            "kind": self.kind,
            "alive": self.alive,
            "refused_by": [{"rule": rule, "meaning": RULES[rule]} for rule in self.refused_by],
            "token": self.token,
            "lineage": self.lineage,
            "key": self.key,
            "client": self.client,
            "user": self.user,
            "session": self.session,
            "family": self.family,
            "events": self.events,
        }

    def tell(
        self, rows: Surroundings, events: list[AuditEvent], denying: Mapping[str, bool], key: SigningKey | None = None
    ) -> None:
        """What is around it, what happened, and which rules deny it."""
        self.key = key_body(key) if key else None
        self.client = client_body(rows.client) if rows.client else None
        self.user = user_body(rows.user) if rows.user else None
        self.session = session_body(rows.session) if rows.session else None
        self.family = _family_body(rows.family) if rows.family else None
        self.events = [event_body(event) for event in events]
        self.refused_by = [rule for rule, denies in denying.items() if denies]


def _family_body(family: Family) -> dict[str, object]:
    return {
        "family_id": family.id,
        "session_id": family.session_id,
        "generation": family.generation,
        "scope": " ".join(family.scope),
        "created_at": when(family.created_at),
        "rotated_at": when(family.rotated_at),
        "idle_until": when(family.idle_until),
        "abs_until": when(family.abs_until),
        "ended_at": when(family.dead_at),
        "ended_reason": family.dead_reason,
    }
