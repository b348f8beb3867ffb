"""Pushed authorization requests, and codes."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.authorization import AuthorizationCode, AuthorizationRequest, Grantor, PushedRequest
from authserver.model.grant import Versions
from authserver.model.revocation import RevocationOutcome
from authserver.model.time import Instant
from authserver.storage.interface import FirstFamilies, Redeemed, RedeemRefusal
from authserver.storage.sql import rows
from authserver.storage.sql.books import record, recording
from authserver.storage.sql.database import Database
from authserver.storage.sql.ending import NOT_FOUND, combined, end_family, end_sessions
from authserver.storage.sql.hot import HotStatement, Step, inserting
from authserver.storage.sql.opening import opening, redeem
from authserver.storage.sql.tables import authorization_codes, consents, families, pushed_requests, sessions

PUSHED = ("handle_hash", "client_id", "request", "created_at", "expires_at", "spent_at")
CODE = tuple(name for name in rows.names(authorization_codes) if name != "kept_until")
PUSH = inserting(pushed_requests, PUSHED)
LOOK = HotStatement(
    f"SELECT {', '.join(PUSHED)} FROM pushed_requests"
    " WHERE handle_hash = :handle AND spent_at IS NULL AND expires_at > :now",
    handle=bytes,
    now=int,
)
GET = HotStatement(f"SELECT {', '.join(CODE)} FROM authorization_codes WHERE handle_hash = :handle", handle=bytes)
SPEND_HOT = HotStatement(
    """
UPDATE authorization_codes SET spent_at = :now, kept_until = :until
WHERE handle_hash = :handle AND spent_at IS NULL AND expires_at > :now
 AND family_id = :family AND session_id = :session AND user_id = :user AND client_id = :client
