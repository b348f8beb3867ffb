"""Accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.account import User
from authserver.model.audit import AuditEvent
from authserver.model.page import Page, PageRequest
from authserver.model.time import Instant
from authserver.storage.sql import rows
from authserver.storage.sql.alive import Condition
from authserver.storage.sql.books import limit_of, page_of, record
from authserver.storage.sql.database import Database
from authserver.storage.sql.hot import HotStatement
from authserver.storage.sql.tables import authorization_codes, consents, device_requests, families, sessions, users

BY_ID = HotStatement(f"SELECT {rows.columns(users)} FROM users WHERE id = :id", id=str)
BY_NAME = HotStatement(f"SELECT {rows.columns(users)} FROM users WHERE username_key = :name", name=str)


class SqlUsers:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, user_id: str) -> User | None:
        return _user(await self._db.hot(BY_ID, id=user_id))

    async def by_username(self, username_key: str) -> User | None:
        return _user(await self._db.hot(BY_NAME, name=username_key))

    async def add(self, user: User, *, event: AuditEvent) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(users).values(rows.as_values(user, users)))
            await record(connection, event)

        await self._db.write(work)

    async def set_enabled(self, user_id: str, enabled: bool, *, at: Instant, event: AuditEvent) -> bool:
        moved = case((users.c.enabled, users.c.version + 1), else_=users.c.version)
        version = users.c.version if enabled else moved
        return await self._change(user_id, {"enabled": enabled, "version": version, "updated_at": at}, event)

    async def set_password(self, user_id: str, password_hash: str, *, at: Instant, event: AuditEvent) -> bool:
        return await self._change(
            user_id, {"password_hash": password_hash, "version": users.c.version + 1, "updated_at": at}, event
        )

    async def rehash_password(self, user_id: str, old_hash: str, new_hash: str) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            done = await connection.execute(
                update(users)
                .values(password_hash=new_hash)
                .where(users.c.id == user_id, users.c.password_hash == old_hash)
            )
            return bool(done.rowcount)

        return await self._db.write(work)

    async def set_claims(
        self,
        user_id: str,
        claims: Mapping[str, object],
        *,
        instead_of: Mapping[str, object],
        at: Instant,
        event: AuditEvent,
    ) -> bool:
        """Equal claims are equal text (see `rows.dumped`), so one comparison finds whoever came in between."""
        values = {"claims": rows.dumped(dict(claims)), "updated_at": at}
        return await self._change(user_id, values, event, users.c.claims == rows.dumped(dict(instead_of)))

    async def remove(self, user_id: str, *, at: Instant, event: AuditEvent) -> bool:
        """The user goes first: the outbox entry for it makes entries for each family needless."""

        async def work(connection: AsyncConnection) -> bool:
            gone = await connection.execute(delete(users).where(users.c.id == user_id))
            if not gone.rowcount:
                return False
            # Codes before sessions, as those lock them who redeem.
            for table in (authorization_codes, device_requests, consents, sessions, families):
                await connection.execute(delete(table).where(table.c.user_id == user_id))
            await record(connection, event)
            return True

        return await self._db.write(work)

    async def list(self, page: PageRequest, *, query: str | None = None, enabled: bool | None = None) -> Page[User]:
        wanted = select(users).order_by(users.c.id).limit(limit_of(page))
        if page.after is not None:
            wanted = wanted.where(users.c.id > page.after)
        if query:
            wanted = wanted.where(
                or_(
                    users.c.username_key.contains(query.casefold(), autoescape=True),
                    func.lower(users.c.username).contains(query.lower(), autoescape=True),
                )
            )
        if enabled is not None:
            wanted = wanted.where(users.c.enabled.is_(enabled))

        async def work(connection: AsyncConnection) -> Page[User]:
            found = [rows.user(tuple(row)) for row in await connection.execute(wanted)]
            return page_of(found, page, lambda user: user.id)

        return await self._db.read(work)

    async def _change(self, user_id: str, values: dict[str, Any], event: AuditEvent, *only_if: Condition) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            done = await connection.execute(update(users).where(users.c.id == user_id, *only_if).values(values))
            if done.rowcount:
                await record(connection, event)
            return bool(done.rowcount)

        return await self._db.write(work)


def _user(found: Sequence[rows.Row]) -> User | None:
    return rows.user(found[0]) if found else None
