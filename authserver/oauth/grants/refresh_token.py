"""Trade a refresh token for its successor and a new access token (RFC 6749 section 6, RFC 9700 section 4.14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.audit import AuditEvent, Caller
from authserver.model.client import Client
from authserver.model.grant import Authorization, Confirmation, Family, OpenIdFacts, Terms
from authserver.model.time import Duration
from authserver.oauth.authorization_details import narrow_details
from authserver.oauth.errors import InvalidGrant, RefreshRefusal
from authserver.oauth.form import Form
from authserver.oauth.scopes import narrow, narrow_resources, resources_of
from authserver.storage.channels import tell_revoked
from authserver.storage.interface import AuditStore, Bus, FamilyStore, Rotation, RotationRefused
from authserver.telemetry import REFRESHES
from authserver.tokens.handles import MalformedHandle, NewHandle, RefreshHandle, RefreshHandles

NOT_VALID = "refresh token is not valid for this client"
"""For whatever is no token of this client: unknown, forged, another client's."""

OTHER_KEY = "refresh token is bound to a key that this request did not prove to hold"
"""Nothing is spent: somebody without the key is not the one to end the log-in (RFC 9449 section 5)."""

WHY: dict[RefreshRefusal, str] = {
    "reused": "refresh token was used before; everything that came from this log-in at this client has ended",
    "revoked": "refresh token was revoked",
    "session_ended": "the session has ended",
    "expired": "refresh token has expired",
}


