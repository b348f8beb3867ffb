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


class ToldLater(OAuthError):
    """What was wrong with a request, kept until its user has logged in."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code


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


# -- the authorization endpoint (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6) ----


class AccessDenied(OAuthError):
    """The user said no (RFC 6749 section 4.1.2.1)."""

    code = "access_denied"


class UnsupportedResponseType(OAuthError):
    """Anything but a code (RFC 6749 section 4.1.2.1)."""

    code = "unsupported_response_type"


class LoginRequired(OAuthError):
    """Nobody has logged in, or not so recently, and prompt=none forbids to ask (OpenID Connect Core 3.1.2.6)."""

    code = "login_required"


class ConsentRequired(OAuthError):
    """The user has not allowed this, and prompt=none forbids to ask (OpenID Connect Core 3.1.2.6)."""

    code = "consent_required"


class AccountSelectionRequired(OAuthError):
    """The user was to choose an account and did not (OpenID Connect Core 3.1.2.6)."""

    code = "account_selection_required"


class UnmetAuthenticationRequirements(OAuthError):
    """An `acr` that is essential cannot be had (OpenID Connect Core Error Code unmet_authentication_requirements)."""

    code = "unmet_authentication_requirements"


class RequestUriNotSupported(OAuthError):
    """A `request_uri` that is not one of our own (OpenID Connect Core 3.1.2.6)."""

    code = "request_uri_not_supported"


class InvalidRequestUri(OAuthError):
    """A pushed request that is unknown, used, expired or another client's (RFC 9101 section 7)."""

    code = "invalid_request_uri"


class InvalidRequestObject(OAuthError):
    """A request object that is malformed, not signed by the client, or not for here and now (RFC 9101 section 7)."""

    code = "invalid_request_object"


class InvalidAuthorizationDetails(OAuthError):
    """Of an unknown type, malformed, or more than was granted (RFC 9396 section 5)."""

    code = "invalid_authorization_details"
