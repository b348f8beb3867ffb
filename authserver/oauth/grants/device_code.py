"""A device that has waited long enough gets its tokens (RFC 8628 section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.audit import AuditEvent, Caller
from authserver.model.authorization import DeviceRequest, Grantor
from authserver.model.client import Client
from authserver.model.grant import Authorization, Confirmation, OpenIdFacts, Terms
from authserver.model.session import Session
from authserver.oauth.device import DEVICE_CODE
from authserver.oauth.errors import AccessDenied, InvalidGrant, OAuthError
from authserver.oauth.form import Form
from authserver.oauth.opening import Granted, Openings
from authserver.storage.interface import DeviceStore, PollRefusal, SessionStore
from authserver.tokens.handles import MalformedHandle, References

NOT_VALID = "device code is not valid for this client"


class AuthorizationPending(OAuthError):
    """Nobody has answered yet: ask again after the interval (section 3.5)."""

    code = "authorization_pending"


class SlowDown(OAuthError):
    """Asked too soon: the interval is five seconds longer from now on (section 3.5)."""

    code = "slow_down"


class ExpiredToken(OAuthError):
    """Nobody answered in time: begin again (section 3.5)."""

    code = "expired_token"


SPENT = "device code was used before"
OVER = "the session that approved this device has ended"

WHY: Final[dict[PollRefusal, tuple[type[OAuthError], str]]] = {
    "pending": (AuthorizationPending, "nobody has answered yet"),
    "slow_down": (SlowDown, "asked too soon: wait five seconds longer between two requests from now on"),
    "expired": (ExpiredToken, "nobody answered in time; begin again"),
    "denied": (AccessDenied, "the user said no"),
    "spent": (InvalidGrant, SPENT),
}


@dataclass(frozen=True, slots=True)
class DeviceCodeGrant:
    devices: DeviceStore
    handles: References
    sessions: SessionStore
    openings: Openings
    audit: AuditLog
    now: Clock
    grant_type: str = DEVICE_CODE

    async def redeem(
        self, client: Client, form: Form, caller: Caller, confirmation: Confirmation | None = None
    ) -> Authorization:
        asked, grantor = await self._approved(client, form.require("device_code"))
        if asked.confirmation not in (None, confirmation):
            raise InvalidGrant("device code is bound to another key")
        session = await self._session(grantor)
        opened = self.openings.of(_granted(asked, grantor, client, confirmation), session)
        # Every refusal is above; from here the device code is spent, whatever follows.
        redeemed = await self.devices.redeem(
            asked.handle_hash, at=self.now(), first=opened.first, event=self._event(asked, grantor, caller)
        )
        if isinstance(redeemed, str):
            raise InvalidGrant(OVER if redeemed == "over" else SPENT)
        return Authorization.of_family(
            opened.family(redeemed),
            client,
            scope=asked.scope,
            audience=asked.resources,
            refresh_token=opened.refresh_token,
            scope_asked=asked.scope_asked,
            confirmation=confirmation,
            openid=OpenIdFacts() if "openid" in asked.scope else None,
        )

    async def _approved(self, client: Client, device_code: str) -> tuple[DeviceRequest, Grantor]:
        try:
            handle_hash = self.handles.parse(device_code)
        except MalformedHandle:
            raise InvalidGrant(NOT_VALID, detail="not one of our device codes") from None
        found = await self.devices.poll(handle_hash, client.id, now=self.now())
        if isinstance(found, str):
            error, description = WHY[found]
            raise error(description)
        if found is None or found.grantor is None:
            raise InvalidGrant(NOT_VALID, detail="unknown, or of another client")
        return found, found.grantor

    async def _session(self, grantor: Grantor) -> Session:
        session = await self.sessions.get(grantor.session_id, now=self.now())
        if session is None:
            raise InvalidGrant(OVER)
        return session

    def _event(self, asked: DeviceRequest, grantor: Grantor, caller: Caller) -> AuditEvent:
        return self.audit.event(
            EventType.CODE_REDEEMED,
            caller.acting_as(f"client:{asked.client_id}"),
            user_id=grantor.user_id,
            client_id=asked.client_id,
            session_id=grantor.session_id,
            family_id=asked.family_id,
            device=True,
        )


def _granted(asked: DeviceRequest, grantor: Grantor, client: Client, confirmation: Confirmation | None) -> Granted:
    return Granted(
        client=client,
        grantor=grantor,
        family_id=asked.family_id,
        scope=asked.scope,
        resources=asked.resources,
        terms=Terms(authorization_details=asked.authorization_details),
        confirmation=confirmation,
        apart=True,
    )
