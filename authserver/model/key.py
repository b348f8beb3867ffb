"""Signing keys and their life: announced -> active -> retired -> removed, or revoked at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .time import Instant

KeyState = Literal["announced", "active", "retired", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One row of the key ring. Announced, active and retired keys are in the JWKS; revoked ones are not."""

    kid: str
    algorithm: str
    """The one that it signs with, one of `tokens.algorithms`; each has a ring of its own."""
    public_jwk: str
    """JSON of the public JWK (RFC 7517) with kid, use and alg."""
    private_encrypted: bytes = field(repr=False)
    """AES-256-GCM under the master key: nonce (12) | ciphertext | tag; the kid is the associated data."""
    state: KeyState
    created_at: Instant
    active_at: Instant | None = None
    """When it began to sign; for an announced key, when it may begin at the earliest."""
    retired_at: Instant | None = None
    remove_at: Instant | None = None
    """From then on nothing valid can carry its signature; purge removes the row."""
    revoked_at: Instant | None = None
    reason: str | None = None
