"""What a user's authorization opens when it is redeemed: families, and who keeps them alive.

A family under the browser session is what the log-in is to this client: its id is the `sid` of id tokens, it ends when
the user logs out. Offline access has a session and a family of its own, which that log-out does not end (OpenID Connect
Core section 11, Back-Channel Logout section 2.7).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.authorization import Grantor
from authserver.model.client import Client
from authserver.model.grant import Confirmation, Family, Terms
from authserver.model.session import Session
from authserver.model.time import Instant
from authserver.sessions.policy import SessionPolicy
from authserver.storage.interface import FirstFamilies, Redeemed
from authserver.tokens.handles import NewHandle, RefreshHandles


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What was authorized, by whom and to whom."""

    client: Client
    grantor: Grantor
    family_id: str
    """Of the family under the browser session."""
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    terms: Terms = field(default_factory=Terms)
    confirmation: Confirmation | None = None
    client_version: int | None = None
    """Of the client when this was granted, where that is known."""
    apart: bool = False
    """What gets the tokens is not in the browser that authorized it: logging out there does not log it out."""

    @property
    def is_refreshable(self) -> bool:
        return "refresh_token" in self.client.grant_types

    @property
    def is_offline(self) -> bool:
        return self.is_refreshable and (self.apart or "offline_access" in self.scope)

    @property
    def bound_to(self) -> str | None:
        """Refresh tokens of confidential clients are bound to the client, which authenticates (RFC 9449 section 5)."""
        return str(self.confirmation) if self.confirmation is not None and self.client.is_public else None


@dataclass(frozen=True, slots=True)
class Opened:
    """Ready to be stored, and the refresh token that goes with it."""

    first: FirstFamilies
    refresh_token: str | None = field(default=None, repr=False)

    def family(self, redeemed: Redeemed) -> Family:
        """The one that the tokens belong to, at the versions it was stored with."""
        family, versions = self.first.family, redeemed.versions
        if self.first.offline is not None and redeemed.offline_versions is not None:
            family, versions = self.first.offline[1], redeemed.offline_versions
        return replace(
            family,
            user_version=versions.subject,
            client_version=versions.client,
            issuer_version=versions.issuer,
        )


@dataclass(frozen=True, slots=True)
class Openings:
    handles: RefreshHandles
    policy: SessionPolicy
    now: Clock

    def of(self, granted: Granted, session: Session) -> Opened:
        """Under this living browser session of the grantor's. The refresh token belongs to the family under it, which
        it does not outlive, or to the offline one."""
        now = self.now()
        if not granted.is_refreshable:
            return Opened(_first(granted, self._without_token(granted, session, now)))
        if not granted.is_offline:
            handle = self.handles.first(granted.family_id)
            return Opened(_first(granted, self._refreshable(granted, session, handle, now)), handle.token)
        away = self._offline_session(granted, session, now)
        handle = self.handles.first(family_id := uuid7(now))
        terms = granted.terms if granted.apart else replace(granted.terms, sid=granted.family_id)
        offline = self._refreshable(replace(granted, family_id=family_id, terms=terms), away, handle, now)
        here = _unknown_to_its_client(granted) if granted.apart else granted
        return Opened(_first(granted, self._without_token(here, session, now), (away, offline)), handle.token)

    def _refreshable(self, granted: Granted, session: Session, handle: NewHandle, now: Instant) -> Family:
        until = min(session.abs_until, now + self.policy.refresh_absolute)
        idle_until = min(until, now + self.policy.refresh_idle)
        family = _family(granted, session, now, handle.secret_hash, handle.salt, until, idle_until)
        return replace(family, bound_to=granted.bound_to)

    def _without_token(self, granted: Granted, session: Session, now: Instant) -> Family:
        """Nobody knows a secret with this hash. It is known until the browser's session ends, and of use for as long as
        the one access token that it may give."""
        hidden, salt = secrets.token_bytes(32), secrets.token_bytes(16)
        used_until = session.abs_until if session.kind == "token" else now + self.policy.unrefreshable
        return _family(granted, session, now, hidden, salt, session.abs_until, min(used_until, session.abs_until))

    def _offline_session(self, granted: Granted, session: Session, now: Instant) -> Session:
        """Its own idle end is its absolute one: whether it is alive is for its family to say."""
        until = now + self.policy.refresh_absolute
        return Session(
            id=uuid7(now),
            user_id=granted.grantor.user_id,
            kind="token",
            auth_time=granted.grantor.auth_time,
            acr=granted.grantor.acr,
            amr=granted.grantor.amr,
            client_id=granted.client.id,
            created_at=now,
            last_seen_at=now,
            idle_until=until,
            abs_until=until,
            user_agent=session.user_agent,
            address=session.address,
        )


def _first(granted: Granted, family: Family, offline: tuple[Session, Family] | None = None) -> FirstFamilies:
    return FirstFamilies(family=family, offline=offline, client_version=granted.client_version)


def _unknown_to_its_client(granted: Granted) -> Granted:
    """Clients are told of the end of families with `openid` (Back-Channel Logout): not of a browser that a device was
    approved in, because the device stays logged in."""
    return replace(granted, scope=tuple(scope for scope in granted.scope if scope != "openid"))


def _family(
    granted: Granted,
    session: Session,
    now: Instant,
    secret_hash: bytes,
    salt: bytes,
    abs_until: Instant,
    idle_until: Instant,
) -> Family:
    return Family(
        id=granted.family_id,
        session_id=session.id,
        user_id=granted.grantor.user_id,
        client_id=granted.client.id,
        scope=granted.scope,
        resources=granted.resources,
        generation=0,
        cur_hash=secret_hash,
        salt=salt,
        rotated_at=now,
        auth_time=granted.grantor.auth_time,
        acr=granted.grantor.acr,
        amr=granted.grantor.amr,
        created_at=now,
        idle_until=idle_until,
        abs_until=abs_until,
        terms=granted.terms,
    )
