"""Who exists: make, change and remove accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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

ATTEMPTS = 3


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
        claims: Mapping[str, object] | None = None,
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
            claims=dict(claims or {}),
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

    async def change_claims(self, user_id: str, changes: Mapping[str, object], *, caller: Caller) -> User:
        """What is said about the user, with `changes` to it: None takes a claim away, the others stay, except that a
        new address or number is not verified because the old one was. Shapes have been checked. Raises NotFound;
        Conflict when others change it again and again at the same time."""
        event = self.audit.event(
            EventType.USER_CLAIMS_CHANGED, caller, user_id=user_id, claims=" ".join(sorted(changes))
        )
        for _ in range(ATTEMPTS):
            user = await self.get(user_id)
            claims = _changed(user.claims, changes)
            if claims == user.claims:
                return user
            at = self.now()
            if await self.users.set_claims(user_id, claims, instead_of=user.claims, at=at, event=event):
                return replace(user, claims=claims, updated_at=at)
        raise Conflict("these claims were changed by somebody else at the same time; look again")

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


VERIFIED = {"email": "email_verified", "phone_number": "phone_number_verified"}


def _changed(claims: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    stale = {mark: None for name, mark in VERIFIED.items() if changes.get(name, claims.get(name)) != claims.get(name)}
    return {name: value for name, value in {**claims, **stale, **changes}.items() if value is not None}


def _found(changed: bool) -> None:
    if not changed:
        raise NotFound("there is no such user")
