"""The public keys of clients and of other issuers (RFC 7517): handed in as a set, or fetched from where they say."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWTError

from authserver import telemetry
from authserver.model.client import Client
from authserver.outgoing import Outgoing, OutgoingError, OutgoingRefused, read_document
from authserver.outgoing.documents import read_json
from authserver.tokens.algorithms import ALGORITHMS

MAX_KEYS = 64
MAX_JWKS_BYTES = 65_536
MAX_DEPTH = 6
MAX_URIS = 1000
MAX_AGE = 600.0
"""Seconds for which a fetched set is good. It is not used after that: a key that a client has taken back is gone."""
STRANGERS_AT_ONCE = 8
"""Fetches on behalf of clients that came by themselves, a quarter of those that `outgoing` does at once: strangers'
servers that never answer keep nobody else's keys from being fetched."""
COOL_DOWN = 30.0
"""Least seconds between two fetches from one address, whatever unknown keys are named meanwhile."""
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192

_JWKS_TYPES = ("application/json", "application/jwk-set+json")
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_KEY_TYPES: Mapping[str, tuple[str, object]] = {
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""alg -> `kty` and `crv`."""

_log = telemetry.logger("authserver.client_keys")


class UnusableClientKeys(Exception):
    """There are no keys to check anything with; the text says why."""


class KeySource(NamedTuple):
    """One of the two."""

    jwks: str | None
    jwks_uri: str | None
    of_stranger: bool = False
    """Nobody vouches for whoever named the address."""

    @classmethod
    def of(cls, client: Client) -> KeySource:
        return cls(client.jwks, client.jwks_uri, client.origin != "admin")


@dataclass(frozen=True, slots=True, eq=False)
class ClientKey:
    kid: str | None
    alg: str | None
    """The only algorithm that it is for; None: any that goes with its type."""
    kind: tuple[str, object]
    """`kty` and `crv`."""
    public: Any = field(repr=False)
    spki: bytes = field(repr=False)
    """SubjectPublicKeyInfo (DER), by which certificates are known to hold it."""
    certificate: bytes | None = field(repr=False)
    """The first of `x5c`, DER."""

    def fits(self, alg: str) -> bool:
        return _KEY_TYPES.get(alg) == self.kind and self.alg in (None, alg)

    def verify(self, alg: str, signing_input: bytes, signature: bytes) -> bool:
        return ALGORITHMS[alg].verifier.verify(signing_input, self.public, signature)


class ClientKeys:
    """A set handed in is read once; one behind an address is fetched when it is needed, then good for MAX_AGE."""

    def __init__(self, outgoing: Outgoing, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._outgoing = outgoing
        self._monotonic = monotonic
        self._fetched: OrderedDict[str, _Fetched] = OrderedDict()
        self._strangers = asyncio.Semaphore(STRANGERS_AT_ONCE)

    async def of(self, source: KeySource, *, again: bool = False) -> Sequence[ClientKey]:
        """`again`: what was looked for is not among those known. Raises UnusableClientKeys."""
        if source.jwks is not None:
            return _read_text(source.jwks)
        if source.jwks_uri is None:
            raise UnusableClientKeys("no keys are registered")
        entry = self._entry(source.jwks_uri)
        if not again and entry.is_good(self._monotonic()):
            return entry.keys
        # Whoever comes while a fetch is under way waits for it, and then needs none of its own.
        async with entry.lock:
            if self._is_due(entry, again):
                await self._fetch_for(source, source.jwks_uri, entry)
            return entry.usable(self._monotonic())

    def _entry(self, uri: str) -> _Fetched:
        entry = self._fetched.setdefault(uri, _Fetched())
        self._fetched.move_to_end(uri)
        if len(self._fetched) > MAX_URIS:
            self._fetched.popitem(last=False)
        return entry

    def _is_due(self, entry: _Fetched, again: bool) -> bool:
        now = self._monotonic()
        return now - entry.asked_at >= COOL_DOWN and (again or not entry.is_good(now))

    async def _fetch_for(self, source: KeySource, uri: str, entry: _Fetched) -> None:
        if source.of_stranger and self._strangers.locked():
            raise UnusableClientKeys("the jwks_uri has to wait: too many are being fetched")
        async with self._strangers if source.of_stranger else nullcontext():
            await self._fetch(uri, entry)

    async def _fetch(self, uri: str, entry: _Fetched) -> None:
        entry.asked_at = self._monotonic()
        try:
            accept = ", ".join(reversed(_JWKS_TYPES))
            fetched = await self._outgoing.get(uri, accept=accept, max_bytes=MAX_JWKS_BYTES)
            entry.keys = read_client_keys(read_document(fetched, media_types=_JWKS_TYPES, max_depth=MAX_DEPTH))
        except (OutgoingError, UnusableClientKeys) as error:
            entry.fault = f"the jwks_uri {error}"
            _log.warning("client keys cannot be had", uri=uri, why=str(error))
        else:
            entry.good_at, entry.fault = entry.asked_at, ""


class _Fetched:
    """The keys of one address, and when they were asked for."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.keys: Sequence[ClientKey] = ()
        self.asked_at = self.good_at = float("-inf")
        self.fault = ""

    def is_good(self, now: float) -> bool:
        return now - self.good_at < MAX_AGE

    def usable(self, now: float) -> Sequence[ClientKey]:
        if not self.is_good(now):
            raise UnusableClientKeys(self.fault or "the jwks_uri was not asked")
        return self.keys


@lru_cache(maxsize=512)
def _read_text(jwks: str) -> Sequence[ClientKey]:
    try:
        return read_client_keys(read_json(jwks.encode(), max_depth=MAX_DEPTH))
    except OutgoingRefused as error:
        raise UnusableClientKeys(f"the registered jwks {error}") from None


def read_client_keys(document: object) -> Sequence[ClientKey]:
    """The keys of a set that may verify; others are left out. Raises UnusableClientKeys when none is left."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise UnusableClientKeys("is no JWK set of a sensible size")
    keys = tuple(key for jwk in listed if isinstance(jwk, dict) and (key := _read(jwk)) is not None)
    if not keys:
        raise UnusableClientKeys("holds no key that can be used")
    return keys


def _read(jwk: Mapping[str, Any]) -> ClientKey | None:
    kind = (jwk.get("kty"), jwk.get("crv") if jwk.get("kty") != "RSA" else None)
    algorithms = [alg for alg, known in _KEY_TYPES.items() if known == kind and jwk.get("alg", alg) == alg]
    if not algorithms or not _may_verify(jwk):
        return None
    try:
        public = ALGORITHMS[algorithms[0]].verifier.from_jwk(dict(jwk))
        if not _is_strong(public):
            return None
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return ClientKey(jwk.get("kid"), jwk.get("alg"), (str(kind[0]), kind[1]), public, spki, _certificate(jwk))
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, KeyError, AttributeError):
        return None


def _may_verify(jwk: Mapping[str, Any]) -> bool:
    """A private key in a public place is anybody's."""
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and isinstance(jwk.get("kid", ""), str)
        and _PRIVATE_MEMBERS.isdisjoint(jwk)
    )


def _is_strong(public: object) -> bool:
    if isinstance(public, RSAPublicKey):
        exponent = public.public_numbers().e
        return MIN_RSA_BITS <= public.key_size <= MAX_RSA_BITS and exponent > 1 and exponent % 2 == 1
    return isinstance(public, EllipticCurvePublicKey | Ed25519PublicKey)


def _certificate(jwk: Mapping[str, Any]) -> bytes | None:
    """RFC 7517 section 4.7: standard base64, the certificate of the key first."""
    chain = jwk.get("x5c")
    if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
        return None
    return base64.b64decode(chain[0], validate=True)
