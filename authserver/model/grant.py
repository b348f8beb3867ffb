"""What a grant proves, and the refresh family that keeps it alive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

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

    @property
    def versions(self) -> Versions:
        return Versions(self.user_version, self.client_version, self.issuer_version)


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
        )
