"""Logging in with a password: throttle, check, begin a session."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn

from authserver.accounts.errors import InvalidCredentials, LoginThrottled
from authserver.accounts.passwords import Passwords, password_bytes
from authserver.accounts.throttle import Admission, LoginThrottle
from authserver.accounts.usernames import username_key
from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.account import User
from authserver.model.audit import Caller
from authserver.model.client import Client
from authserver.model.errors import TemporarilyUnavailable
from authserver.model.grant import Authorization, Confirmation, Family, OpenIdFacts
from authserver.model.session import Session
from authserver.sessions.birth import Begun, LogIn
from authserver.sessions.lifecycle import Sessions
from authserver.storage.interface import AuditStore, StorageUnavailable, UserStore
from authserver.telemetry import LOGINS
from authserver.tokens.handles import Device, DeviceCookies

PASSWORD: Final = ("pwd",)
"""The `amr` of a log-in by password alone (RFC 8176 section 2)."""
PASSWORD_ACR: Final = "urn:authserver:acr:pwd"  # noqa: S105 (a name, no password)
"""Its `acr`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordAttempt:
    """What a log-in request brings; client, scope and resources are already resolved and allowed."""

    username: str
    password: str = field(repr=False)
    client: Client | None
    """None: on this server's own page, for no application in particular. Always given in token mode."""
    mode: Literal["token", "session", "headless"] = "token"
    scope: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    scope_asked: tuple[str, ...] | None = None
    confirmation: Confirmation | None = None
    """The key that the request proved to hold: the tokens are bound to it."""
    device_cookie: str | None = field(default=None, repr=False)
    session_cookie: str | None = field(default=None, repr=False)
    """Of a session that this browser has now: it is renewed, or ends when another one takes its place."""

    @property
    def client_id(self) -> str | None:
        return None if self.client is None else self.client.id


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    user: User
    session: Session
    family: Family | None
    """None: the log-in came through no client."""
    device_cookie: str = field(repr=False)
    session_cookie: str | None = field(default=None, repr=False)
    csrf_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)

    def authorization(self, attempt: PasswordAttempt) -> Authorization:
        """What the first access token of a log-in in token mode is minted from; raises ValueError for one that came
        through no client."""
        if self.family is None or attempt.client is None:
            raise ValueError("a log-in without a client gives no tokens")
        return Authorization.of_family(
            self.family,
            attempt.client,
            scope=self.family.scope,
            audience=self.family.resources,
            refresh_token=self.refresh_token,
            scope_asked=attempt.scope_asked,
            confirmation=attempt.confirmation,
            openid=OpenIdFacts() if "openid" in self.family.scope else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Nothing it does, and nothing it takes, tells an unknown user from a wrong password."""

    users: UserStore
    passwords: Passwords
    throttle: LoginThrottle
    sessions: Sessions
    devices: DeviceCookies
    audit: AuditLog
    audit_store: AuditStore
    now: Clock

    async def with_password(self, attempt: PasswordAttempt, caller: Caller) -> LoggedIn:
        """Raises InvalidCredentials, LoginThrottled, TemporarilyUnavailable (too many at once), and for
        text that no account could have, InvalidUsername and InvalidPassword."""
        key = username_key(attempt.username)
        password_bytes(attempt.password)
        device = await self._device(attempt, key)
        admission = await self._admit(attempt, key, device, caller)
        try:
            user, begun = await self._begun(attempt, key, admission, caller)
            await self._settle(attempt, user, admission)
        finally:
            self.throttle.left(admission)
        LOGINS.inc("succeeded")
        return self._logged_in(user, begun, device)

    async def _begun(
        self, attempt: PasswordAttempt, key: str, admission: Admission, caller: Caller
    ) -> tuple[User, Begun]:
        """Whose password this is, and the session."""
        user = await self._proven(attempt, key, admission, caller)
        begun = await self._open(attempt, user, caller)
        if begun is None:  # perhaps a log-in beside this one renewed the hash: what holds now decides
            user = await self._proven(attempt, key, admission, caller)
            begun = await self._open(attempt, user, caller)
        if begun is None:
            await self._refuse("changed meanwhile", user, attempt, admission, caller)
        return user, begun

    async def _open(self, attempt: PasswordAttempt, user: User, caller: Caller) -> Begun | None:
        """In the session that this browser has, if it can go on; else in a new one, and the other ends."""
        login, cookie = _log_in(attempt, user), attempt.session_cookie
        if attempt.mode != "session" or cookie is None:
            return await self.sessions.begin(login, caller)
        renewed = await self.sessions.renew(login, cookie, caller) if attempt.client is None else None
        if renewed is not None:
            return None if renewed == "changed" else renewed
        # First the old session: should anything fail from here on, nobody is left with two.
        await self.sessions.replace(cookie, caller=caller.acting_as(f"user:{user.id}"))
        return await self.sessions.begin(login, caller)

    async def _device(self, attempt: PasswordAttempt, key: str) -> Device | None:
        """What the device cookie proves. The account is looked up for a genuine cookie only, so that the time this
        takes tells nothing to somebody who never logged in to it."""
        cookie = attempt.device_cookie
        device = self.devices.parse(cookie, key, self.now()) if cookie else None
        user = await self.users.by_username(key) if device is not None else None
        return device if device is not None and user is not None and self.devices.stands(device, user) else None

    async def _admit(self, attempt: PasswordAttempt, key: str, device: Device | None, caller: Caller) -> Admission:
        try:
            return await self.throttle.admit(key, caller.address, device.id if device is not None else None)
        except TemporarilyUnavailable:
            LOGINS.inc("overloaded")
            raise
        except LoginThrottled as refused:
            LOGINS.inc("throttled")
            if refused.first:
                await self.audit_store.append(
                    self.audit.event(
                        EventType.LOGIN_THROTTLED, caller, client_id=attempt.client_id, limit=refused.bucket
                    )
                )
            raise

    async def _proven(self, attempt: PasswordAttempt, key: str, admission: Admission, caller: Caller) -> User:
        """The enabled user whose password this is."""
        user = await self.users.by_username(key)
        try:
            right = await self.passwords.verify(attempt.password, user.password_hash if user else None)
        except TemporarilyUnavailable:
            LOGINS.inc("overloaded")
            await self.throttle.released(admission)
            raise
        if user is None or not right:
            await self._refuse("wrong", user, attempt, admission, caller)
        if not user.enabled:
            await self._refuse("disabled", user, attempt, admission, caller)
        return user

    async def _refuse(
        self, why: str, user: User | None, attempt: PasswordAttempt, admission: Admission, caller: Caller
    ) -> NoReturn:
        """Count and record it. The name is not recorded: people type passwords into the wrong field."""
        await self.throttle.failed(admission)
        await self.audit_store.append(
            self.audit.event(
                EventType.LOGIN_FAILED, caller, user_id=user.id if user else None, client_id=attempt.client_id
            )
        )
        LOGINS.inc("failed")
        raise InvalidCredentials(detail=why)

    async def _settle(self, attempt: PasswordAttempt, user: User, admission: Admission) -> None:
        """Give the attempt back and renew a hash of older parameters. The session stands: what fails here
        is made up for by another log-in, and is no reason to refuse this one."""
        with contextlib.suppress(TemporarilyUnavailable, StorageUnavailable):
            await self.throttle.succeeded(admission)
            if user.password_hash is not None and self.passwords.needs_rehash(user.password_hash):
                renewed = await self.passwords.hash(attempt.password)
                await self.users.rehash_password(user.id, user.password_hash, renewed)

    def _logged_in(self, user: User, begun: Begun, device: Device | None) -> LoggedIn:
        return LoggedIn(
            user=user,
            session=begun.session,
            family=begun.family,
            device_cookie=self.devices.issue(user, self.now(), device),
            session_cookie=begun.cookie,
            csrf_token=begun.csrf_token,
            refresh_token=begun.refresh_token,
        )


def _log_in(attempt: PasswordAttempt, user: User) -> LogIn:
    return LogIn(
        user=user,
        client=attempt.client,
        mode=attempt.mode,
        scope=attempt.scope,
        resources=attempt.resources,
        amr=PASSWORD,
        acr=PASSWORD_ACR,
        confirmation=attempt.confirmation,
    )
