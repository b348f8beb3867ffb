"""Initial access tokens: who holds one may register clients (RFC 7591 section 3), within its policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from authserver.administration.fields import Reader, nullable, read_fields, seconds
from authserver.administration.scopes import ADMIN_SCOPES
from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.audit import Caller
from authserver.model.errors import InvalidToken, NotFound
from authserver.model.inputs import InvalidField, is_uuid, rfc3339, text, whole_number
from authserver.model.registration import InitialAccessToken
from authserver.model.time import Instant
from authserver.storage.interface import RegistrationStore
from authserver.tokens.handles import MalformedHandle, References

POLICY: Final = ("scopes", "resources", "grant_types")
LONGEST_LIFE: Final = 366 * 86_400
"""Seconds."""
MOST_USES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class NewInitialToken:
    """The token at the only moment at which its text is known."""

    kept: InitialAccessToken
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class InitialTokens:
    store: RegistrationStore
    references: References
    readers: Mapping[str, Reader]
    """Those of the fields of clients."""
    audit: AuditLog
    now: Clock

    async def add(self, body: Mapping[str, object], *, caller: Caller) -> NewInitialToken:
        """`body`: label, uses, expires_in (seconds), scopes, resources, grant_types; all optional.

        Raises InvalidField.
        """
        said = read_fields(body, self._fields())
        new, now = self.references.new(), self.now()
        life = said.get("expires_in")
        uses = said.get("uses")
        token = InitialAccessToken(
            id=uuid7(now),
            sha256=new.sha256,
            label=str(said.get("label", "")),
            policy={name: said[name] for name in POLICY if name in said},
            uses_left=uses if isinstance(uses, int) else None,
            created_at=now,
            expires_at=now + life if isinstance(life, int) else None,
        )
        event = self.audit.event(EventType.REGISTRATION_TOKEN_ADDED, caller, token_id=token.id, label=token.label)
        await self.store.add_initial_token(token, event=event)
        return NewInitialToken(token, new.text)

    async def all(self) -> Sequence[InitialAccessToken]:
        return await self.store.initial_tokens()

    async def remove(self, token_id: str, *, caller: Caller) -> None:
        """Clients that were registered with it stay. Raises NotFound."""
        event = self.audit.event(EventType.REGISTRATION_TOKEN_REMOVED, caller, token_id=token_id)
        if not is_uuid(token_id) or not await self.store.remove_initial_token(token_id, event=event):
            raise NotFound("there is no such initial access token")

    async def presented(self, bearer: str) -> InitialAccessToken:
        """Raises InvalidToken for one that is not ours, removed, expired or used up."""
        try:
            found = await self.store.initial_token(self.references.parse(bearer), now=self.now())
        except MalformedHandle:
            found = None
        if found is None:
            raise InvalidToken("this initial access token is unknown, expired or used up")
        return found

    async def policy_of(self, token_id: str) -> Mapping[str, object] | None:
        """None when it is gone."""
        return next((token.policy for token in await self.store.initial_tokens() if token.id == token_id), None)

    def _fields(self) -> dict[str, Reader]:
        return {
            "label": lambda field, value: text(field, value, longest=200, shortest=0),
            "uses": nullable(lambda field, value: whole_number(field, value, least=1, most=MOST_USES)),
            "expires_in": nullable(seconds(1, LONGEST_LIFE)),
            "scopes": self._harmless_scopes,
            "resources": self.readers["resources"],
            "grant_types": self.readers["grant_types"],
        }

    def _harmless_scopes(self, field: str, value: object) -> object:
        read = self.readers["scopes"](field, value)
        if isinstance(read, tuple) and any(scope in ADMIN_SCOPES for scope in read):
            raise InvalidField(field, "must not hold a scope that administers this server")
        return read


def initial_token_body(token: InitialAccessToken) -> dict[str, object]:
    """As administrators see it."""
    return {
        "token_id": token.id,
        "label": token.label,
        **{name: token.policy.get(name) for name in POLICY},
        "uses_left": token.uses_left,
        "created_at": rfc3339(token.created_at),
        "expires_at": _when(token.expires_at),
    }


def _when(at: Instant | None) -> str | None:
    return None if at is None else rfc3339(at)
