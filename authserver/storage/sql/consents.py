"""What users have allowed clients."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import and_, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.authorization import Consent
from authserver.model.revocation import RevocationOutcome
from authserver.model.time import Instant
from authserver.storage.sql import rows
from authserver.storage.sql.alive import Condition
from authserver.storage.sql.books import last_entry, record
from authserver.storage.sql.database import Database
from authserver.storage.sql.ending import batched, combined, end_sessions
from authserver.storage.sql.hot import HotStatement
from authserver.storage.sql.tables import (
    authorization_codes,
    clients,
    consents,
    device_requests,
    families,
    sessions,
    users,
)

NAMES = rows.names(consents)
LISTS = ("scope", "resources", "authorization_details")
REASON = "consent withdrawn"
GET = HotStatement(
    f"SELECT {', '.join(NAMES)} FROM consents WHERE user_id = :user AND client_id = :client", user=str, client=str
)
OF_USER = HotStatement(
    f"SELECT {', '.join(NAMES)} FROM consents WHERE user_id = :user ORDER BY client_id",
    user=str,
)


class SqlConsents:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, user_id: str, client_id: str) -> Consent | None:
        found = await self._db.hot(GET, user=user_id, client=client_id)
        return _consent(found[0]) if found else None

    async def of_user(self, user_id: str) -> Sequence[Consent]:
        return [_consent(row) for row in await self._db.hot(OF_USER, user=user_id)]

    async def grant(self, consent: Consent, *, event: AuditEvent) -> None:
        """Nothing is kept of a user or client that is gone by then."""

        async def work(connection: AsyncConnection) -> None:
            if not await _hold_parties(connection, consent):
                return
            mine = and_(consents.c.user_id == consent.user_id, consents.c.client_id == consent.client_id)
            known = (await connection.execute(select(consents).where(mine))).first()
            if known is None:
                await connection.execute(insert(consents).values(rows.as_values(consent, consents)))
            else:
                await connection.execute(update(consents).where(mine).values(_united(_consent(tuple(known)), consent)))
            await record(connection, event)

        await self._db.write(work)

    async def withdraw(self, user_id: str, client_id: str, *, at: Instant, event: AuditEvent) -> RevocationOutcome:
        async def work(connection: AsyncConnection) -> RevocationOutcome:
            gone = await connection.execute(
                delete(consents).where(consents.c.user_id == user_id, consents.c.client_id == client_id)
            )
            await _spend_what_is_on_its_way(connection, user_id, client_id, at)
            alone = await end_sessions(connection, _lives_through(user_id, client_id), at=at, reason=REASON)
            rest = await _end_families(connection, user_id, client_id, at)
            forgotten = bool(gone.rowcount)
            consent = RevocationOutcome(found=forgotten, changed=forgotten, outbox_id=None, sessions=0, families=0)
            outcome = combined(consent, alone, rest)
            if outcome.changed:
                await record(connection, event)
            return outcome

        return await self._db.write(work)


async def _hold_parties(connection: AsyncConnection, consent: Consent) -> bool:
    """Lock user and client against removal, and the user against another consent at the same time."""
    user = select(users.c.id).where(users.c.id == consent.user_id).with_for_update(key_share=True)
    client = select(clients.c.id).where(clients.c.id == consent.client_id).with_for_update(read=True, key_share=True)
    found = [(await connection.execute(wanted)).first() for wanted in (user, client)]
    return None not in found


def _united(before: Consent, consent: Consent) -> dict[str, Any]:
    lists = {name: rows.dumped(_union(getattr(before, name), getattr(consent, name))) for name in LISTS}
    return lists | {"updated_at": max(before.updated_at, consent.updated_at)}


def _union(before: Iterable[Any], more: Iterable[Any]) -> list[Any]:
    """In the order in which they came; the members of `authorization_details` cannot be hashed."""
    union = list(before)
    union.extend(each for each in more if each not in union)
    return union


async def _spend_what_is_on_its_way(connection: AsyncConnection, user_id: str, client_id: str, at: Instant) -> None:
    """A code or device that was approved before must not be redeemed after."""
    codes, devices = authorization_codes.c, device_requests.c
    await connection.execute(
        update(authorization_codes)
        .where(codes.client_id == client_id, codes.user_id == user_id, codes.spent_at.is_(None))
        .values(spent_at=at)
    )
    await connection.execute(
        update(device_requests)
        .where(devices.client_id == client_id, devices.user_id == user_id, devices.state == "approved")
        .values(state="denied")
    )


def _lives_through(user_id: str, client_id: str) -> Condition:
    """The user's sessions of kind "token" that have families of this client, and none of another one that is not
    ended."""
    mine = families.c.session_id == sessions.c.id
    through = exists().where(mine, families.c.client_id == client_id).correlate(sessions)
    other = exists().where(mine, families.c.client_id != client_id, families.c.dead_at.is_(None)).correlate(sessions)
    return and_(sessions.c.user_id == user_id, sessions.c.kind == "token", through, ~other)


async def _end_families(connection: AsyncConnection, user_id: str, client_id: str, at: Instant) -> RevocationOutcome:
    """In the order of their ids, as everybody locks them."""
    wanted = (
        select(families.c.id, families.c.dead_at, families.c.abs_until, families.c.idle_until)
        .where(families.c.user_id == user_id, families.c.client_id == client_id)
        .order_by(families.c.id)
        .with_for_update()
    )
    known = (await connection.execute(wanted)).all()
    living = [row for row in known if row.dead_at is None]
    for some in batched([row.id for row in living]):
        await connection.execute(
            update(families)
            .where(families.c.id.in_(some), families.c.dead_at.is_(None))
            .values(dead_at=at, dead_reason=REASON)
        )
    lasting = [row for row in living if row.abs_until > at]
    return RevocationOutcome(
        found=bool(known),
        changed=bool(living),
        outbox_id=await last_entry(connection) if lasting else None,
        sessions=0,
        families=sum(row.idle_until > at for row in lasting),
    )


def _consent(row: rows.Row) -> Consent:
    values = dict(zip(NAMES, row, strict=True))
    return Consent(**values | {name: tuple(json.loads(values[name])) for name in LISTS})
