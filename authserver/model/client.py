"""A registered client: a program that asks for tokens, or a resource server that validates them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from .time import Duration, Instant

AuthMethod = Literal[
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "none",
]
RefreshRotation = Literal["always", "never"]
ApplicationType = Literal["web", "native"]
SubjectType = Literal["public", "pairwise"]
AssertionAudience = Literal["issuer", "legacy"]
AccessTokenFormat = Literal["jwt", "opaque"]
AccessTokenTyp = Literal["at+jwt", "JWT"]
Profile = Literal["default", "fapi2"]
FAPI_ALGORITHMS: Final = ("PS256", "ES256", "EdDSA")
"""What may be signed with in the profile fapi2, by server and clients (FAPI 2.0 section 5.4.1)."""
Origin = Literal["admin", "dynamic", "document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """One of a client's secrets; several are valid at once so that they can be rotated without an outage."""

    id: str
    """UUIDv7, names the secret in lists; not a credential."""
    sha256: bytes
    """SHA-256 of the secret. The secret has 256 random bits, so a slow hash would add nothing."""
    created_at: Instant
    expires_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    id: str
    """Never a UUID, so that it cannot collide with the `sub` of a user (RFC 9068 section 5)."""
    name: str
    auth_method: AuthMethod
    grant_types: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    """Every scope it may ask for; when a request names none, all are granted but those of OpenID Connect."""
    resources: tuple[str, ...] = ()
    """Resource indicators (RFC 8707) it may ask tokens for; the first one is the default audience.
    Empty: the issuer itself is the only audience."""
    audiences: tuple[str, ...] = ()
    """Resource indicators this client *answers for*: it may introspect tokens meant for them."""
    redirect_uris: tuple[str, ...] = ()
    first_party: bool = False
    """May send a user's password to POST /login."""
    refresh_rotation: RefreshRotation = "always"
    access_token_ttl: Duration | None = None
    """Overrides the server's default when set; never longer than it."""
    enabled: bool = True
    version: int = 0
    """Revocation version, the `c` of a token's `rv`."""
    created_at: Instant = 0
    updated_at: Instant = 0
    secrets: tuple[ClientSecret, ...] = ()

    # From here on: names and meanings of RFC 7591 and OpenID Connect Registration where those have one.
    # A field below has a default, is kept in one JSON column (see `storage.sql.rows`) and needs no migration.

    # -- how it authenticates
    jwks: str | None = None
    """Its public keys, a JWK set as JSON text (RFC 7517 section 5); never together with `jwks_uri`."""
    jwks_uri: str | None = None
    token_endpoint_auth_signing_alg: str | None = None
    """The one algorithm of its assertions; None: any that this server accepts."""
    assertion_audience: AssertionAudience = "issuer"
    """"issuer": RFC 10070, the issuer alone; "legacy": the URL of the endpoint that is called too (RFC 7523), and an
    `exp` up to an hour ahead."""
    tls_client_auth_subject_dn: str | None = None
    """Exactly one of the five `tls_client_auth_*` for method tls_client_auth (RFC 8705 section 2.1.2)."""
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None

    # -- the authorization endpoint
    application_type: ApplicationType = "web"
    require_pkce: bool = True
    """May be False for a confidential client only (OAuth 2.1 section 7.5.1)."""
    require_pushed_authorization_requests: bool = False
    require_signed_request_object: bool = False
    request_object_signing_alg: str | None = None
    default_max_age: int | None = None
    """Seconds."""
    default_acr_values: tuple[str, ...] = ()
    authorization_details_types: tuple[str, ...] = ()
    """Types of RFC 9396 it may ask for; empty: none."""

    # -- tokens
    access_token_format: AccessTokenFormat = "jwt"  # noqa: S105 (no password)
    access_token_typ: AccessTokenTyp = "at+jwt"  # noqa: S105 - no password
    access_token_signed_response_alg: str | None = None
    """None: the server's default, RS256. So for the next three; userinfo is then plain JSON."""
    id_token_signed_response_alg: str | None = None
    userinfo_signed_response_alg: str | None = None
    introspection_signed_response_alg: str | None = None
    dpop_bound_access_tokens: bool = False
    """Gets tokens with a DPoP proof only (RFC 9449 section 5.2)."""
    tls_client_certificate_bound_access_tokens: bool = False
    """Gets tokens over mutual TLS only, bound to its certificate (RFC 8705 section 3.4)."""
    subject_type: SubjectType = "public"
    sector_identifier_uri: str | None = None
    token_exchange_clients: tuple[str, ...] = ()
    """For whose tokens it may trade tokens (RFC 8693): client ids it may act for; "*": any."""
    may_impersonate: bool = False
    """Its exchanged tokens may leave out `act`."""

    # -- logging out
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = False

    # -- what people are shown
    client_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    contacts: tuple[str, ...] = ()

    # -- where it comes from
    profile: Profile = "default"
    """"fapi2": the rules of FAPI 2.0 Security Profile (see `administration.profiles`)."""
    origin: Origin = "admin"
    """"dynamic": registered itself (RFC 7591); "document": its id is the URL of its metadata."""
    software_id: str | None = None
    software_version: str | None = None

    @property
    def is_public(self) -> bool:
        return self.auth_method == "none"

    @property
    def uses_secret(self) -> bool:
        """It has secrets; other confidential clients have keys or certificates."""
        return self.auth_method.startswith("client_secret_")

    @property
    def is_native(self) -> bool:
        return self.application_type == "native"
