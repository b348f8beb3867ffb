"""The catalogue: every type of event that the audit log can hold."""

from __future__ import annotations

from enum import StrEnum


class EventType(StrEnum):
    """Dotted names, subject first, so that a prefix is a filter. A name is never reused for something else."""

    # People coming and going.
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGIN_THROTTLED = "login.throttled"
    SESSION_ENDED = "session.ended"
    SESSION_REVOKED = "session.revoked"
    SESSION_OTHERS_ENDED = "sessions.others_ended"

    # Authorization.
    CODE_ISSUED = "code.issued"
    CODE_REDEEMED = "code.redeemed"
    CODE_REPLAYED = "code.replayed"
    CONSENT_GRANTED = "consent.granted"
    CONSENT_WITHDRAWN = "consent.withdrawn"

    LOGOUT_DELIVERED = "logout.delivered"
    """A client was told of it (OpenID Connect Back-Channel Logout)."""
    LOGOUT_FAILED = "logout.failed"
    """A client could not be told, and is not going to be."""

    # Refresh families and tokens.
    FAMILY_REUSED = "family.reused"
    FAMILY_REVOKED = "family.revoked"
    REFRESH_WRONG_CLIENT = "refresh.wrong_client"
    REFRESH_WRONG_KEY = "refresh.wrong_key"
    """Without the key that the token is bound to, or with another one."""
    TOKEN_ISSUED = "token.issued"  # noqa: S105 (an event's name, no credential)
    """By an operator at the command line, not by a grant."""
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - no password
    TOKEN_EXCHANGED = "token.exchanged"  # noqa: S105 - no password
    ASSERTION_ACCEPTED = "assertion.accepted"
    """Of another issuer, traded for a token (RFC 7523)."""
    DEVICE_APPROVED = "device.approved"
    DEVICE_DENIED = "device.denied"

    # Accounts.
    USER_CLAIMS_CHANGED = "user.claims_changed"
    """Says which, never what they say now."""
    USER_CREATED = "user.created"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    USER_PASSWORD_SET = "user.password_set"  # noqa: S105 - no password
    USER_REMOVED = "user.removed"
    USER_REVOKED = "user.revoked"

    # Clients.
    CLIENT_CREATED = "client.created"
    CLIENT_UPDATED = "client.updated"
    CLIENT_DISABLED = "client.disabled"
    CLIENT_ENABLED = "client.enabled"
    CLIENT_REMOVED = "client.removed"
    CLIENT_REVOKED = "client.revoked"
    CLIENT_REGISTERED = "client.registered"
    """By itself: dynamically, or by its document."""
    CLIENT_EXPIRED = "client.expired"
    """It had registered itself and was not used for long."""
    CLIENT_SECRET_ADDED = "client.secret_added"  # noqa: S105 - no password
    CLIENT_SECRET_REMOVED = "client.secret_removed"  # noqa: S105 - no password

    REGISTRATION_TOKEN_ADDED = "registration_token.added"  # noqa: S105 - no password
    REGISTRATION_TOKEN_REMOVED = "registration_token.removed"  # noqa: S105 - no password
    """Both of initial access tokens."""
    REGISTRATION_TOKEN_RENEWED = "registration_token.renewed"  # noqa: S105 - no password
    """Of one client."""

    # Keys and the issuer as a whole.
    KEY_ANNOUNCED = "key.announced"
    KEY_ACTIVATED = "key.activated"
    KEY_RETIRED = "key.retired"
    """Without a successor: its algorithm is no longer used."""
    KEY_REVOKED = "key.revoked"
    ISSUER_REVOKED = "issuer.revoked"
    LOG_RENEWED = "log.renewed"

    # Administration.
    ADMIN_REFUSED = "admin.refused"
