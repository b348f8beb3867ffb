"""Clients that came by themselves, and the tokens that let them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.client import Client
from authserver.model.registration import InitialAccessToken, Registration
from authserver.model.time import Instant
from authserver.storage.sql import rows
from authserver.storage.sql.books import record
from authserver.storage.sql.clients import changed_values, insert_client, insert_secrets
from authserver.storage.sql.database import Database, Undo
from authserver.storage.sql.hot import HotStatement
from authserver.storage.sql.tables import client_secrets, clients, initial_access_tokens, registrations

NAMES = rows.names(registrations)
GET = HotStatement(f"SELECT {', '.join(NAMES)} FROM registrations WHERE client_id = :client", client=str)
LONG_UNUSED = HotStatement(
    "SELECT 1 FROM registrations WHERE client_id = :client AND used_at <= :before", client=str, before=int
)
USED = HotStatement(
    "UPDATE registrations SET used_at = :at WHERE client_id = :client AND used_at <= :before RETURNING used_at",
    writes=True,
    client=str,
    at=int,
    before=int,
)
tokens = initial_access_tokens.c


class SqlRegistrations:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def add_initial_token(self, token: InitialAccessToken, *, event: AuditEvent) -> None:
        values = rows.as_values(token, initial_access_tokens) | {"policy": rows.dumped(dict(token.policy))}

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(initial_access_tokens).values(values))
            await record(connection, event)

        await self._db.write(work)

    async def initial_tokens(self) -> Sequence[InitialAccessToken]:
        wanted = select(initial_access_tokens).order_by(tokens.created_at, tokens.id)

        async def work(connection: AsyncConnection) -> Sequence[InitialAccessToken]:
            return [_token(row) for row in await connection.execute(wanted)]

        return await self._db.read(work)

    async def remove_initial_token(self, token_id: str, *, event: AuditEvent) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            gone = await connection.execute(delete(initial_access_tokens).where(tokens.id == token_id))
            if gone.rowcount:
                await record(connection, event)
            return bool(gone.rowcount)

        return await self._db.write(work)

    async def initial_token(self, sha256: bytes, *, now: Instant) -> InitialAccessToken | None:
        wanted = select(initial_access_tokens).where(tokens.sha256 == sha256, _usable(now))

        async def work(connection: AsyncConnection) -> InitialAccessToken | None:
            row = (await connection.execute(wanted)).first()
            return None if row is None else _token(row)

        return await self._db.read(work)

    async def register(self, client: Client, registration: Registration, *, event: AuditEvent) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            if not await _use_token(connection, registration):
                return False
            await insert_client(connection, client)
            await connection.execute(insert(registrations).values(rows.as_values(registration, registrations)))
            await record(connection, event)
            return True

        return await self._db.write(work)

    async def get(self, client_id: str) -> Registration | None:
        found = await self._db.hot(GET, client=client_id)
        return Registration(**dict(zip(NAMES, found[0], strict=True))) if found else None

    async def replace(
        self, client: Client, registration: Registration, *, unless_changed_since: Instant, event: AuditEvent | None
    ) -> bool:
        """Of the registration: token, freshness and etag. Without an event the client's row is not written, so that
        nobody who keeps clients in memory need look again."""
        same = and_(clients.c.id == client.id, clients.c.updated_at == unless_changed_since)
        kept = {name: getattr(registration, name) for name in ("token_sha256", "fresh_until", "etag")}

        async def work(connection: AsyncConnection) -> bool:
            changed = await (_look(connection, same) if event is None else _change(connection, same, client))
            there = update(registrations).where(registrations.c.client_id == client.id).values(kept)
            if not changed or not (await connection.execute(there)).rowcount:
                raise Undo(False)
            await record(connection, event)
            return True

        return await self._db.write(work)

    async def used(self, client_id: str, *, at: Instant, interval: int) -> None:
        """Most uses find one noted already, and only look."""
        before = at - interval
        if await self._db.hot(LONG_UNUSED, client=client_id, before=before):
            await self._db.hot(USED, client=client_id, at=at, before=before)

    async def unused(self, *, before: Instant, limit: int) -> Sequence[str]:
        c = registrations.c
        wanted = select(c.client_id).where(c.used_at < before).order_by(c.used_at).limit(limit)

        async def work(connection: AsyncConnection) -> Sequence[str]:
            return list((await connection.execute(wanted)).scalars())

        return await self._db.read(work)


def _usable(now: Instant) -> ColumnElement[bool]:
    return and_(
        or_(tokens.expires_at.is_(None), tokens.expires_at > now), or_(tokens.uses_left.is_(None), tokens.uses_left > 0)
    )


def _token(row: Any) -> InitialAccessToken:
    return InitialAccessToken(**dict(row._mapping) | {"policy": json.loads(row.policy)})


async def _use_token(connection: AsyncConnection, registration: Registration) -> bool:
    if registration.initial_token_id is None:
        return True
    use = (
        update(initial_access_tokens)
        .where(tokens.id == registration.initial_token_id, _usable(registration.created_at))
        .values(uses_left=tokens.uses_left - 1)  # nothing from nothing: no limit stays no limit
    )
    return bool((await connection.execute(use)).rowcount)


async def _look(connection: AsyncConnection, same: ColumnElement[bool]) -> bool:
    held = select(clients.c.id).where(same).with_for_update(read=True)
    return (await connection.execute(held)).first() is not None


async def _change(connection: AsyncConnection, same: ColumnElement[bool], client: Client) -> bool:
    done = await connection.execute(update(clients).where(same).values(changed_values(client)))
    if not done.rowcount:
        return False
    await connection.execute(delete(client_secrets).where(client_secrets.c.client_id == client.id))
    await insert_secrets(connection, client)
    return True
