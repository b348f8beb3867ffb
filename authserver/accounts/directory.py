"""Who exists: make, change and remove accounts."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.accounts.password_rules import check_new_password
from authserver.accounts.passwords import Passwords
from authserver.accounts.usernames import display_name
from authserver.accounts.usernames import username_key as username_key
from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.account import User
from authserver.model.audit import Caller
from authserver.model.errors import Conflict, NotFound
from authserver.model.page import Page, PageRequest
from authserver.storage.channels import tell_revoked
from authserver.storage.interface import AlreadyExists, Bus, UserStore


@dataclass(frozen=True, slots=True)
class Directory:
    users: UserStore
    passwords: Passwords
    audit: AuditLog
    bus: Bus
    now: Clock

    async def create(
        self,
        username: str,
        password: str | None,
        *,
        caller: Caller,
        password_hash: str | None = None,
        enabled: bool = True,
    ) -> User:
        """A new account; without password and hash it cannot log in until it is given one.

        `password_hash` is an argon2id PHC string from elsewhere and is stored as it is; it is renewed at the
        first log-in. Raises InvalidUsername, InvalidPassword, Conflict when the name is taken.
        """
        key = username_key(username)
        if password is not None:
            check_new_password(password, username)
            password_hash = await self.passwords.hash(password)
        now = self.now()
        user = User(
            id=uuid7(now),
            username=display_name(username),
            username_key=key,
            password_hash=password_hash,
            enabled=enabled,
            created_at=now,
            updated_at=now,
        )
        try:
            await self.users.add(user, event=self.audit.event(EventType.USER_CREATED, caller, user_id=user.id))
        except AlreadyExists:
            raise Conflict("this username is taken") from None
        return user

    async def set_password(self, user_id: str, password: str, *, caller: Caller) -> None:
        """Also ends every session, family and token of the user. Raises NotFound, InvalidPassword."""
        user = await self.get(user_id)
        check_new_password(password, user.username)
        hashed = await self.passwords.hash(password)
        event = self.audit.event(EventType.USER_PASSWORD_SET, caller, user_id=user_id)
        _found(await self.users.set_password(user_id, hashed, at=self.now(), event=event))
        await tell_revoked(self.bus)

    async def set_enabled(self, user_id: str, enabled: bool, *, caller: Caller) -> None:
        """Disabling ends every session, family and token for good. Raises NotFound."""
        kind = EventType.USER_ENABLED if enabled else EventType.USER_DISABLED
        event = self.audit.event(kind, caller, user_id=user_id)
        _found(await self.users.set_enabled(user_id, enabled, at=self.now(), event=event))
        if not enabled:
            await tell_revoked(self.bus)

    async def remove(self, user_id: str, *, caller: Caller) -> None:
        """Raises NotFound."""
        event = self.audit.event(EventType.USER_REMOVED, caller, user_id=user_id)
        _found(await self.users.remove(user_id, at=self.now(), event=event))
        await tell_revoked(self.bus)

    async def get(self, user_id: str) -> User:
        """Raises NotFound."""
        user = await self.users.get(user_id)
        if user is None:
            raise NotFound("there is no such user")
        return user

    async def by_username(self, username: str) -> User:
        """However the name is typed. Raises NotFound, InvalidUsername."""
        user = await self.users.by_username(username_key(username))
        if user is None:
            raise NotFound("there is no such user")
        return user

    async def list(self, page: PageRequest, *, query: str | None = None, enabled: bool | None = None) -> Page[User]:
        return await self.users.list(page, query=query, enabled=enabled)


def _found(changed: bool) -> None:
    if not changed:
        raise NotFound("there is no such user")
