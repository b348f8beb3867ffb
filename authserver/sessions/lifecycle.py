"""The life of a session, from log-in to its end."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Final, Literal

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.audit import AuditEvent, Caller
from authserver.model.client import Client
from authserver.model.errors import Forbidden, NotAuthenticated, NotFound
from authserver.model.grant import Family
from authserver.model.page import Page, PageRequest
from authserver.model.revocation import RevocationOutcome
from authserver.model.session import Session
from authserver.model.time import MINUTE, Duration
from authserver.sessions.birth import (
    Begun,
    LiveSession,
    LogIn,
    browser_session,
    cookie_family,
    first_family,
    token_session,
    waiting_family,
)
from authserver.sessions.policy import SessionPolicy
from authserver.storage.channels import tell_revoked
from authserver.storage.interface import Bus, ClientLookup, FamilyStore, SessionFilter, SessionStore
from authserver.tokens.handles import MalformedHandle, RefreshHandles, SessionHandles
from authserver.tokens.validation import AccessTokens

UNREDEEMED: Final[Duration] = 2 * MINUTE
"""How long a headless log-in waits for its code to be redeemed, which lives one minute."""
REPEATED: Final[Duration] = MINUTE
"""How long after a log-in the cookie of before it still names the session, for who knows the password: a form may be
sent twice, or the answer be lost."""


@dataclass(frozen=True, slots=True)
class Sessions:
    sessions: SessionStore
    families: FamilyStore
    clients: ClientLookup
    session_handles: SessionHandles
    refresh_handles: RefreshHandles
    tokens: AccessTokens
    policy: SessionPolicy
    audit: AuditLog
    bus: Bus
    now: Clock

    # -- begin ----------------------------------------------------------------------------

    async def begin(self, login: LogIn, caller: Caller) -> Begun | None:
        """Store a session whose id and credentials are all new.

        None, with nothing stored, when user, password or client changed since they were checked.
        """
        if login.mode == "session":
            return await self._begin_browser(login, caller)
        if login.client is None:
            raise ValueError("a log-in in token mode comes through a client")
        if login.mode == "headless":
            return await self._begin_headless(login, login.client, caller)
        return await self._begin_token(login, login.client, caller)

    async def renew(self, login: LogIn, cookie: str, caller: Caller) -> Begun | Literal["changed"] | None:
        """The user of a cookie's session logged in once more on this server's own page: the session goes on under a
        new secret, and with it whatever other applications have under it.

        Else nothing is written. "changed": user or password did since they were checked. None: the session has ended,
        is another user's or came through a client; then `replace` and `begin`.
        """
        try:
            before = self.session_handles.parse(cookie)
        except MalformedHandle:
            return None
        renewed, session = self._browser_session(login, caller, before.session_id)
        stored = await self.sessions.renew(
            session,
            before.secret_hash,
            repeated_since=session.auth_time - REPEATED,
            password_hash=login.user.password_hash,
            event=self._logged_in(login, session, None, caller, renewed=True),
        )
        if stored is None or stored == "changed":
            return stored
        return self._with_cookie(Begun(session=stored, family=None), renewed)

    async def _begin_browser(self, login: LogIn, caller: Caller) -> Begun | None:
        cookie, session = self._browser_session(login, caller, uuid7(self.now()))
        begun = await self._store(login, session, cookie_family(login, session), caller)
        return None if begun is None else self._with_cookie(begun, cookie)

    def _browser_session(self, login: LogIn, caller: Caller, session_id: str) -> tuple[str, Session]:
        """Its new cookie, and the row as it is to be stored."""
        cookie, secret_hash = self.session_handles.new(session_id)
        session = browser_session(
            login,
            caller,
            self.now(),
            session_id=session_id,
            secret_hash=secret_hash,
            idle=self.policy.idle,
            absolute=self.policy.absolute,
        )
        return cookie, session

    def _with_cookie(self, begun: Begun, cookie: str) -> Begun:
        return replace(begun, cookie=cookie, csrf_token=self.session_handles.parse(cookie).csrf_token)

    async def _begin_token(self, login: LogIn, client: Client, caller: Caller) -> Begun | None:
        now = self.now()
        refreshable = "refresh_token" in client.grant_types
        absolute = self.policy.refresh_absolute if refreshable else self.policy.unrefreshable
        session = token_session(login, caller, now, absolute=absolute)
        family_id = uuid7(now)
        handle = self.refresh_handles.first(family_id)
        born = first_family(login, client, session, family_id, handle, idle=self.policy.refresh_idle)
        begun = await self._store(login, session, born, caller)
        if begun is None:
            return None
        return replace(begun, refresh_token=handle.token) if refreshable else begun

    async def _begin_headless(self, login: LogIn, client: Client, caller: Caller) -> Begun | None:
        """A session that gives no credentials: a code will, or it is over in a minute or two."""
        now = self.now()
        refreshable = "refresh_token" in client.grant_types
        absolute = self.policy.refresh_absolute if refreshable else self.policy.unrefreshable
        session = token_session(login, caller, now, absolute=absolute)
        born = waiting_family(login, client, session, uuid7(now), life=UNREDEEMED)
        return await self._store(login, session, born, caller)

    async def _store(self, login: LogIn, session: Session, family: Family | None, caller: Caller) -> Begun | None:
        """What was stored, its credentials still to be added."""
        event = self._logged_in(login, session, family, caller)
        versions = await self.sessions.begin(session, family, password_hash=login.user.password_hash, event=event)
        if versions is None:
            return None
        if family is None:
            return Begun(session=session, family=None)
        subject, client, issuer = versions
        stored = replace(family, user_version=subject, client_version=client, issuer_version=issuer)
        return Begun(session=session, family=stored)

    def _logged_in(
        self, login: LogIn, session: Session, family: Family | None, caller: Caller, *, renewed: bool = False
    ) -> AuditEvent:
        return self.audit.event(
            EventType.LOGIN_SUCCEEDED,
            caller.acting_as(f"user:{login.user.id}"),
            user_id=login.user.id,
            client_id=login.client_id,
            session_id=session.id,
            mode=login.mode,
            amr=list(login.amr),
            family_id=None if family is None else family.id,
            renewed=renewed or None,
        )

    async def family_of(self, session: Session) -> Family | None:
        """The family that access tokens of a browser session belong to, dead or alive; None: no client, no tokens."""
        return await self.families.get(session.id)

    # -- find -----------------------------------------------------------------------------

    async def by_cookie(self, value: str) -> LiveSession:
        """The session of a cookie, its idle end moved on; raises NotAuthenticated."""
        try:
            handle = self.session_handles.parse(value)
        except MalformedHandle:
            raise NotAuthenticated("the session cookie is not valid") from None
        session = await self.sessions.authenticate(
            handle.session_id, handle.secret_hash, now=self.now(), touch=self.policy.touch
        )
        if session is None:
            raise NotAuthenticated("the session has ended")
        return LiveSession(session=session, via="cookie", csrf_token=handle.csrf_token)

    async def by_token(self, token: str) -> LiveSession:
        """The session of a first-party client's access token; raises InvalidToken, NotAuthenticated, Forbidden.

        Certain of the key: a caller that logs out takes 401 for "was logged out already".
        """
        claims, state = await self.tokens.authenticate(token, certain=True)
        if state.session_id is None:
            raise NotAuthenticated("this token belongs to no session")
        client = await self.clients.get(claims.client_id)
        if client is None or not client.first_party:
            raise Forbidden("only a first-party client may see or end its user's sessions")
        session = await self.sessions.get(state.session_id, now=self.now())
        if session is None:
            raise NotAuthenticated("the session has ended")
        return LiveSession(session=session, via="token", claims=claims)

    async def list(self, user_id: str, page: PageRequest) -> Page[Session]:
        """The user's living sessions, newest first."""
        return await self.sessions.list(page, SessionFilter(user_id=user_id), now=self.now())

    # -- end ------------------------------------------------------------------------------

    async def end(self, session: Session, *, reason: str, caller: Caller) -> RevocationOutcome:
        """End a session and its families; ending it again changes nothing."""
        event = self.audit.event(
            EventType.SESSION_ENDED,
            caller,
            user_id=session.user_id,
            client_id=session.client_id,
            session_id=session.id,
            reason=reason,
        )
        outcome = await self.sessions.end(session.id, at=self.now(), reason=reason, event=event)
        return await self._told(outcome)

    async def end_others(self, live: LiveSession, *, reason: str, caller: Caller) -> RevocationOutcome:
        """End every session of the user but this one."""
        event = self.audit.event(
            EventType.SESSION_OTHERS_ENDED, caller, user_id=live.user_id, session_id=live.session.id, reason=reason
        )
        outcome = await self.sessions.end_others(
            live.user_id, live.session.id, at=self.now(), reason=reason, event=event
        )
        return await self._told(outcome)

    async def end_one(self, user_id: str, session_id: str, *, reason: str, caller: Caller) -> RevocationOutcome:
        """End one of the user's sessions; raises NotFound for an unknown, an ended and a foreign one alike."""
        session = await self.sessions.get(session_id, now=self.now())
        if session is None or session.user_id != user_id:
            raise NotFound("there is no such session")
        return await self.end(session, reason=reason, caller=caller)

    async def _told(self, outcome: RevocationOutcome) -> RevocationOutcome:
        """Committed: whoever follows the revocation log may look now instead of at its next poll."""
        if outcome.changed:
            await tell_revoked(self.bus)
        return outcome

    async def replace(self, cookie: str, *, caller: Caller) -> None:
        """End the session of a cookie that a new log-in has just replaced, if it is still alive."""
        with contextlib.suppress(NotAuthenticated):
            live = await self.by_cookie(cookie)
            await self.end(live.session, reason="replaced by a new log-in", caller=caller)
