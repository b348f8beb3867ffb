"""Devices that wait for somebody to log in elsewhere (RFC 8628)."""

from __future__ import annotations

from typing import Literal, Protocol

from authserver.model.audit import AuditEvent
from authserver.model.authorization import DeviceRequest, Grantor
from authserver.model.time import Instant
from authserver.storage.interface.authorizations import FirstFamilies, Redeemed, RedeemRefusal

PollRefusal = Literal["pending", "slow_down", "denied", "expired", "spent"]


class DeviceStore(Protocol):
    async def add(self, device: DeviceRequest) -> bool:
        """False, with nothing kept, when a request with this user code is there already: make another one."""
        ...

    async def by_user_code(self, user_code_hash: bytes, *, now: Instant) -> DeviceRequest | None:
        """If it is pending and has not expired."""
        ...

    async def decide(
        self, handle_hash: bytes, *, grantor: Grantor, approved: bool, now: Instant, event: AuditEvent
    ) -> bool:
        """True for exactly one caller: it was pending, and now is approved or denied."""
        ...

    async def poll(self, handle_hash: bytes, client_id: str, *, now: Instant) -> DeviceRequest | PollRefusal | None:
        """The approved request; else why not. None: unknown, or another client's, which counts as no poll.

        One atomic statement notes the poll: one that comes within `interval` seconds of the one before is "slow_down"
        and makes the interval 5 s longer for good (section 3.5). Deciding beats waiting: an approved request is
        returned also to a poll that came too soon.
        """
        ...

    async def redeem(
        self, handle_hash: bytes, *, at: Instant, first: FirstFamilies, event: AuditEvent
    ) -> Redeemed | RedeemRefusal:
        """As `AuthorizationStore.redeem`, for an approved request."""
        ...
