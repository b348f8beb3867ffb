"""Clients register themselves and manage themselves (RFC 7591, RFC 7592)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from authserver.administration.client_words import is_client_id
from authserver.administration.fields import Reader
from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.audit import AuditEvent, Caller
from authserver.model.client import Client, ClientSecret
from authserver.model.errors import Conflict, Forbidden, InvalidToken, NotFound
from authserver.model.registration import InitialAccessToken, Registration
from authserver.registration.errors import InvalidClientMetadata
from authserver.registration.initial_tokens import InitialTokens
from authserver.registration.limits import RegistrationLimits
from authserver.registration.metadata import Metadata, metadata_of, read_metadata
from authserver.registration.policy import METHODS, RegistrationPolicy
from authserver.storage.interface import ClientStore, RegistrationStore
from authserver.tokens.handles import MalformedHandle, References, client_secret_hash, new_client_secret

Mode = Literal["off", "token", "open"]

_NOTHING: Final = RegistrationPolicy(grant_types=(), scopes=())


@dataclass(frozen=True, slots=True)
class Registered:
    """A client as it is now, and the credentials that are to be told."""

    client: Client
    registration_token: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    """Only when it was made just now."""

    @property
    def metadata(self) -> dict[str, object]:
        """The client information response (RFC 7591 section 3.2.1), without its `registration_client_uri`."""
        told = {**metadata_of(self.client), "registration_access_token": self.registration_token}
        if self.secret is not None:
            told["client_secret"] = self.secret
        if self.client.uses_secret:
            told["client_secret_expires_at"] = 0
        return told


@dataclass(frozen=True, slots=True)
class Registrar:
    mode: Mode
    policy: RegistrationPolicy
    methods: Collection[str]
    """Authentication methods that this server has on."""
    readers: Mapping[str, Reader]
    store: RegistrationStore
    clients: ClientStore
    initial: InitialTokens
    references: References
    """Of registration access tokens."""
    limits: RegistrationLimits
    audit: AuditLog
    changed: Callable[[], Awaitable[None]]
    """Told after the commit of a change, so that every process looks again."""
    now: Clock

    async def register(self, body: Mapping[str, object], bearer: str | None, caller: Caller) -> Registered:
        """A new client. Raises TooManyRequests, InvalidToken, and the errors of RFC 7591."""
        await self.limits.admit(caller.address)
        initial = await self._permit(bearer)
        policy = self.policy if initial is None else self.policy.under(initial.policy)
        metadata = read_metadata(body, self.readers)
        client, secret = self._with_secret(metadata.client(self._blank(), policy, self._methods))
        reference = self.references.new()
        registration = Registration(
            client_id=client.id,
            token_sha256=reference.sha256,
            initial_token_id=None if initial is None else initial.id,
            created_at=client.created_at,
            used_at=client.created_at,
        )
        event = self._event(EventType.CLIENT_REGISTERED, client, caller, initial=registration.initial_token_id)
        if not await self.store.register(client, registration, event=event):
            raise InvalidToken("this initial access token is expired or used up")
        return Registered(client, reference.text, secret)

    async def read(self, client_id: str, bearer: str | None) -> Registered:
        """Raises InvalidToken, Forbidden."""
        client, _, text = await self._own(client_id, bearer)
        return Registered(client, text)

    async def replace(
        self, client_id: str, body: Mapping[str, object], bearer: str | None, caller: Caller
    ) -> Registered:
        """What the body does not name goes back to its default, except what a client cannot say of itself.

        Raises InvalidToken, Forbidden, TooManyRequests, Conflict, and the errors of RFC 7591.
        """
        before, registration, text = await self._own(client_id, bearer)
        await self.limits.admit_change(client_id)
        self._require_own_credentials(body, before)
        metadata = read_metadata(body, self.readers)
        after = await self._replaced(metadata, before, registration)
        if after == before:
            return Registered(before, text)
        after, secret = replace(after, updated_at=self.now()), None
        if not after.uses_secret:
            after = replace(after, secrets=())  # or they would count again when it comes back to secrets
        elif not before.uses_secret:
            after, secret = self._with_secret(after)
        event = self._event(EventType.CLIENT_UPDATED, after, caller, changed=differing(before, after))
        since = before.updated_at
        if not await self.store.replace(after, registration, unless_changed_since=since, event=event):
            raise Conflict("this client was changed by somebody else meanwhile; read it again")
        await self.changed()
        return Registered(await self.clients.get(client_id) or after, text, secret)

    async def remove(self, client_id: str, bearer: str | None, caller: Caller) -> None:
        """With everything it was issued. Raises InvalidToken, Forbidden."""
        client, _, _ = await self._own(client_id, bearer)
        event = self._event(EventType.CLIENT_REMOVED, client, caller)
        await self.clients.remove(client_id, at=self.now(), event=event)

    async def renew_token(self, client_id: str, caller: Caller) -> str:
        """Another registration access token in place of the one there was: for an administrator, who learned that it
        leaked or was lost. Raises NotFound, Conflict."""
        client, registration = await self.clients.get(client_id), await self.store.get(client_id)
        if client is None or registration is None or client.origin != "dynamic":
            raise NotFound("there is no client of this id that registered itself")
        new = self.references.new()
        event = self.audit.event(EventType.REGISTRATION_TOKEN_RENEWED, caller, client_id=client_id)
        renewed = replace(registration, token_sha256=new.sha256)
        if not await self.store.replace(client, renewed, unless_changed_since=client.updated_at, event=event):
            raise Conflict(f"client {client_id} was changed by somebody else meanwhile; try again")
        return new.text

    @property
    def _methods(self) -> tuple[str, ...]:
        return tuple(method for method in METHODS if method in self.methods)

    async def _permit(self, bearer: str | None) -> InitialAccessToken | None:
        if bearer is not None:
            return await self.initial.presented(bearer)
        if self.mode != "open":
            raise InvalidToken("registering here takes an initial access token", headers={"WWW-Authenticate": "Bearer"})
        return None

    async def _own(self, client_id: str, bearer: str | None) -> tuple[Client, Registration, str]:
        """The same refusal for a client that is not there and a token that is not its own (RFC 7592 section 2.1)."""
        if bearer is None:
            raise InvalidToken("this takes a registration access token", headers={"WWW-Authenticate": "Bearer"})
        try:
            digest = self.references.parse(bearer)
        except MalformedHandle:
            raise _not_its_token() from None
        registration = await self.store.get(client_id) if is_client_id(client_id) else None
        client = await self.clients.get(client_id) if registration is not None else None
        kept = b"" if registration is None else registration.token_sha256 or b""
        if client is None or registration is None or not hmac.compare_digest(digest, kept):
            raise _not_its_token()
        if not client.enabled:
            raise Forbidden("this client was disabled by an administrator")
        return client, registration, bearer

    async def _replaced(self, metadata: Metadata, before: Client, registration: Registration) -> Client:
        policy = self.policy
        if registration.initial_token_id is not None:
            known = await self.initial.policy_of(registration.initial_token_id)
            policy = _NOTHING if known is None else self.policy.under(known)
        after = metadata.client(before, policy.beside(before), (*self._methods, before.auth_method))
        if after.is_public != before.is_public:
            raise InvalidClientMetadata("token_endpoint_auth_method cannot change to or from none; register anew")
        return after

    def _require_own_credentials(self, body: Mapping[str, object], client: Client) -> None:
        """RFC 7592 section 2.2: the id must be there and its own, a secret its own if it is there."""
        if body.get("client_id") != client.id:
            raise InvalidClientMetadata("client_id must be that of this client")
        secret = body.get("client_secret")
        if secret is not None and not (isinstance(secret, str) and self._is_living(client, secret)):
            raise InvalidClientMetadata("client_secret is not this client's; it cannot be chosen")

    def _is_living(self, client: Client, secret: str) -> bool:
        now, digest = self.now(), client_secret_hash(secret)
        return any(s.sha256 == digest for s in client.secrets if s.expires_at is None or s.expires_at > now)

    def _blank(self) -> Client:
        now, named = self.now(), f"app-{secrets.token_hex(12)}"
        return Client(id=named, name=named, auth_method="none", origin="dynamic", created_at=now, updated_at=now)

    def _with_secret(self, client: Client) -> tuple[Client, str | None]:
        if not client.uses_secret:
            return client, None
        now, (text, digest) = self.now(), new_client_secret()
        kept = ClientSecret(id=uuid7(now), sha256=digest, created_at=now)
        return replace(client, secrets=(*client.secrets, kept)), text

    def _event(self, kind: EventType, client: Client, caller: Caller, **detail: Any) -> AuditEvent:
        return self.audit.event(kind, caller, client_id=client.id, name=client.name, **detail)


def differing(before: Client, after: Client) -> list[str]:
    """Which members changed; what strangers write into them is in the client, and need not be in the audit log."""
    old, new = metadata_of(before), metadata_of(after)
    return [member for member in {**old, **new} if old.get(member) != new.get(member)]


def _not_its_token() -> InvalidToken:
    return InvalidToken("this is no registration access token of this client")
