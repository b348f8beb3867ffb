"""A registered client: a program that asks for tokens, or a resource server that validates them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .time import Duration, Instant

AuthMethod = Literal["client_secret_basic", "client_secret_post", "none"]
RefreshRotation = Literal["always", "never"]


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
    """Every scope it may ask for; all of them are granted when a request names none."""
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

    @property
    def is_public(self) -> bool:
        return self.auth_method == "none"
