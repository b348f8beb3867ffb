"""Valid things to start from; a test names only what differs."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.audit import SYSTEM
from authserver.model.client import Client
from authserver.model.grant import Authorization, Versions
from authserver.model.key import SigningKey
from authserver.model.time import DAY, HOUR, MINUTE, Instant
from authserver.storage.interface import KeyStore
from authserver.tokens.keyring import KeyRing
from authserver.tokens.masterkey import MasterKey
from authserver.tokens.rotation import KeyRotation, RotationPolicy
from authserver.tokens.signingkey import make_signing_key

NOON: Instant = 1_790_000_000_000
ISSUER = "https://auth.example.com"
MASTER = MasterKey(bytes(range(32)), "keys/master.key")
POLICY = RotationPolicy(interval=90 * DAY, announce_before=DAY, access_token_ttl=5 * MINUTE)


@dataclass
class FakeClock:
    at: Instant = NOON

    def __call__(self) -> Instant:
        return self.at

    def advance(self, by: int) -> None:
        self.at += by


@dataclass
class CountingKeys:
    """A real key store that counts how often it was read."""

    store: KeyStore
    readings: int = 0

    async def all(self) -> Sequence[SigningKey]:
        self.readings += 1
        return await self.store.all()


def a_rotation(
    keys: KeyStore, now: Clock, *, master: MasterKey = MASTER, policy: RotationPolicy = POLICY
) -> KeyRotation:
    """One instance of the server, as far as keys go: its own ring over a shared store."""
    return KeyRotation(keys, master, KeyRing(keys, master, now), policy, now)


@cache
def _a_key() -> SigningKey:
    return replace(make_signing_key(2048, MASTER, NOON), state="active", active_at=NOON)


async def a_signing_server(keys: KeyStore, now: Clock) -> KeyRotation:
    """One instance with a key that signs. Always the same key: making one is the slowest thing a test can do."""
    event = AuditLog(now).event(EventType.KEY_ACTIVATED, SYSTEM, kid=_a_key().kid)
    await keys.replace_now(_a_key(), instead_of=None, at=NOON, reason="first key", event=event)
    rotation = a_rotation(keys, now)
    await rotation.ensure_keys()
    return rotation


def a_client(**differs: Any) -> Client:
    fields: dict[str, Any] = {"id": "web-app", "name": "Web app", "auth_method": "client_secret_basic"}
    return Client(**{**fields, **differs})


def an_authorization(**differs: Any) -> Authorization:
    """A user's log-in through a client."""
    fields: dict[str, Any] = {
        "client": a_client(),
        "subject": uuid7(NOON),
        "scope": ("read", "write"),
        "audience": ("https://api.example.com",),
        "versions": Versions(0, 0, 0),
        "family_id": uuid7(NOON),
        "auth_time": NOON - MINUTE,
        "acr": "1",
        "amr": ("pwd",),
        "not_after": NOON + 24 * HOUR,
    }
    return Authorization(**{**fields, **differs})


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Header, claims, signature of a token, unverified."""
    header, payload, signature = token.split(".")
    return json.loads(unbase64url(header)), json.loads(unbase64url(payload)), unbase64url(signature)


def signed(header: Any, payload: Any, key: RSAPrivateKey) -> str:
    """Any header and payload (JSON values, or bytes as they are) under a good RS256 signature."""
    raw = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signing_input = ".".join(map(base64url, raw))
    return f"{signing_input}.{base64url(key.sign(signing_input.encode(), PKCS1v15(), SHA256()))}"
