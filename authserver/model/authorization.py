"""An authorization request on its way from the authorization endpoint to a code, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from .grant import Confirmation
from .session import Session
from .time import Instant

ResponseMode = Literal["query", "form_post"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A request that was checked from the first parameter to the last: `oauth.authorization_request` alone makes it.

    Plain values only, so that it can be sealed into a page, kept for a pushed request and stored with a code.
    """

    client_id: str
    redirect_uri: str
    """Where the answer goes: the registered one when the request named none, "" when no browser brings the request."""
    redirect_uri_given: bool = True
    """It was a parameter; then the token request may repeat it, and if it does it must be the same."""
    response_mode: ResponseMode = "query"
    state: str | None = None
    scope: tuple[str, ...] = ()
    """What may be granted: asked for and allowed to the client."""
    scope_asked: tuple[str, ...] | None = None
    """None: no `scope` parameter."""
    resources: tuple[str, ...] = ()
    """The audience, the client's default one when none was asked for."""
    code_challenge: str | None = None
    """S256 (RFC 7636 section 4.2)."""
    nonce: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    """Seconds."""
    login_hint: str | None = None
    id_token_hint: str | None = None
    """The `sub` that the hint was issued for: the client's name for the user, pairwise or not."""
    acr_values: tuple[str, ...] = ()
    claims: Mapping[str, object] = field(default_factory=dict)
    """OpenID Connect Core section 5.5, members "userinfo" and "id_token" only, their shape checked."""
    ui_locales: tuple[str, ...] = ()
    authorization_details: tuple[Mapping[str, object], ...] = ()
    dpop_jkt: str | None = None
    """RFC 9449 section 10: the code is redeemed with this key or not at all."""

    @property
    def is_openid(self) -> bool:
        return "openid" in self.scope

    @property
    def is_offline(self) -> bool:
        return "offline_access" in self.scope

    def as_json(self) -> dict[str, Any]:
        """What differs from the defaults, in JSON values."""
        return {name: value for name, value in asdict(self).items() if value != _DEFAULTS.get(name, _NONE)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AuthorizationRequest:
        """The inverse of `as_json`."""
        members: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        return cls(**members)


_NONE = object()
_DEFAULTS: dict[str, object] = {
    item.name: {} if item.name == "claims" else item.default for item in fields(AuthorizationRequest)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedRequest:
    """A request that waits for its browser (RFC 9126). Spent when a code is issued for it, not when it is looked at."""

    handle_hash: bytes = field(repr=False)
    """SHA-256 of the random part of its request_uri."""
    client_id: str
    request: AuthorizationRequest
    created_at: Instant
    expires_at: Instant
    spent_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grantor:
    """Who gave the authorization, and how they had logged in: a living browser session at that moment."""

    user_id: str
    session_id: str
    auth_time: Instant
    acr: str | None = None
    amr: tuple[str, ...] = ()

    @classmethod
    def of(cls, session: Session) -> Grantor:
        return cls(
            user_id=session.user_id,
            session_id=session.id,
            auth_time=session.auth_time,
            acr=session.acr,
            amr=session.amr,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """RFC 6749 section 4.1.2. The code itself is known to the client alone."""

    handle_hash: bytes = field(repr=False)
    family_id: str
    """UUIDv7 that the family will have: whoever sees the code again knows what to end."""
    request: AuthorizationRequest
    """`scope` is what was granted."""
    grantor: Grantor
    client_version: int = 0
    """Of the client when it was given: what revokes everything a client has revokes what is on its way to it."""
    created_at: Instant
    expires_at: Instant
    spent_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a user has allowed a client, remembered until it is withdrawn."""

    user_id: str
    client_id: str
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    authorization_details: tuple[Mapping[str, object], ...] = ()
    granted_at: Instant
    updated_at: Instant

    def covers(
        self, scope: Sequence[str], resources: Sequence[str], details: Sequence[Mapping[str, object]] = ()
    ) -> bool:
        """Nothing is asked for that was not allowed before."""
        return (
            set(scope) <= set(self.scope)
            and set(resources) <= set(self.resources)
            and all(detail in self.authorization_details for detail in details)
        )


DeviceState = Literal["pending", "approved", "denied", "spent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """A device that waits for somebody to log in elsewhere (RFC 8628)."""

    handle_hash: bytes = field(repr=False)
    """SHA-256 of the device_code's secret."""
    user_code_hash: bytes = field(repr=False)
    """HMAC of the normalised user code: few enough to be guessed, so no plain hash."""
    client_id: str
    scope: tuple[str, ...]
    scope_asked: tuple[str, ...] | None = None
    resources: tuple[str, ...]
    authorization_details: tuple[Mapping[str, object], ...] = ()
    confirmation: Confirmation | None = None
    state: DeviceState = "pending"
    interval: int = 5
    """Seconds between polls; grows by 5 with each that comes too soon (section 3.5)."""
    polled_at: Instant | None = None
    grantor: Grantor | None = None
    family_id: str
    address: str = ""
    """Of the device, to be shown to the person who approves."""
    created_at: Instant
    expires_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceToken:
    """An opaque access token: its claims stay here and are told by introspection."""

    handle_hash: bytes = field(repr=False)
    jti: str
    claims: Mapping[str, object]
    """What the JWT would have said, times in seconds."""
    expires_at: Instant
