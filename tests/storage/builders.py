"""Valid records; a test names only what differs."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from authserver.clock import system_clock
from authserver.ids import uuid7
from authserver.model.account import User
from authserver.model.audit import AuditEvent
from authserver.model.authorization import (
    AuthorizationCode,
    AuthorizationRequest,
    Consent,
    DeviceRequest,
    Grantor,
    PushedRequest,
    ReferenceToken,
)
from authserver.model.client import Client, ClientSecret
from authserver.model.grant import Family, Terms
from authserver.model.key import SigningKey
from authserver.model.registration import InitialAccessToken, Registration
from authserver.model.session import Session
from authserver.model.time import DAY, HOUR, MINUTE, SECOND, Instant
from authserver.storage.interface import FirstFamilies, Rotation

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


def an_authorization_request(client: Client, **changes: Any) -> AuthorizationRequest:
    values: dict[str, Any] = {
        "client_id": client.id,
        "redirect_uri": "https://app.example/cb",
        "scope": ("openid", "read"),
        "resources": ("https://api.example",),
        "code_challenge": "challenge",
    }
    return AuthorizationRequest(**values | changes)


def a_pushed_request(client: Client, **changes: Any) -> PushedRequest:
    values: dict[str, Any] = {
        "handle_hash": digest(f"pushed-{number()}"),
        "client_id": client.id,
        "request": an_authorization_request(client),
        "created_at": NOW,
        "expires_at": NOW + MINUTE,
    }
    return PushedRequest(**values | changes)


def a_grantor(session: Session) -> Grantor:
    return Grantor(user_id=session.user_id, session_id=session.id, auth_time=session.auth_time, amr=session.amr)


def a_code(session: Session, client: Client, **changes: Any) -> AuthorizationCode:
    values: dict[str, Any] = {
        "handle_hash": digest(f"code-{number()}"),
        "family_id": uuid7(NOW + number()),
        "request": an_authorization_request(client),
        "grantor": a_grantor(session),
        "created_at": NOW,
        "expires_at": NOW + MINUTE,
    }
    return AuthorizationCode(**values | changes)


def a_device(client: Client, **changes: Any) -> DeviceRequest:
    values: dict[str, Any] = {
        "handle_hash": digest(f"device-{number()}"),
        "user_code_hash": digest(f"user-code-{number()}"),
        "client_id": client.id,
        "scope": ("read",),
        "resources": ("https://api.example",),
        "family_id": uuid7(NOW + number()),
        "address": "192.0.2.7",
        "created_at": NOW,
        "expires_at": NOW + 10 * MINUTE,
    }
    return DeviceRequest(**values | changes)


def first_families(session: Session, client: Client, family_id: str, **changes: Any) -> FirstFamilies:
    """What a code or device opens; `changes` are the family's."""
    return FirstFamilies(family=a_family(session, client, **{"id": family_id, "scope": ("openid", "read")} | changes))


def with_offline(first: FirstFamilies, user: User, client: Client) -> FirstFamilies:
    session = a_session(user, kind="token", secret_hash=None, abs_until=NOW + 30 * DAY)
    terms = Terms(sid=first.family.id)
    family = a_family(session, client, terms=terms, scope=("openid", "offline_access"), abs_until=NOW + 30 * DAY)
    return replace(first, offline=(session, family))


def a_consent(user: User, client: Client, **changes: Any) -> Consent:
    values: dict[str, Any] = {
        "user_id": user.id,
        "client_id": client.id,
        "scope": ("read",),
        "resources": ("https://api.example",),
        "granted_at": NOW,
        "updated_at": NOW,
    }
    return Consent(**values | changes)


def a_reference_token(**changes: Any) -> ReferenceToken:
    values: dict[str, Any] = {
        "handle_hash": digest(f"reference-{number()}"),
        "jti": f"jti-{number()}",
        "claims": {"sub": "somebody", "aud": ["https://api.example"], "cnf": {"jkt": "x"}},
        "expires_at": NOW + 5 * MINUTE,
    }
    return ReferenceToken(**values | changes)


def an_initial_token(**changes: Any) -> InitialAccessToken:
    values: dict[str, Any] = {
        "id": uuid7(NOW + number()),
        "sha256": digest(f"initial-{number()}"),
        "label": "for the lab",
        "policy": {"scopes": ["read"]},
        "created_at": NOW + number(),
    }
    return InitialAccessToken(**values | changes)


def a_registration(client: Client, **changes: Any) -> Registration:
    values: dict[str, Any] = {
        "client_id": client.id,
        "token_sha256": digest("registration"),
        "created_at": NOW,
        "used_at": NOW,
    }
    return Registration(**values | changes)


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