@dataclass(frozen=True, slots=True)
class RefreshTokenGrant:
    """One statement decides who wins; the successor is computed before it and again on a retry.

    Nothing usable is stored: a retry makes the same successor from the token it presents and the
    stored salt. The new refresh token keeps the family's scope and resources, whatever was asked for.
    """

    families: FamilyStore
    handles: RefreshHandles
    audit_store: AuditStore
    audit: AuditLog
    issuer: str
    idle: Duration
    """How far a use moves the idle end."""
    grace: Duration
    """How long the immediate parent may come again, after a lost answer."""
    bus: Bus
    now: Clock
    grant_type: str = "refresh_token"

    async def redeem(
        self, client: Client, form: Form, caller: Caller, confirmation: Confirmation | None = None
    ) -> Authorization:
        presented = form.require("refresh_token")
        asked = Asked(form.get("scope"), form.all("resource"), form.get("authorization_details"))
        handle = self._parse(presented)
        await self._refuse_more_than_granted(client, handle, asked)
        # Every refusal that needs no write is above; from here the presented token is spent.
        family, refresh_token = await self._rotate(client, handle, presented, caller, confirmation)
        authorization = Authorization.of_family(
            family,
            client,
            scope=asked.scope_of(client, family),
            audience=asked.audience_of(client, family, self.issuer),
            refresh_token=refresh_token,
            scope_asked=None if asked.scope is None else tuple(asked.scope.split()),
            confirmation=confirmation,
            openid=OpenIdFacts() if "openid" in family.scope else None,
        )
        return authorization if asked.details is None else replace(authorization, terms=asked.terms_of(family))

    def _parse(self, token: str) -> RefreshHandle:
        try:
            return self.handles.parse(token)
        except MalformedHandle:
            REFRESHES.inc("malformed")
            raise InvalidGrant(NOT_VALID, detail="not one of our refresh tokens") from None

    async def _refuse_more_than_granted(self, client: Client, handle: RefreshHandle, asked: Asked) -> None:
        """Reads the family only when the request narrows it: the usual refresh stays one statement."""
        if asked == Asked():
            return
        family = await self.families.get(handle.family_id)
        if family is not None and family.client_id == client.id:
            asked.scope_of(client, family)
            asked.audience_of(client, family, self.issuer)
            asked.terms_of(family)

    async def _rotate(
        self,
        client: Client,
        handle: RefreshHandle,
        presented: str,
        caller: Caller,
        confirmation: Confirmation | None,
    ) -> tuple[Family, str]:
        """The family as it now stands, and its one live refresh token."""
        successor = self.handles.successor(handle)
        outcome = await self.families.rotate(
            self._rotation(client, handle, successor, confirmation),
            reuse_event=self._event(EventType.FAMILY_REUSED, client, handle, caller),
        )
        if isinstance(outcome, RotationRefused):
            raise await self._refusal(outcome, client, handle, caller)
        REFRESHES.inc(outcome.result)
        if outcome.result == "rotated":
            return outcome.family, successor.token
        if outcome.result == "retry":
            return outcome.family, self.handles.successor(handle, outcome.family.salt).token
        return outcome.family, presented

    def _rotation(
        self, client: Client, handle: RefreshHandle, successor: NewHandle, confirmation: Confirmation | None
    ) -> Rotation:
        return Rotation(
            family_id=handle.family_id,
            client_id=client.id,
            presented_hash=handle.hash,
            next_hash=successor.secret_hash,
            next_salt=successor.salt,
            now=self.now(),
            idle=self.idle,
            grace=self.grace,
            bound_to=None if confirmation is None else str(confirmation),
            # RFC 9700 section 4.14.2: a public client's refresh tokens must rotate, whatever is configured.
            rotate=client.is_public or client.refresh_rotation == "always",
        )

    async def _refusal(
        self, refused: RotationRefused, client: Client, handle: RefreshHandle, caller: Caller
    ) -> InvalidGrant:
        REFRESHES.inc(refused.reason)
        if refused.reason == "reused":
            await tell_revoked(self.bus)
        if refused.reason == "key":
            await self._tell(EventType.REFRESH_WRONG_KEY, client, handle, caller, refused.family)
            return InvalidGrant(OTHER_KEY, detail=f"family {handle.family_id}")
        if refused.reason != "unknown":
            return InvalidGrant(WHY[refused.reason], reason=refused.reason, detail=f"family {handle.family_id}")
        family = await self.families.get(handle.family_id)
        if family is not None and family.client_id != client.id:
            await self._tell(EventType.REFRESH_WRONG_CLIENT, client, handle, caller, family)
        return InvalidGrant(NOT_VALID, detail=f"family {handle.family_id} is not of client {client.id}")

    async def _tell(
        self, kind: EventType, client: Client, handle: RefreshHandle, caller: Caller, family: Family | None
    ) -> None:
        """Somebody has a genuine token and not what belongs to it."""
        if self.audit.may_tell(kind, client.id, handle.family_id):
            await self.audit_store.append(self._event(kind, client, handle, caller, family))

    def _event(
        self, kind: EventType, client: Client, handle: RefreshHandle, caller: Caller, family: Family | None = None
    ) -> AuditEvent:
        """`family` when the event is about its owner, too."""
        return self.audit.event(
            kind,
            caller.acting_as(f"client:{client.id}"),
            client_id=client.id,
            family_id=handle.family_id,
            generation=handle.generation,
            user_id=family.user_id if family else None,
            session_id=family.session_id if family else None,
            owner=family.client_id if family else None,
        )


class Asked(NamedTuple):
    """What one refresh asks for, within what was granted at the log-in and what the client may still have."""

    scope: str | None = None
    resources: Sequence[str] = []
    details: str | None = None
    """RFC 9396 section 6."""

    def scope_of(self, client: Client, family: Family) -> tuple[str, ...]:
        """Raises InvalidScope for more than that."""
        granted = tuple(scope for scope in family.scope if scope in client.scopes)
        return granted if self.scope is None else narrow(granted, self.scope)

    def audience_of(self, client: Client, family: Family, issuer: str) -> tuple[str, ...]:
        """Raises InvalidTarget for more than that, InvalidGrant when nothing is left."""
        allowed = resources_of(client, issuer)
        granted = tuple(resource for resource in family.resources if resource in allowed)
        if not granted:
            raise InvalidGrant("none of the resources of this log-in is left to this client")
        return narrow_resources(granted, self.resources) if self.resources else granted

    def terms_of(self, family: Family) -> Terms:
        """Raises InvalidAuthorizationDetails for more than that."""
        if self.details is None:
            return family.terms
        details = narrow_details(family.terms.authorization_details, self.details)
        return replace(family.terms, authorization_details=details)
