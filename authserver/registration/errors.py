"""Refusals of a registration (RFC 7591 section 3.2.2)."""

from __future__ import annotations

from collections.abc import Collection

from authserver.model.inputs import InvalidField
from authserver.oauth.errors import OAuthError


class InvalidRedirectUri(OAuthError):
    """A redirection URI is malformed, or of a kind that this client may not have."""

    code = "invalid_redirect_uri"


class InvalidClientMetadata(OAuthError):
    """A member is malformed, or does not go with the others or with what strangers may have."""

    code = "invalid_client_metadata"


class InvalidSoftwareStatement(OAuthError):
    """The software statement is no signed JWT."""

    code = "invalid_software_statement"


class UnapprovedSoftwareStatement(OAuthError):
    """The software statement is not of anybody that this server believes."""

    code = "unapproved_software_statement"


def refusal(error: InvalidField, member: str, redirects: Collection[str] = ("redirect_uris",)) -> OAuthError:
    """What a field's reader or a rule says, in the words of RFC 7591: `member` is its name there."""
    kind = InvalidRedirectUri if member in redirects else InvalidClientMetadata
    described = "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in f"{member} {error.problem}")
    return kind(described[:500])
