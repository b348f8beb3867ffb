"""What can be taken back, what came of it, and what the state of a token is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .grant import Versions
from .time import Instant

RevocationKind = Literal["jti", "family", "session", "user", "client", "kid", "all"]

EntryKind = Literal["jti", "sid", "sub", "cli", "kid", "iss"]
"""The kinds of the revocation log (REVOCATION: "What a token carries, what denies it")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationTarget:
    kind: RevocationKind
    value: str = ""
    """jti, family id, session id, user id, client id or kid; empty for "all"."""
    expires_at: Instant | None = None
    """For "jti": when the token itself expires, which is how long it must be remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationOutcome:
    """What a revocation ended (or, in a dry run, would end)."""

    found: bool
    """The target exists. A second revocation of the same thing finds it and changes nothing."""
    changed: bool
    outbox_id: int | None
    """Its last entry in the outbox, from which follows its place in the log; None for a dry run or when nothing
    changed."""
    sessions: int | None
    families: int | None
    """None: ended, and too many to count in time, or the database went away before it had counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """What the revocation log is made from: one row per entry, in the transaction of its cause."""

    id: int
    kind: EntryKind
    value: str
    version: int
    """The minimum that a token must carry, for kinds sub, cli and iss; else 0."""
    expires_at: Instant | None
    """For jti only: when the token expires by itself."""
    created_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """The parts of a verified access token that decide whether it was taken back."""

    kid: str | None
    """None for an opaque token, which no key has signed."""
    jti: str
    subject: str
    client_id: str
    family_id: str | None
    versions: Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenState:
    """The verdict of the database on one access token. `alive` is False for anything unknown."""

    alive: bool
    reason: str = field(default="")
    """Why not: "kid", "jti", "session", "subject", "client" or "issuer"; empty when alive."""
    session_id: str | None = None
    username: str | None = None
