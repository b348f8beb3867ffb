"""Valid records; a test names only what differs."""

from __future__ import annotations

import itertools
from typing import Any

from authserver.clock import system_clock
from authserver.ids import uuid7
from authserver.model.account import User
from authserver.model.audit import AuditEvent
from authserver.model.client import Client, ClientSecret
from authserver.model.grant import Family
from authserver.model.key import SigningKey
from authserver.model.session import Session
from authserver.model.time import DAY, HOUR, SECOND, Instant
from authserver.storage.interface import Rotation

NOW: Instant = system_clock()
GRACE = 10 * SECOND
_numbers = itertools.count(1)


def number() -> int:
    return next(_numbers)


def digest(text: str) -> bytes:
    """Stands for SHA-256 of a secret: 32 bytes that tell which."""
    return text.encode().ljust(32, b".")


def an_event(**changes: Any) -> AuditEvent:
    values: dict[str, Any] = {"id": uuid7(NOW + number()), "at": NOW, "type": "test.happened", "actor": "system"}
    return AuditEvent(**values | changes)


def a_client(**changes: Any) -> Client:
    values: dict[str, Any] = {
        "id": f"client-{number()}",
        "name": "A client",
        "auth_method": "none",
        "grant_types": ("refresh_token",),
        "scopes": ("read", "write"),
        "resources": ("https://api.example",),
        "first_party": True,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Client(**values | changes)


def a_secret(**changes: Any) -> ClientSecret:
    values: dict[str, Any] = {"id": uuid7(NOW + number()), "sha256": digest("secret"), "created_at": NOW}
    return ClientSecret(**values | changes)


def a_user(**changes: Any) -> User:
    name = f"user{number()}"
    values: dict[str, Any] = {
        "id": uuid7(NOW + number()),
        "username": name.title(),
        "username_key": name,
        "password_hash": "$hash$1",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return User(**values | changes)


def a_session(user: User, **changes: Any) -> Session:
    values: dict[str, Any] = {
        "id": uuid7(NOW + number()),
        "user_id": user.id,
        "kind": "browser",
        "secret_hash": digest("cookie"),
        "auth_time": NOW,
        "amr": ("pwd",),
        "created_at": NOW,
        "last_seen_at": NOW,
        "idle_until": NOW + HOUR,
        "abs_until": NOW + DAY,
        "user_agent": "curl",
        "address": "192.0.2.1",
    }
    return Session(**values | changes)


def a_family(session: Session, client: Client, **changes: Any) -> Family:
    values: dict[str, Any] = {
        "id": uuid7(NOW + number()),
        "session_id": session.id,
        "user_id": session.user_id,
        "client_id": client.id,
        "scope": ("read",),
        "resources": ("https://api.example",),
        "generation": 0,
        "cur_hash": digest("s0"),
        "salt": b"salt-0",
        "rotated_at": NOW,
        "auth_time": NOW,
        "amr": ("pwd",),
        "created_at": NOW,
        "idle_until": NOW + HOUR,
        "abs_until": NOW + DAY,
    }
    return Family(**values | changes)


def a_rotation(family: Family, presented: str, following: str, **changes: Any) -> Rotation:
    values: dict[str, Any] = {
        "family_id": family.id,
        "client_id": family.client_id,
        "presented_hash": digest(presented),
        "next_hash": digest(following),
        "next_salt": f"salt-{following}".encode(),
        "now": NOW + 1,
        "idle": HOUR,
        "grace": GRACE,
    }
    return Rotation(**values | changes)


def a_key(**changes: Any) -> SigningKey:
    values: dict[str, Any] = {
        "kid": f"key-{number()}",
        "algorithm": "RS256",
        "public_jwk": "{}",
        "private_encrypted": b"encrypted",
        "state": "announced",
        "created_at": NOW + number(),
    }
    return SigningKey(**values | changes)