RETURNING handle_hash
""",
    writes=True,
    handle=bytes,
    now=int,
    until=int,
    family=str,
    session=str,
    user=str,
    client=str,
)
SPEND = SPEND_HOT.clause
CLIENT_VERSION = "client_version"
"""Beside the members of the request, and none of them."""
ADD_CODE = insert(authorization_codes)
codes = authorization_codes.c


class SqlAuthorizations:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def push(self, pushed: PushedRequest) -> None:
        values = {name: getattr(pushed, name) for name in PUSHED}
        await self._db.hot(PUSH, **values | {"request": rows.dumped(pushed.request.as_json())})

    async def pushed(self, handle_hash: bytes, *, now: Instant) -> PushedRequest | None:
        found = await self._db.hot(LOOK, handle=handle_hash, now=now)
        if not found:
            return None
        values = dict(zip(PUSHED, found[0], strict=True))
        return PushedRequest(**values | {"request": _request(values["request"])})

    async def add_code(
        self, code: AuthorizationCode, *, pushed: bytes | None, consented: bool = False, event: AuditEvent
    ) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            if consented and not await _hold_consent(connection, code):
                return False
            if pushed is not None and not await _spend_pushed(connection, pushed, code):
                return False
            await connection.execute(ADD_CODE, _code_values(code))
            await record(connection, event)
            return True

        return await self._db.write(work)

    async def code(self, handle_hash: bytes) -> AuthorizationCode | None:
        found = await self._db.hot(GET, handle=handle_hash)
        return _code(found[0]) if found else None

    async def redeem(
        self, handle_hash: bytes, *, at: Instant, first: FirstFamilies, event: AuditEvent
    ) -> Redeemed | RedeemRefusal:
        if first.offline is None:
            return await self._redeem_one(handle_hash, at, first, event)

        async def spend(connection: AsyncConnection) -> RedeemRefusal | None:
            return await _spend(connection, handle_hash, at, first)

        return await redeem(self._db, spend, first, at=at, event=event)

    async def _redeem_one(
        self, handle_hash: bytes, at: Instant, first: FirstFamilies, event: AuditEvent
    ) -> Redeemed | RedeemRefusal:
        """The usual exchange, without offline access: half of what it costs as an ordinary transaction."""
        steps = (
            Step(SPEND_HOT, _spending(handle_hash, at, first)),
            opening(first.family, at, first.client_version),
            recording(event),
        )
        spent, *opened = await self._db.hot_transaction(steps)
        if not spent:
            code = await self.code(handle_hash)
            return "expired" if code is None or code.spent_at is None else "spent"
        return Redeemed(Versions(*opened[0][0])) if opened[0] else "over"

    async def replayed(self, family_id: str, *, at: Instant, event: AuditEvent) -> RevocationOutcome:
        async def work(connection: AsyncConnection) -> RevocationOutcome:
            owner = await _owner(connection, family_id, at)
            if owner is None:
                return NOT_FOUND
            offline = await _sessions_beside(connection, family_id, *owner)
            where = (sessions.c.id.in_(offline)) & (sessions.c.kind == "token")
            # Sessions before families, as everybody locks them.
            beside = await end_sessions(connection, where, at=at, reason="code replayed")
            own = await end_family(connection, families.c.id == family_id, at=at, reason="code replayed")
            outcome = combined(beside, own)
            if outcome.changed:
                await record(connection, event)
            return outcome

        return await self._db.write(work)


async def _hold_consent(connection: AsyncConnection, code: AuthorizationCode) -> bool:
    mine = (consents.c.user_id == code.grantor.user_id) & (consents.c.client_id == code.request.client_id)
    held = select(consents.c.user_id).where(mine).with_for_update(read=True)
    return (await connection.execute(held)).first() is not None


async def _spend_pushed(connection: AsyncConnection, handle_hash: bytes, code: AuthorizationCode) -> bool:
    c = pushed_requests.c
    done = await connection.execute(
        update(pushed_requests)
        .where(
            c.handle_hash == handle_hash,
            c.client_id == code.request.client_id,
            c.spent_at.is_(None),
            c.expires_at > code.created_at,
        )
        .values(spent_at=code.created_at)
    )
    return bool(done.rowcount)


async def _spend(
    connection: AsyncConnection, handle_hash: bytes, at: Instant, first: FirstFamilies
) -> RedeemRefusal | None:
    if (await connection.execute(SPEND, _spending(handle_hash, at, first))).first():
        return None
    spent = await connection.scalar(select(codes.spent_at).where(codes.handle_hash == handle_hash))
    return "expired" if spent is None else "spent"


def _spending(handle_hash: bytes, at: Instant, first: FirstFamilies) -> dict[str, Any]:
    """Only for the family that the code names: otherwise a replay would not know what to end."""
    family = first.family
    lives = [family.abs_until] if first.offline is None else [family.abs_until, first.offline[1].abs_until]
    return {
        "handle": handle_hash,
        "now": at,
        "until": max(lives),
        "family": family.id,
        "session": family.session_id,
        "user": family.user_id,
        "client": family.client_id,
    }


async def _owner(connection: AsyncConnection, family_id: str, at: Instant) -> tuple[str, str] | None:
    """User and client. Holds the code, so that what is being opened for it is waited for, and spends it if nobody
    has: nothing is opened after this."""
    hold = (
        update(authorization_codes)
        .where(codes.family_id == family_id)
        .values(spent_at=func.coalesce(codes.spent_at, at))
        .returning(codes.user_id, codes.client_id)
    )
    row = (await connection.execute(hold)).first()
    if row is None:
        known = select(families.c.user_id, families.c.client_id).where(families.c.id == family_id)
        row = (await connection.execute(known)).first()
    return None if row is None else (row.user_id, row.client_id)


async def _sessions_beside(connection: AsyncConnection, family_id: str, user_id: str, client_id: str) -> list[str]:
    """Sessions of living families that name this one as the log-in they came from."""
    living = select(families).where(
        families.c.user_id == user_id, families.c.client_id == client_id, families.c.dead_at.is_(None)
    )
    found = await connection.execute(living.where(families.c.terms.contains(family_id, autoescape=True)))
    named = [rows.family(tuple(row)) for row in found]
    return [family.session_id for family in named if family.terms.sid == family_id]


def _code_values(code: AuthorizationCode) -> dict[str, Any]:
    own = {name: getattr(code, name) for name in CODE if hasattr(code, name)}
    grantor = {name: getattr(code.grantor, name) for name in ("user_id", "session_id", "auth_time", "acr")}
    return {
        **own,
        **grantor,
        "amr": rows.dumped(code.grantor.amr),
        "client_id": code.request.client_id,
        "request": rows.dumped(code.request.as_json() | {CLIENT_VERSION: code.client_version}),
        "kept_until": code.expires_at,
    }


def _code(row: rows.Row) -> AuthorizationCode:
    values = dict(zip(CODE, row, strict=True))
    del values["client_id"]
    grantor = Grantor(
        user_id=values.pop("user_id"),
        session_id=values.pop("session_id"),
        auth_time=values.pop("auth_time"),
        acr=values.pop("acr"),
        amr=rows.listed(values.pop("amr")),
    )
    members = json.loads(values["request"])
    version = members.pop(CLIENT_VERSION, 0)
    request = AuthorizationRequest.from_json(members)
    return AuthorizationCode(**values | {"request": request, "grantor": grantor, "client_version": version})


def _request(text: str) -> AuthorizationRequest:
    return AuthorizationRequest.from_json(json.loads(text))
