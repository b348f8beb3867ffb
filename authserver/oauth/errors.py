"""One class per OAuth error code; the description is public, the detail is for the log.

Descriptions keep to the characters of RFC 6749 section 5.2: printable ASCII without quote and backslash.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from authserver.model.errors import Refused

RefreshRefusal = Literal["reused", "revoked", "session_ended", "expired"]
"""Why a genuine refresh token is no longer good; said in `error_reason` beside invalid_grant."""


class OAuthError(Refused):
    """A refusal whose code is registered for OAuth."""


class InvalidRequest(OAuthError):
    """A parameter is missing, repeated or malformed (RFC 6749 section 5.2)."""

    code = "invalid_request"


class InvalidClient(OAuthError):
    """Client authentication failed: 401, the same words whatever the cause (RFC 6749 section 5.2).

    The challenge goes only to callers that used the Authorization header, where it is required;
    on any other answer a `WWW-Authenticate` makes some clients ignore the JSON.
    """

    code = "invalid_client"
    status = 401

    def __init__(
        self, description: str = "client authentication failed", *, challenge: bool = False, detail: str | None = None
    ) -> None:
        headers = {"WWW-Authenticate": 'Basic realm="authserver", charset="UTF-8"'} if challenge else None
        super().__init__(description, detail=detail, headers=headers)


class InvalidGrant(OAuthError):
    """The grant is unknown, used, expired, revoked or somebody else's (RFC 6749 section 5.2).

    `reason` goes out as `error_reason`: only for who proved to hold a genuine token of that family.
    """

    code = "invalid_grant"

    def __init__(self, description: str, *, reason: RefreshRefusal | None = None, detail: str | None = None) -> None:
        extra: Mapping[str, object] = {} if reason is None else {"error_reason": reason}
        super().__init__(description, detail=detail, extra=extra)


class InvalidScope(OAuthError):
    """A scope is malformed, not the client's, or more than was granted (RFC 6749 section 5.2)."""

    code = "invalid_scope"


class InvalidTarget(OAuthError):
    """A resource is malformed, not the client's, or more than was granted (RFC 8707 section 2)."""

    code = "invalid_target"


class UnauthorizedClient(OAuthError):
    """The client is known, yet not allowed this grant (RFC 6749 section 5.2)."""

    code = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """This server has no such grant (RFC 6749 section 5.2)."""

    code = "unsupported_grant_type"
