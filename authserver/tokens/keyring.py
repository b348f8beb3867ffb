"""The keys in memory: the one that signs, those that verify, and the published set."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from authserver.clock import Clock
from authserver.model.errors import TemporarilyUnavailable
from authserver.model.key import SigningKey
from authserver.model.time import SECOND, Duration, Instant
from authserver.storage.interface import KeyStore, StorageUnavailable
from authserver.tokens.algorithms import ALGORITHMS, RS256, PrivateKey, VerifyingKey
from authserver.tokens.masterkey import MasterKey
from authserver.tokens.signingkey import KeyPair, open_signing_key

REFRESH_COOLDOWN: Duration = SECOND
"""However many tokens name an unknown key, the database is asked at most this often."""

_PUBLISHED_ORDER = {"active": 0, "announced": 1, "retired": 2}
_ALGORITHM_ORDER = {name: place for place, name in enumerate(ALGORITHMS)}


class NoSigningKey(TemporarilyUnavailable):
    """No key is active: nothing can be issued, what was issued still verifies."""


@dataclass(frozen=True, slots=True)
class ActiveKey:
    kid: str
    algorithm: str
    private: PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class JwksDocument:
    """The JWK set (RFC 7517 section 5), serialised once, and its strong entity tag."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    key: VerifyingKey
    until: Instant | None
    """When it leaves the set by itself; None while it is announced or active."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent view of the ring; never changed, only replaced."""

    keys: tuple[SigningKey, ...] = ()
    """Everything stored, revoked keys too, by creation."""
    signers: Mapping[str, ActiveKey] = field(default_factory=dict)
    """The active key of each algorithm."""
    public: dict[str, PublicKey] = field(default_factory=dict)
    jwks: JwksDocument = JwksDocument(b'{"keys":[]}', '""')
    pairs: dict[str, tuple[SigningKey, KeyPair]] = field(default_factory=dict, repr=False)

    @property
    def signing(self) -> ActiveKey | None:
        return self.signers.get(RS256)

    def in_state(self, state: str, algorithm: str = RS256) -> SigningKey | None:
        """The algorithm's first key in this state; there is at most one that is active and one that is announced."""
        return next((key for key in self.keys if key.state == state and key.algorithm == algorithm), None)


class KeyRing:
    """Follows the key store. Reading is a plain attribute look-up; `load` swaps the whole view at once."""

    def __init__(self, store: KeyStore, master: MasterKey, now: Clock) -> None:
        self._store = store
        self._master = master
        self._now = now
        self._snapshot = Snapshot()
        self._loading = asyncio.Lock()
        self._refreshing = asyncio.Lock()
        self._refreshed: Instant | None = None
        self._refresh_failed = False

    async def load(self) -> None:
        """Read the store again. Raises MasterKeyError when a key cannot be decrypted, StorageUnavailable when
        the store cannot be read; the view before stays in both cases."""
        async with self._loading:  # else an older reading could overwrite a newer one
            self._snapshot = self._view(tuple(await self._store.all()))

    async def refresh(self) -> bool:
        """Load for a token under a key that another instance may just have made.

        True: the store was read after this was called. False: it was read within the cool-down, by another caller
        perhaps while this one waited, and a key made since then is not seen. Raises as `load` does, and
        StorageUnavailable too while the cool-down after a failed reading lasts.
        """
        async with self._refreshing:
            now = self._now()
            if self._refreshed is not None and abs(now - self._refreshed) < REFRESH_COOLDOWN:
                if self._refresh_failed:
                    raise StorageUnavailable("the keys could not be read a moment ago")
                return False
            self._refreshed, self._refresh_failed = now, True
            await self.load()
            self._refresh_failed = False
            return True

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    @property
    def signing(self) -> ActiveKey:
        """The key that signs with RS256; raises NoSigningKey when none is active."""
        return self.signing_for(RS256)

    def signing_for(self, algorithm: str) -> ActiveKey:
        """The algorithm's key that signs; raises NoSigningKey when none is active."""
        key = self._snapshot.signers.get(algorithm)
        if key is None:
            raise NoSigningKey("No signing key is active.", detail=f"the key ring has no active key for {algorithm}")
        return key

    def public(self, kid: str) -> VerifyingKey | None:
        """The key to verify with, if it is announced, active or retired and not yet removed."""
        entry = self._snapshot.public.get(kid)
        if entry is None or (entry.until is not None and entry.until <= self._now()):
            return None
        return entry.key

    def is_over(self, kid: str) -> bool:
        """Whether the key is one that was withdrawn or removed, and will not come back."""
        return self.public(kid) is None and any(key.kid == kid for key in self._snapshot.keys)

    @property
    def jwks(self) -> JwksDocument:
        return self._snapshot.jwks

    def _view(self, keys: tuple[SigningKey, ...]) -> Snapshot:
        now = self._now()
        published = [key for key in keys if key.state in _PUBLISHED_ORDER and not _is_over(key, now)]
        # The signing key first: naive clients take the first key they find.
        published.sort(key=_published_place)
        pairs = {key.kid: (key, self._open(key)) for key in published}
        return Snapshot(
            keys=keys,
            signers={key.algorithm: _active(key, pairs) for key in published if key.state == "active"},
            public={key.kid: PublicKey(pairs[key.kid][1].verifying, key.remove_at) for key in published},
            jwks=_document(published),
            pairs=pairs,
        )

    def _open(self, key: SigningKey) -> KeyPair:
        """Opening takes a millisecond, and the ring is loaded after every change to a client: keep what is known."""
        known, pair = self._snapshot.pairs.get(key.kid, (None, None))
        same = known is not None and _material(known) == _material(key)
        return pair if same and pair is not None else open_signing_key(key, self._master)


def _material(key: SigningKey) -> tuple[str, bytes, str]:
    return key.algorithm, key.private_encrypted, key.public_jwk


def _is_over(key: SigningKey, now: Instant) -> bool:
    return key.state == "retired" and key.remove_at is not None and key.remove_at <= now


def _published_place(key: SigningKey) -> tuple[int, int, Instant]:
    return _PUBLISHED_ORDER[key.state], _ALGORITHM_ORDER.get(key.algorithm, 0), -key.created_at


def _active(key: SigningKey, pairs: Mapping[str, tuple[SigningKey, KeyPair]]) -> ActiveKey:
    return ActiveKey(key.kid, key.algorithm, pairs[key.kid][1].private)


def _document(published: Sequence[SigningKey]) -> JwksDocument:
    body = json.dumps({"keys": [json.loads(key.public_jwk) for key in published]}, separators=(",", ":")).encode()
    tag = base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:18]).decode()
    return JwksDocument(body, f'"{tag}"')
