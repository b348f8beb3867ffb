"""Who may ask for tokens: register, change, disable and remove clients, by one set of rules for every way in."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from authserver.administration.client_fields import with_defaults
from authserver.administration.client_rules import check_client
from authserver.administration.client_view import difference
from authserver.administration.client_words import client_id, is_client_id, new_secret
from authserver.administration.fields import Reader, read_fields, required
from authserver.administration.last_admin import LastAdmin
from authserver.administration.profiles import settled
from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.audit import Caller
from authserver.model.client import Client, ClientSecret
from authserver.model.errors import Conflict, NotFound
from authserver.model.inputs import InvalidField, is_uuid
from authserver.model.page import Page, PageRequest
from authserver.model.time import Duration
from authserver.storage.interface import AlreadyExists, ClientStore
from authserver.tokens.handles import client_secret_hash

MOST_LIVE_SECRETS = 10

Permit = Callable[[Client], Awaitable[None]]
"""Raises when the caller may not manage this client; asked about its state before a change and after it."""


async def permit_all(client: Client) -> None:
    """Whoever is at the command line holds the database and may do everything."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret at the only moment at which its text is known."""

    kept: ClientSecret
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientDirectory:
    """Every change is one transaction with its audit event, under the rules of the fields and of the last admin.

    `fields` are the JSON names and shapes of POST /admin/clients. Every verb raises NotFound for a client that is
    not there, InvalidField for a field that is unknown or wrong, and what `permit` raises. Those that could leave
    nobody to administer this server raise Conflict, unless `keep_last` is False.
    """

    clients: ClientStore
    last_admin: LastAdmin
    readers: Mapping[str, Reader]
    """`client_fields.client_readers`: what may be set, by name."""
    audit: AuditLog
    now: Clock
    derive: Callable[[str, str], str] | None = None
    """Client id and secret id -> a secret that can be made again (`tokens.derived_secrets`); None: there are none."""

    async def find(self, named: str) -> Client | None:
        return await self.clients.get(named) if is_client_id(named) else None

    async def get(self, named: str) -> Client:
        client = await self.find(named)
        if client is None:
            raise _unknown(named)
        return client

    async def list(self, page: PageRequest, *, query: str | None = None) -> Page[Client]:
        return await self.clients.list(page, query=query)

    def check(self, fields: Mapping[str, object], before: Client | None = None) -> Client:
        """The client that `add(fields)` would register or, given `before`, that `update` would make of it; nothing
        is stored. Without `client_id` a new one is made up."""
        return self._new(fields) if before is None else self._changed(before, fields)

    def has_secret(self, client: Client, text: str) -> bool:
        """Whether this secret authenticates the client now."""
        digest = client_secret_hash(text)
        return any(secret.sha256 == digest for secret in self._living(client))

    async def add(
        self, fields: Mapping[str, object], *, caller: Caller, permit: Permit = permit_all, secret: str | None = None
    ) -> tuple[Client, NewSecret | None]:
        """The new client and, if it authenticates by one, its secret: `secret`, or one made here.

        Raises Conflict for an id that is taken.
        """
        client, made = self._new(fields), None
        if client.uses_secret:
            made = self._make_secret(client, secret)
            client = replace(client, secrets=(made.kept,))
        elif secret is not None:
            raise InvalidField("client_secret", f"is not for a client with auth_method {client.auth_method}")
        await permit(client)
        event = self.audit.event(
            EventType.CLIENT_CREATED,
            caller,
            client_id=client.id,
            scopes=list(client.scopes),
            grant_types=list(client.grant_types),
        )
        try:
            await self.clients.add(client, event=event)
        except AlreadyExists:
            raise Conflict(f"there is a client {client.id} already", extra={"field": "client_id"}) from None
        return client, made

    async def update(
        self,
        named: str,
        fields: Mapping[str, object],
        *,
        caller: Caller,
        permit: Permit = permit_all,
        keep_last: bool = True,
        seen: Client | None = None,
    ) -> Client:
        """Change the fields that are named; the client as it is then. Tokens that are out stay as they are.

        Raises Conflict when somebody else changes it at the same time or, given `seen`, has changed it since.
        """
        async with self.last_admin.turn:
            before = await self.get(named)
            if seen is not None and before.updated_at != seen.updated_at:
                raise _overtaken(named)
            after = self._changed(before, fields)
            await self._allow(before, after, permit, keep_last)
            if after == before:
                return before
            after = replace(after, updated_at=self.now())
            changed = difference(before, after)
            event = self.audit.event(EventType.CLIENT_UPDATED, caller, client_id=named, changed=changed)
            if not await self.clients.update(after, unless_changed_since=before.updated_at, event=event):
                await self.get(named)
                raise _overtaken(named)
        return await self.get(named)

    async def set_enabled(
        self, named: str, enabled: bool, *, caller: Caller, permit: Permit = permit_all, keep_last: bool = True
    ) -> Client:
        """Disabling refuses everything the client was issued, for good; the client as it is then."""
        async with self.last_admin.turn:
            before = await self.get(named)
            await self._allow(before, replace(before, enabled=enabled), permit, keep_last)
            if before.enabled == enabled:
                return before
            kind = EventType.CLIENT_ENABLED if enabled else EventType.CLIENT_DISABLED
            event = self.audit.event(kind, caller, client_id=named)
            _found(await self.clients.set_enabled(named, enabled, at=self.now(), event=event), named)
        return await self.get(named)

    async def add_secret(
        self,
        named: str,
        *,
        retire_others_in: Duration | None,
        caller: Caller,
        permit: Permit = permit_all,
        secret: str | None = None,
    ) -> NewSecret:
        """One more secret, `secret` or one made here; the others end after `retire_others_in` (None: they stay).

        Raises Conflict for a client that does not authenticate by one, and when the others stay and are many.
        """
        client = await self.get(named)
        await permit(client)
        if not client.uses_secret:
            how = "is public" if client.is_public else f"authenticates by {client.auth_method}"
            raise Conflict(f"client {named} {how}: it has no secrets")
        if retire_others_in is None and len(self._living(client)) >= MOST_LIVE_SECRETS:
            raise Conflict(f"client {named} has {MOST_LIVE_SECRETS} secrets; remove one first")
        made = self._make_secret(client, secret)
        retire_at = None if retire_others_in is None else made.kept.created_at + retire_others_in
        event = self.audit.event(
            EventType.CLIENT_SECRET_ADDED,
            caller,
            client_id=named,
            secret_id=made.kept.id,
            retire_others_at=retire_at,
        )
        _found(await self.clients.add_secret(named, made.kept, retire_others_at=retire_at, event=event), named)
        return made

    async def remove_secret(
        self, named: str, secret_id: str, *, caller: Caller, permit: Permit = permit_all, keep_last: bool = True
    ) -> None:
        """It authenticates nobody from now on. Tokens it already got stay: revoke the client for those."""
        async with self.last_admin.turn:
            before = await self.get(named)
            left = tuple(secret for secret in before.secrets if secret.id != secret_id)
            await self._allow(before, replace(before, secrets=left), permit, keep_last)
            event = self.audit.event(EventType.CLIENT_SECRET_REMOVED, caller, client_id=named, secret_id=secret_id)
            if not is_uuid(secret_id) or not await self.clients.remove_secret(named, secret_id, event=event):
                raise NotFound("this client has no such secret")

    async def remove(self, named: str, *, caller: Caller, permit: Permit = permit_all, keep_last: bool = True) -> None:
        """Ends its families and refuses its tokens."""
        async with self.last_admin.turn:
            await self._allow(await self.get(named), None, permit, keep_last)
            event = self.audit.event(EventType.CLIENT_REMOVED, caller, client_id=named)
            _found(await self.clients.remove(named, at=self.now(), event=event), named)

    def _new(self, body: Mapping[str, object]) -> Client:
        stated = read_fields(body, {"client_id": client_id, **self.readers})
        required(stated, "name")
        fields = with_defaults(stated)
        named = fields.pop("client_id", None) or f"client-{secrets.token_hex(8)}"
        now = self.now()
        client = settled(Client(id=named, created_at=now, updated_at=now, **fields), stated, self.readers)
        check_client(client)
        return client

    def _changed(self, before: Client, body: Mapping[str, object]) -> Client:
        fields: dict[str, Any] = read_fields(body, self.readers)
        after = replace(before, **fields)
        if after.profile != before.profile:
            after = settled(after, fields, self.readers)
        if after.is_public != before.is_public:
            raise InvalidField("auth_method", "cannot change between public and confidential; register another client")
        if after.auth_method == "client_secret_jwt" != before.auth_method:
            raise InvalidField("auth_method", "cannot become client_secret_jwt; register another client")
        check_client(after)
        return after

    async def _allow(self, before: Client, after: Client | None, permit: Permit, keep_last: bool) -> None:
        """To be called with the turn held, so that two administrators cannot remove each other."""
        await permit(before)
        if after is not None:
            await permit(after)
        if keep_last:
            await self.last_admin.allow(before, after)

    def _make_secret(self, client: Client, text: str | None) -> NewSecret:
        now = self.now()
        secret_id = uuid7(now)
        signs = client.auth_method == "client_secret_jwt"
        text = self._derived(client, secret_id, text) if signs else new_secret(text)
        return NewSecret(ClientSecret(id=secret_id, sha256=client_secret_hash(text), created_at=now), text)

    def _derived(self, client: Client, secret_id: str, given: str | None) -> str:
        """Only a hash is kept, with which no signature can be checked: the server must be able to make it again."""
        if given is not None or self.derive is None:
            raise InvalidField("client_secret", "of a client with auth_method client_secret_jwt is made by the server")
        return self.derive(client.id, secret_id)

    def _living(self, client: Client) -> tuple[ClientSecret, ...]:
        now = self.now()
        return tuple(s for s in client.secrets if s.expires_at is None or s.expires_at > now)


def _found(changed: bool, named: str) -> None:
    if not changed:
        raise _unknown(named)


def _overtaken(named: str) -> Conflict:
    return Conflict(f"client {named} was changed by somebody else meanwhile; look again")


def _unknown(named: str) -> NotFound:
    return NotFound(f"there is no client {named}" if is_client_id(named) else "there is no such client")
