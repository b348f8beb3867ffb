"""The key ring's rows. Two partial unique indexes hold at most one active and one announced key per algorithm."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.key import SigningKey
from authserver.model.time import DAY, HOUR, Duration, Instant
from authserver.storage.interface import AlreadyExists
from authserver.storage.sql import rows
from authserver.storage.sql.books import record
from authserver.storage.sql.database import Database, Undo, Work
from authserver.storage.sql.tables import signing_keys

keys = signing_keys.c
SUCCESSOR = signing_keys.alias("successor").c
WITHDRAWN: Duration = DAY + HOUR
"""How long the row of a revoked key is kept: longer than any access token lives, which is a day at most."""


REMOVED_FROM = func.coalesce(keys.remove_at, keys.revoked_at + WITHDRAWN)
"""Keys that earlier versions revoked have no `remove_at`."""


class SqlKeys:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def all(self) -> Sequence[SigningKey]:
        async def work(connection: AsyncConnection) -> Sequence[SigningKey]:
            found = await connection.execute(select(signing_keys).order_by(keys.created_at, keys.kid))
            return [rows.key(tuple(row)) for row in found]

        return await self._db.read(work)

    async def add_announced(self, key: SigningKey, *, event: AuditEvent) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            await _insert(connection, key, "announced")
            await record(connection, event)
            return True

        return await self._won(work)

    async def activate(
        self, kid: str, *, instead_of: str | None, at: Instant, remove_at: Instant, event: AuditEvent
    ) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            if instead_of is not None:
                same = select(SUCCESSOR.algorithm).where(SUCCESSOR.kid == kid).scalar_subquery()
                await _step_down(connection, instead_of, same, state="retired", retired_at=at, remove_at=remove_at)
            done = await connection.execute(
                update(signing_keys)
                .where(keys.kid == kid, keys.state == "announced")
                .values(state="active", active_at=at)
            )
            if not done.rowcount:
                raise Undo(False)
            await record(connection, event)
            return True

        return await self._won(work)

    async def replace_now(
        self, key: SigningKey, *, instead_of: str | None, at: Instant, reason: str, event: AuditEvent
    ) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            if instead_of is not None:
                await _step_down(connection, instead_of, literal(key.algorithm), **_revoked(at, reason))
            # The next key lay beside the one that leaked.
            beside = (keys.state == "announced") & (keys.algorithm == key.algorithm)
            await connection.execute(update(signing_keys).where(beside).values(**_revoked(at, reason)))
            await _insert(connection, key, "active", active_at=at)
            await record(connection, event)
            return True

        return await self._won(work)

    async def give_up(self, kid: str, *, at: Instant, remove_at: Instant, event: AuditEvent) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            await _step_down(connection, kid, keys.algorithm, state="retired", retired_at=at, remove_at=remove_at)
            await record(connection, event)
            return True

        return await self._won(work)

    async def purge(self, *, now: Instant) -> int:
        async def work(connection: AsyncConnection) -> int:
            gone = await connection.execute(
                delete(signing_keys).where(keys.state.in_(("retired", "revoked")), now >= REMOVED_FROM)
            )
            return gone.rowcount

        return await self._db.write(work)

    async def _won(self, work: Work[bool]) -> bool:
        """False for whoever finds the place taken."""
        try:
            return await self._db.write(work)
        except AlreadyExists:
            return False


async def _insert(connection: AsyncConnection, key: SigningKey, state: str, **changes: Instant) -> None:
    values = rows.as_values(key, signing_keys) | {"state": state} | changes
    await connection.execute(insert(signing_keys).values(values))


def _revoked(at: Instant, reason: str) -> dict[str, object]:
    return {"state": "revoked", "revoked_at": at, "reason": reason, "remove_at": at + WITHDRAWN}


async def _step_down(connection: AsyncConnection, kid: str, algorithm: ColumnElement[str], **changes: object) -> None:
    """Only the active key, of the same algorithm as its successor; whoever comes second finds it stepped down and
    undoes everything."""
    done = await connection.execute(
        update(signing_keys)
        .where(keys.kid == kid, keys.state == "active", keys.algorithm == algorithm)
        .values(**changes)
    )
    if not done.rowcount:
        raise Undo(False)
