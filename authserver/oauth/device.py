"""A device without a browser asks, a person elsewhere answers (RFC 8628, with the warnings of RFC 10027)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from authserver.accounts.throttle import network_of
from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.audit import Caller
from authserver.model.authorization import DeviceRequest, Grantor
from authserver.model.client import Client
from authserver.model.errors import Refused, TooManyRequests
from authserver.model.grant import Confirmation
from authserver.model.session import Session
from authserver.model.time import MINUTE, SECOND, Duration
from authserver.oauth.errors import UnauthorizedClient
from authserver.oauth.form import Form
from authserver.oauth.public_limit import PublicLimit
from authserver.oauth.scopes import audience, grant_scope
from authserver.storage.interface import ClientLookup, DeviceStore, ThrottleStore
from authserver.tokens.handles import References
from authserver.tokens.user_codes import UserCodes

DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
LIFE: Final[Duration] = 10 * MINUTE
INTERVAL: Final = 5
"""Seconds between two polls (section 3.2)."""
ATTEMPTS: Final = 5
"""To find a user code that nobody is taken by: more would be luck."""
GUESSES: Final = 10
"""Wrong user codes of one account or one address in a row ..."""
GUESS_INTERVAL: Final[Duration] = 2 * MINUTE
"""... and then one per this time (section 5.1)."""


class UnknownUserCode(Refused):
    """Mistyped, expired, decided already, or a guess: one answer for all of them."""

    code = "invalid_user_code"

    def __init__(self) -> None:
        super().__init__("there is no device waiting with this code: check it, or start again on the device")


@dataclass(frozen=True, slots=True)
class WaitingDevice:
    """A device that waits, as the person who decides is shown it."""

    request: DeviceRequest
    client: Client


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    devices: DeviceStore
    clients: ClientLookup
    handles: References
    user_codes: UserCodes
    throttle: ThrottleStore
    audit: AuditLog
    issuer: str
    now: Clock

    # -- the device's side ----------------------------------------------------------------------

    async def begin(
        self, client: Client, form: Form, caller: Caller, confirmation: Confirmation | None
    ) -> dict[str, object]:
        """The device authorization response (section 3.2)."""
        if DEVICE_CODE not in client.grant_types:
            raise UnauthorizedClient("this client is not registered for the device grant")
        asked = form.get("scope")
        scope, resources = grant_scope(client, asked), audience(client, form.all("resource"), self.issuer)
        await PublicLimit(self.throttle, self.now).admit(client, "device", caller.address)
        for _ in range(ATTEMPTS):
            device_code, user_code = self.handles.new(), self.user_codes.new()
            now = self.now()
            request = DeviceRequest(
                handle_hash=device_code.sha256,
                user_code_hash=self.user_codes.hash(user_code) or b"",
                client_id=client.id,
                scope=scope,
                scope_asked=None if asked is None else tuple(asked.split()),
                resources=resources,
                confirmation=confirmation,
                interval=INTERVAL,
                family_id=uuid7(now),
                address=caller.address,
                created_at=now,
                expires_at=now + LIFE,
            )
            if await self.devices.add(request):
                return self._response(device_code.text, user_code)
        raise TooManyRequests("too many devices are waiting, try again later", retry_after=INTERVAL)

    def _response(self, device_code: str, user_code: str) -> dict[str, object]:
        page = f"{self.issuer}/device"
        return {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={user_code}",
            "expires_in": LIFE // SECOND,
            "interval": INTERVAL,
        }

    # -- the person's side ----------------------------------------------------------------------

    async def find(self, typed: str, session: Session, caller: Caller) -> WaitingDevice:
        """Raises UnknownUserCode, TooManyRequests: guesses are counted for the account and for the address."""
        buckets = _buckets(session, caller)
        for bucket in buckets:
            await self._admit(bucket)
        sha256 = self.user_codes.hash(typed)
        request = None if sha256 is None else await self.devices.by_user_code(sha256, now=self.now())
        client = None if request is None else await self.clients.get(request.client_id)
        if request is None or client is None or not client.enabled:
            raise UnknownUserCode
        for bucket in buckets:  # a right code is no guess
            await self.throttle.refund(bucket, interval=GUESS_INTERVAL)
        return WaitingDevice(request, client)

    async def decide(self, waiting: WaitingDevice, session: Session, *, approved: bool, caller: Caller) -> None:
        """Raises UnknownUserCode when somebody decided it before, or its time is over."""
        kind = EventType.DEVICE_APPROVED if approved else EventType.DEVICE_DENIED
        event = self.audit.event(
            kind,
            caller.acting_as(f"user:{session.user_id}"),
            user_id=session.user_id,
            client_id=waiting.client.id,
            session_id=session.id,
            scope=list(waiting.request.scope),
            device_address=waiting.request.address,
        )
        done = await self.devices.decide(
            waiting.request.handle_hash, grantor=Grantor.of(session), approved=approved, now=self.now(), event=event
        )
        if not done:
            raise UnknownUserCode

    async def _admit(self, bucket: bytes) -> None:
        wait = await self.throttle.admit(bucket, burst=GUESSES, interval=GUESS_INTERVAL, now=self.now())
        if wait:
            raise TooManyRequests("too many wrong codes, try again later", retry_after=-(-wait // SECOND))


def _buckets(session: Session, caller: Caller) -> tuple[bytes, bytes]:
    names = f"user code, account {session.user_id}", f"user code, address {network_of(caller.address)}"
    first, second = (hashlib.sha256(name.encode()).digest() for name in names)
    return first, second
