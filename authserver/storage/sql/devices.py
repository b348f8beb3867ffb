"""Devices that wait for somebody to log in elsewhere."""

from __future__ import annotations

import json
from typing import Any, Literal, cast

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.authorization import DeviceRequest, Grantor
from authserver.model.grant import Confirmation
from authserver.model.time import Instant
from authserver.storage.interface import FirstFamilies, PollRefusal, Redeemed, RedeemRefusal
from authserver.storage.sql import rows
from authserver.storage.sql.books import record
from authserver.storage.sql.database import Database
from authserver.storage.sql.hot import HotStatement, inserting, quoted
from authserver.storage.sql.opening import redeem
from authserver.storage.sql.tables import device_requests

NAMES = tuple(name for name in rows.names(device_requests) if name != "too_soon")
GRANTOR = ("user_id", "session_id", "auth_time", "acr", "amr")
ADD = inserting(device_requests, NAMES)
BY_USER_CODE = HotStatement(
    f"SELECT {quoted(NAMES)} FROM device_requests"
    " WHERE user_code_hash = :user_code AND state = 'pending' AND expires_at > :now",
    user_code=bytes,
    now=int,
)
TOO_SOON = (
    """state = 'pending' AND expires_at > :now AND polled_at IS NOT NULL AND :now - polled_at < "interval" * 1000"""
)
POLL = HotStatement(
    f"""
UPDATE device_requests SET
 "interval" = CASE WHEN {TOO_SOON} THEN "interval" + 5 ELSE "interval" END,
 too_soon = CASE WHEN {TOO_SOON} THEN true ELSE false END,
 polled_at = :now
WHERE handle_hash = :handle AND client_id = :client RETURNING {quoted(NAMES)}, too_soon
""",
    writes=True,
    handle=bytes,
    client=str,
    now=int,
)
devices = device_requests.c


class SqlDevices:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, device: DeviceRequest) -> bool:
        return bool(await self._db.hot(ADD, **_values(device)))

    async def by_user_code(self, user_code_hash: bytes, *, now: Instant) -> DeviceRequest | None:
        found = await self._db.hot(BY_USER_CODE, user_code=user_code_hash, now=now)
        return _device(found[0]) if found else None

    async def decide(
        self, handle_hash: bytes, *, grantor: Grantor, approved: bool, now: Instant, event: AuditEvent
    ) -> bool:
        decision = (
            update(device_requests)
            .where(devices.handle_hash == handle_hash, devices.state == "pending", devices.expires_at > now)
            .values({"state": "approved" if approved else "denied"} | _grantor_values(grantor))
        )

        async def work(connection: AsyncConnection) -> bool:
            done = await connection.execute(decision)
            if done.rowcount:
                await record(connection, event)
            return bool(done.rowcount)

        return await self._db.write(work)

    async def poll(self, handle_hash: bytes, client_id: str, *, now: Instant) -> DeviceRequest | PollRefusal | None:
        found = await self._db.hot(POLL, handle=handle_hash, client=client_id, now=now)
        if not found:
            return None
        device = _device(found[0])
        if device.state == "denied" or device.state == "spent":
            return device.state
        if device.expires_at <= now:
            return "expired"
        if device.state == "approved":
            return device
        return "slow_down" if found[0][len(NAMES)] else "pending"

    async def redeem(
        self, handle_hash: bytes, *, at: Instant, first: FirstFamilies, event: AuditEvent
    ) -> Redeemed | RedeemRefusal:
        async def spend(connection: AsyncConnection) -> RedeemRefusal | None:
            return await _spend(connection, handle_hash, at, first)

        return await redeem(self._db, spend, first, at=at, event=event)


async def _spend(
    connection: AsyncConnection, handle_hash: bytes, at: Instant, first: FirstFamilies
) -> RedeemRefusal | None:
    """Only for the family that the request names."""
    family = first.family
    done = await connection.execute(
        update(device_requests)
        .where(
            devices.handle_hash == handle_hash,
            devices.state == "approved",
            devices.expires_at > at,
            devices.family_id == family.id,
            devices.session_id == family.session_id,
            devices.user_id == family.user_id,
            devices.client_id == family.client_id,
        )
        .values(state="spent")
    )
    if done.rowcount:
        return None
    state = await connection.scalar(select(devices.state).where(devices.handle_hash == handle_hash))
    return "spent" if state == "spent" else "expired"


def _values(device: DeviceRequest) -> dict[str, Any]:
    values = rows.as_values(device, device_requests)
    confirmation = None if device.confirmation is None else str(device.confirmation)
    grantor = dict.fromkeys(GRANTOR) if device.grantor is None else _grantor_values(device.grantor)
    return values | grantor | {"confirmation": confirmation}


def _grantor_values(grantor: Grantor) -> dict[str, Any]:
    values = {name: getattr(grantor, name) for name in GRANTOR}
    return values | {"amr": rows.dumped(grantor.amr)}


def _device(row: rows.Row) -> DeviceRequest:
    values = dict(zip(NAMES, row, strict=False))
    given = {name: values.pop(name) for name in GRANTOR}
    for name in ("scope", "resources", "authorization_details"):
        values[name] = tuple(json.loads(values[name]))
    if values["scope_asked"] is not None:
        values["scope_asked"] = rows.listed(values["scope_asked"])
    grantor = None if given["user_id"] is None else Grantor(**given | {"amr": rows.listed(given["amr"])})
    return DeviceRequest(**values | {"confirmation": _confirmation(values["confirmation"]), "grantor": grantor})


def _confirmation(text: str | None) -> Confirmation | None:
    if text is None:
        return None
    method, _, thumbprint = text.partition(":")
    return Confirmation(cast(Literal["jkt", "x5t#S256"], method), thumbprint)
