"""The outbox of back-channel logout: who was logged out, noted by triggers, and the deliveries made from that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.logout import LogoutDelivery
from authserver.model.time import Duration, Instant
from authserver.storage.sql.database import Database
from authserver.storage.sql.logouts_expand import expand
from authserver.storage.sql.tables import logout_deliveries, logout_outbox

deliveries = logout_deliveries.c


class SqlLogouts:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def expand(self, *, limit: int, now: Instant) -> int:
        async def work(connection: AsyncConnection) -> int:
            return await expand(connection, limit, now)

        return await self._db.write(work)

    async def due(self, *, now: Instant, lease: Duration, limit: int) -> Sequence[LogoutDelivery]:
        wanted = (
            select(logout_deliveries)
            .where(deliveries.next_at <= now)
            .order_by(deliveries.next_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        moved = {"next_at": now + lease, "attempts": deliveries.attempts + 1}

        async def work(connection: AsyncConnection) -> Sequence[LogoutDelivery]:
            found = (await connection.execute(wanted)).all()
            if found:
                mine = deliveries.id.in_([row.id for row in found])
                await connection.execute(update(logout_deliveries).where(mine).values(moved))
            return [_delivery(row, now + lease) for row in found]

        return await self._db.write(work)

    async def delivered(self, delivery_id: str) -> None:
        await self._remove(delivery_id)

    async def failed(self, delivery_id: str, *, next_at: Instant | None, problem: str) -> None:
        if next_at is None:
            await self._remove(delivery_id)
            return
        later = (
            update(logout_deliveries).where(deliveries.id == delivery_id).values(next_at=next_at, last_problem=problem)
        )

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(later)

        await self._db.write(work)

    async def waiting(self) -> int:
        counts = [
            select(func.count()).select_from(table).scalar_subquery() for table in (logout_outbox, logout_deliveries)
        ]

        async def work(connection: AsyncConnection) -> int:
            return sum((await connection.execute(select(*counts))).one())

        return await self._db.read(work)

    async def _remove(self, delivery_id: str) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(logout_deliveries).where(deliveries.id == delivery_id))

        await self._db.write(work)


def _delivery(row: Any, next_at: Instant) -> LogoutDelivery:
    return LogoutDelivery(**dict(row._mapping) | {"next_at": next_at, "attempts": row.attempts + 1})
