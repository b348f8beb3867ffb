"""The one base of everything that is refused on purpose.

`description` is public and goes to the caller; `detail` is for the log alone. Any other
exception is a bug, and its text never leaves the process.
"""

from __future__ import annotations

from collections.abc import Mapping


class Refused(Exception):
    """A request that is answered with an error the caller can act on."""

    code: str = "invalid_request"
    status: int = 400

    def __init__(
        self,
        description: str,
        *,
        detail: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(description)
        self.description = description
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


class NotAuthenticated(Refused):
    """No session, or none that is still alive (401)."""

    code = "login_required"
    status = 401


class InvalidToken(Refused):
    """A bearer token that is malformed, expired or revoked (RFC 6750 section 3.1)."""

    code = "invalid_token"
    status = 401


class InsufficientScope(Refused):
    """A valid token that does not carry the scope asked for (RFC 6750 section 3.1)."""

    code = "insufficient_scope"
    status = 403


class Forbidden(Refused):
    """Authenticated, yet not allowed: a missing CSRF token, a cross-site request."""

    code = "access_denied"
    status = 403


class NotFound(Refused):
    """The named thing does not exist, or is not the caller's to see."""

    code = "not_found"
    status = 404


class Conflict(Refused):
    """The change collides with what is stored, for instance a name already taken."""

    code = "conflict"
    status = 409


class TooManyRequests(Refused):
    """Throttled; `Retry-After` says for how many seconds."""

    code = "too_many_requests"
    status = 429

    def __init__(self, description: str, *, retry_after: int, detail: str | None = None) -> None:
        super().__init__(description, detail=detail, headers={"Retry-After": str(max(1, retry_after))})
        self.retry_after = max(1, retry_after)


class TemporarilyUnavailable(Refused):
    """Something this request needs is down; it is safe to repeat (503 with Retry-After)."""

    code = "temporarily_unavailable"
    status = 503

    def __init__(self, description: str, *, retry_after: int = 1, detail: str | None = None) -> None:
        super().__init__(description, detail=detail, headers={"Retry-After": str(max(1, retry_after))})
