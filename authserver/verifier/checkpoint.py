"""Checkpoints: what the issuer signs about its revocation log (docs/feed.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from . import strict
from .clock import Clock
from .records import TILE, FeedFault, key_of

TYP = "rev-checkpoint+jwt"
TOLERANCE = 60
"""Seconds by which the issuer's clock and this machine's may differ."""

_LOG_ID = re.compile(r"[0-9a-f]{16}")
_MOST = 10**15
"""What sequence numbers and milliseconds stay below: a double holds them exactly."""
_PADDING, _DIGEST = PKCS1v15(), SHA256()

KeyFor = Callable[[str], RSAPublicKey | None]
"""The issuer's key of a `kid`; looks for new keys at most once if it knows none."""


class CheckpointRefused(FeedFault):
    """Not the issuer's word, or not about now. `reason` is one of a few fixed texts."""

    code = "refused_checkpoints"

    def __init__(self, reason: str) -> None:
        super().__init__(f"a checkpoint was refused: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SnapshotReference:
    seq: int
    h: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A genuine one. `h` is `h(seq)`, 32 bytes; `at` is in milliseconds, by the issuer's clock."""

    log: str
    seq: int
    h: bytes
    at: int
    floor: int
    snap: SnapshotReference | None
    jwt: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckpointReader:
    """Tells the issuer's checkpoints from everything else."""

    issuer: str
    key_for: KeyFor
    is_revoked: Callable[[bytes], bool]
    """Whether the feed itself lists this key of a `kid`: who stole a key must not get to say what is revoked."""
    wall: Clock

    def read(self, jwt: str) -> Checkpoint:
        """Raises CheckpointRefused."""
        try:
            form = strict.read_form(jwt)
        except (strict.Malformed, strict.HeaderRefused) as error:
            raise CheckpointRefused(str(error)) from None
        claims = _claims(form, self._key(form.header))
        if claims.get("iss") != self.issuer:
            _refuse("another issuer")
        self._check_times(claims)
        return _checkpoint(claims, jwt)

    def _key(self, header: strict.Header) -> RSAPublicKey:
        if header.alg != "RS256" or header.typ != TYP or not isinstance(header.kid, str):
            _refuse("header not acceptable")
        # Listed first: the JWKS may be a cached one that still has the key.
        if self.is_revoked(key_of("kid", self.issuer, header.kid)):
            _refuse("signed with a revoked key")
        return self.key_for(header.kid) or _refuse("key not known")

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        """An old one must not come back for ever, and one from tomorrow would look fresh until then."""
        expires, issued, now = _count(claims, "exp"), _count(claims, "iat"), self.wall()
        if expires + TOLERANCE <= now:
            _refuse("expired")
        if max(issued, _count(claims, "at") / 1000) > now + TOLERANCE:
            _refuse("from the future")


def _claims(form: strict.UnverifiedJwt, key: RSAPublicKey) -> dict[str, Any]:
    try:
        key.verify(form.signature, form.signing_input, _PADDING, _DIGEST)
    except InvalidSignature:
        _refuse("signature not valid")
    try:
        return strict.json_object(form.unverified_payload)
    except strict.Malformed:
        _refuse("claims not understood")


def _checkpoint(claims: Mapping[str, Any], jwt: str) -> Checkpoint:
    log, snap = claims.get("log"), claims.get("snap")
    if not isinstance(log, str) or not _LOG_ID.fullmatch(log):
        _refuse("claims not understood")
    seq, floor = _count(claims, "seq"), _count(claims, "floor")
    if floor > seq + 1 or (floor > 1 and floor % TILE):
        _refuse("claims not understood")
    return Checkpoint(log, seq, _hash(claims, "h"), _count(claims, "at"), floor, _snapshot(snap, seq), jwt)


def _snapshot(snap: object, seq: int) -> SnapshotReference | None:
    if snap is None:
        return None
    if not isinstance(snap, dict) or _count(snap, "seq") > seq:
        _refuse("claims not understood")
    return SnapshotReference(_count(snap, "seq"), _hash(snap, "h"), _hash(snap, "sha256"))


def _count(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value < _MOST:
        _refuse("claims not understood")
    return value


def _hash(claims: Mapping[str, Any], name: str) -> bytes:
    """32 bytes."""
    value = claims.get(name)
    try:
        raw = strict.decoded(value) if isinstance(value, str) else b""
    except strict.Malformed:
        raw = b""
    if len(raw) != 32:
        _refuse("claims not understood")
    return raw


def _refuse(reason: str) -> NoReturn:
    raise CheckpointRefused(reason) from None
