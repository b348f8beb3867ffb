"""What a log-in starts from and becomes: the records, and the rows made from them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Literal

from authserver.ids import uuid7
from authserver.model.account import User
from authserver.model.audit import Caller
from authserver.model.client import Client
from authserver.model.grant import Confirmation, Family
from authserver.model.session import Session, SessionKind
from authserver.model.time import Duration, Instant
from authserver.tokens.claims import AccessTokenClaims
from authserver.tokens.handles import NewHandle


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIn:
    """Who logged in, how, and through what."""

    user: User
    client: Client | None
    """None: through no application, on this server's own page; in mode "session" only."""
    mode: Literal["token", "session", "headless"]
    """"headless": an application that has no browser, and is given a code for tokens instead of tokens."""
    scope: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()
    """RFC 8176 names, for instance "pwd"."""
    acr: str | None = None
    confirmation: Confirmation | None = None
    """The key that its tokens are bound to."""

    @property
    def client_id(self) -> str | None:
        return None if self.client is None else self.client.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A new session and its credentials: a cookie and its CSRF token, or a refresh token."""

    session: Session
    family: Family | None
    """As stored, at the revocation versions of that moment; None: the log-in came through no client."""
    cookie: str | None = field(default=None, repr=False)
    csrf_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    """A session that the database just said is alive, and how the request proved it."""

    session: Session
    via: Literal["cookie", "token"]
    csrf_token: str | None = field(default=None, repr=False)
    """What X-CSRF-Token must repeat; None for a bearer token, which no browser sends by itself."""
    claims: AccessTokenClaims | None = field(default=None, repr=False)
    """Of the bearer token."""

    @property
    def user_id(self) -> str:
        return self.session.user_id


def browser_session(
    login: LogIn,
    caller: Caller,
    now: Instant,
    *,
    session_id: str,
    secret_hash: bytes,
    idle: Duration,
    absolute: Duration,
) -> Session:
    idle_until = now + min(idle, absolute)
    return _session(login, caller, now, session_id, "browser", secret_hash, idle_until, now + absolute)


def token_session(login: LogIn, caller: Caller, now: Instant, *, absolute: Duration) -> Session:
    """Its own idle end is its absolute one: whether it is alive is for its family to say."""
    return _session(login, caller, now, uuid7(now), "token", None, now + absolute, now + absolute)


def _session(
    login: LogIn,
    caller: Caller,
    now: Instant,
    session_id: str,
    kind: SessionKind,
    secret_hash: bytes | None,
    idle_until: Instant,
    abs_until: Instant,
) -> Session:
    return Session(
        id=session_id,
        user_id=login.user.id,
        kind=kind,
        secret_hash=secret_hash,
        auth_time=now,
        acr=login.acr,
        amr=login.amr,
        client_id=login.client_id,
        created_at=now,
        last_seen_at=now,
        idle_until=idle_until,
        abs_until=abs_until,
        user_agent=caller.user_agent,
        address=caller.address,
    )


def first_family(
    login: LogIn, client: Client, session: Session, family_id: str, handle: NewHandle, *, idle: Duration
) -> Family:
    idle_until = min(session.created_at + idle, session.abs_until)
    family = _family(login, client, session, family_id, handle.secret_hash, handle.salt, idle_until)
    # RFC 9449 section 5: the others' are bound to the client, which authenticates.
    bound = login.confirmation is not None and client.is_public
    return replace(family, bound_to=str(login.confirmation)) if bound else family


def cookie_family(login: LogIn, session: Session) -> Family | None:
    """What the access tokens of a browser session belong to (their `sid`): it dies with the session, and has no
    refresh token, because nobody knows a secret with this hash. It bears the session's own id.

    None without a client: then the cookie is for our own pages, and nothing mints tokens from it.
    """
    if login.client is None:
        return None
    nobodys, salt = secrets.token_bytes(32), secrets.token_bytes(16)
    return _family(login, login.client, session, session.id, nobodys, salt, session.abs_until)


def waiting_family(login: LogIn, client: Client, session: Session, family_id: str, *, life: Duration) -> Family:
    """What keeps a session of kind "token" alive until a code is redeemed for the family that will."""
    nobodys, salt = secrets.token_bytes(32), secrets.token_bytes(16)
    return _family(login, client, session, family_id, nobodys, salt, session.created_at + life)


def _family(
    login: LogIn,
    client: Client,
    session: Session,
    family_id: str,
    cur_hash: bytes,
    salt: bytes,
    idle_until: Instant,
) -> Family:
    return Family(
        id=family_id,
        session_id=session.id,
        user_id=session.user_id,
        client_id=client.id,
        scope=login.scope,
        resources=login.resources,
        generation=0,
        cur_hash=cur_hash,
        salt=salt,
        rotated_at=session.created_at,
        auth_time=session.auth_time,
        acr=session.acr,
        amr=session.amr,
        created_at=session.created_at,
        idle_until=idle_until,
        abs_until=session.abs_until,
    )
