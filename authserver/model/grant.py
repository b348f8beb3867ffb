"""What a grant proves, and the refresh family that keeps it alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .client import Client
from .time import Instant


class Versions(NamedTuple):
    """Revocation versions of subject, client and issuer: the `rv` claim, "s.c.i".

    They are read in the same statement that authorises the issue. A token whose number is behind
    the stored one is revoked, whatever the clocks say.
    """

    subject: int
    client: int
    issuer: int

    def __str__(self) -> str:
        return f"{self.subject}.{self.client}.{self.issuer}"

    @classmethod
    def parse(cls, text: str) -> Versions:
        """Read "s.c.i"; raises ValueError for anything else."""
        subject, client, issuer = text.split(".")
        if not (subject.isdecimal() and client.isdecimal() and issuer.isdecimal()):
            raise ValueError("rv is not s.c.i")
        return cls(int(subject), int(client), int(issuer))


class Confirmation(NamedTuple):
    """The key that whoever presents the token must prove to hold: the `cnf` claim (RFC 7800)."""

    method: Literal["jkt", "x5t#S256"]
    """A DPoP key (RFC 9449 section 6.1) or a client certificate (RFC 8705 section 3.1)."""
    thumbprint: str
    """SHA-256 in base64url without padding: of the JWK (RFC 7638), or of the certificate's DER."""

    def __str__(self) -> str:
        return f"{self.method}:{self.thumbprint}"

    @property
    def claim(self) -> dict[str, str]:
        return {self.method: self.thumbprint}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was granted beside scope and resources; the same for every refresh of the family."""

    authorization_details: tuple[Mapping[str, object], ...] = ()
    """RFC 9396."""
    claims: Mapping[str, object] = field(default_factory=dict)
    """The `claims` parameter as it was granted (OpenID Connect Core section 5.5): "userinfo" and "id_token"."""
    actor: Mapping[str, object] | None = None
    """The `act` claim (RFC 8693 section 4.1) of everything that this family gives."""
    sid: str | None = None
    """The `sid` of its id tokens where that is not the family itself: offline access outlives the log-out that its
    client is told of, so the log-in has a family of its own (see `oauth.grants.authorization_code`)."""

    @property
    def is_plain(self) -> bool:
        return self == Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A refresh-token family: one row per log-in and client, whatever number of rotations."""

    id: str
    """UUIDv7; the `sid` claim of its access tokens."""
    session_id: str
    user_id: str
    client_id: str
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    """The audience that was granted; a refresh may narrow it, never widen it."""
    generation: int
    cur_hash: bytes = field(repr=False)
    """SHA-256 of the current secret."""
    prev_hash: bytes | None = field(default=None, repr=False)
    """SHA-256 of the immediate parent's secret."""
    salt: bytes = field(repr=False)
    """Random; with the parent's secret it makes the current one again."""
    rotated_at: Instant
    auth_time: Instant
    acr: str | None = None
    amr: tuple[str, ...] = ()
    user_version: int = 0
    client_version: int = 0
    issuer_version: int = 0
    created_at: Instant
    idle_until: Instant
    abs_until: Instant
    dead_at: Instant | None = None
    dead_reason: str | None = None
    bound_to: str | None = None
    """`str(Confirmation)` of the key without which its refresh tokens are worth nothing; None: not bound. Only the
    refresh tokens of public clients are: the others are bound to the client, which authenticates."""
    terms: Terms = Terms()

    @property
    def versions(self) -> Versions:
        return Versions(self.user_version, self.client_version, self.issuer_version)


class OpenIdFacts(NamedTuple):
    """What an id token says beside the authorization itself."""

    nonce: str | None = None
    """As in the authorization request; None after a refresh (OpenID Connect Core section 12.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What a grant proved: everything the issuer needs to mint an access token."""

    client: Client
    subject: str
    """User id, or the client's own id for client_credentials (RFC 9068 section 2.2)."""
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    versions: Versions
    family_id: str | None = None
    """The `sid` claim; None for client_credentials."""
    auth_time: Instant | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    not_after: Instant | None = None
    """Absolute end of the session: no access token outlives it."""
    refresh_token: str | None = field(default=None, repr=False)
    scope_asked: tuple[str, ...] | None = None
    """What the request asked for, when it named scopes."""
    confirmation: Confirmation | None = None
    """The key the access token is bound to."""
    terms: Terms = Terms()
    openid: OpenIdFacts | None = None
    """An id token goes with the access token; None: not an OpenID Connect request."""
    issued_token_type: str | None = None
    """Said in the answer to a token exchange only (RFC 8693 section 2.2.1)."""

    @classmethod
    def of_family(
        cls,
        family: Family,
        client: Client,
        *,
        scope: tuple[str, ...],
        audience: tuple[str, ...],
        refresh_token: str | None = None,
        scope_asked: tuple[str, ...] | None = None,
        confirmation: Confirmation | None = None,
        openid: OpenIdFacts | None = None,
    ) -> Authorization:
        """What a log-in gave, for this scope and audience; ends with it."""
        return cls(
            client=client,
            subject=family.user_id,
            scope=scope,
            audience=audience,
            versions=family.versions,
            family_id=family.id,
            auth_time=family.auth_time,
            acr=family.acr,
            amr=family.amr,
            not_after=family.abs_until,
            refresh_token=refresh_token,
            scope_asked=scope_asked,
            confirmation=confirmation,
            terms=family.terms,
            openid=openid,
        )
