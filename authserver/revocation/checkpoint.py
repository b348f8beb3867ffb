"""What a checkpoint says (docs/feed.md). Signing and checking signatures is done by whoever has the keys."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from authserver.model.log import SnapshotRef
from authserver.model.time import SECOND, Instant

TYP: Final = "rev-checkpoint+jwt"
LASTS: Final = 60
"""Seconds until a verifier ignores it."""

Sign: TypeAlias = Callable[[Mapping[str, Any]], str]
"""A JWT of type TYP over these claims; raises TemporarilyUnavailable while no key signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    log: str
    seq: int
    hash: bytes
    at: Instant
    """Everything that was acknowledged before this moment is in the log up to `seq`."""
    floor: int
    snapshot: SnapshotRef | None

    def claims(self, issuer: str) -> dict[str, Any]:
        issued = self.at // SECOND
        claims: dict[str, Any] = {
            "iss": issuer,
            "log": self.log,
            "seq": self.seq,
            "h": base64url(self.hash),
            "at": self.at,
            "iat": issued,
            "exp": issued + LASTS,
            "floor": self.floor,
        }
        if self.snapshot is not None:
            snap = self.snapshot
            claims["snap"] = {"seq": snap.seq, "h": base64url(snap.hash), "sha256": base64url(snap.sha256)}
        return claims


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
