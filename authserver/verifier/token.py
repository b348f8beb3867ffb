"""What a verified token says, and what the revocations are asked about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .confirmation import Confirmation


class TokenKeys(NamedTuple):
    """The six things about a token that can be revoked, made once when its signature is verified.

    The texts are 16 bytes each, `records.key_of(kind, issuer, value)`; `s`, `c`, `i` are the token's `rv`.
    `Revocations.refusal(keys)` answers the kind that denies it ("kid", "jti", "sid", "sub", "cli", "iss") or None.
    """

    kid: bytes
    jti: bytes
    sid: bytes | None
    """None for a token without a session, such as a client's own."""
    sub: bytes
    cli: bytes
    s: int
    c: int
    i: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedToken:
    """An access token that was let in (RFC 9068 section 2.2). Shared between requests, hence unchangeable."""

    subject: str
    client_id: str
    scopes: frozenset[str]
    session_id: str | None
    """`sid`: one for each log-in at each client; None for a client's own token."""
    token_id: str
    issuer: str
    audience: tuple[str, ...]
    issued_at: int
    """Seconds since the epoch, like `expires_at`."""
    expires_at: int
    claims: Mapping[str, Any] = field(repr=False)
    """All claims, read-only all the way down: arrays are tuples."""
    confirmation: Confirmation | None = None
    """The key that it is bound to, which was proven when the token was let in; None for a bearer token."""

    @property
    def is_client(self) -> bool:
        """The client's own token, without a user (RFC 9068 section 2.2: `sub` is the client then)."""
        return self.subject == self.client_id

    def has_scope(self, scope: str | Iterable[str]) -> bool:
        """True if the token has all of them; `"a b"` and `["a", "b"]` mean the same."""
        return self.scopes.issuperset(scope.split() if isinstance(scope, str) else scope)
