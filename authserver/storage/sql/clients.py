"""Clients and their secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Delete, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.audit import AuditEvent
from authserver.model.client import Client, ClientSecret
from authserver.model.page import Page, PageRequest
from authserver.model.time import Instant
from authserver.storage.sql import rows
from authserver.storage.sql.books import limit_of, page_of, record
from authserver.storage.sql.database import Database, Undo
from authserver.storage.sql.hot import HotStatement
from authserver.storage.sql.tables import (
    authorization_codes,
    client_secrets,
    clients,
    consents,
    device_requests,
    issuer,
    logout_deliveries,
    pushed_requests,
)

UPDATABLE = (
    "name",
    "auth_method",
    "grant_types",
    "scopes",
    "resources",
    "audiences",
    "redirect_uris",
    "first_party",
    "refresh_rotation",
    "access_token_ttl",
    "updated_at",
    "options",
)

GET = HotStatement(
    f"SELECT {rows.columns(clients, 'c.')}, s.id, s.sha256, s.created_at, s.expires_at"
    " FROM clients c LEFT JOIN client_secrets s ON s.client_id = c.id WHERE c.id = :id ORDER BY s.id",
    id=str,
)
ISSUER_VERSION = HotStatement("SELECT revocation_version FROM issuer WHERE id = 1")


class SqlClients:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, client_id: str) -> Client | None:
        found = await self._db.hot(GET, id=client_id)
        return _client(found) if found else None

    async def issuer_version(self) -> int:
        (row,) = await self._db.hot(ISSUER_VERSION)
        return int(row[0])

    async def add(self, client: Client, *, event: AuditEvent) -> None:
        async def work(connection: AsyncConnection) -> None:
            await insert_client(connection, client)
            await record(connection, event)

        await self._db.write(work)

    async def update(self, client: Client, *, unless_changed_since: Instant, event: AuditEvent) -> bool:
        where = and_(clients.c.id == client.id, clients.c.updated_at == unless_changed_since)
        return await self._change(where, changed_values(client), event)

    async def set_enabled(self, client_id: str, enabled: bool, *, at: Instant, event: AuditEvent) -> bool:
        moved = case((clients.c.enabled, clients.c.version + 1), else_=clients.c.version)
        version = clients.c.version if enabled else moved
        return await self._change(
            clients.c.id == client_id, {"enabled": enabled, "version": version} | _stamp(at), event
        )

    async def add_secret(
        self, client_id: str, secret: ClientSecret, *, retire_others_at: Instant | None, event: AuditEvent
    ) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            if not await _touch(connection, client_id, secret.created_at):
                return False
            if retire_others_at is not None:
                await connection.execute(
                    update(client_secrets)
                    .values(expires_at=retire_others_at)
                    .where(
                        client_secrets.c.client_id == client_id,
                        or_(client_secrets.c.expires_at.is_(None), client_secrets.c.expires_at > retire_others_at),
                    )
                )
            await connection.execute(insert(client_secrets).values(_secret_values(client_id, secret)))
            await record(connection, event)
            return True

        return await self._db.write(work)

    async def remove_secret(self, client_id: str, secret_id: str, *, event: AuditEvent) -> bool:
        gone = delete(client_secrets).where(client_secrets.c.client_id == client_id, client_secrets.c.id == secret_id)

        async def work(connection: AsyncConnection) -> bool:
            if not await _touch(connection, client_id) or not (await connection.execute(gone)).rowcount:
                raise Undo(False)
            await record(connection, event)
            return True

        return await self._db.write(work)

    async def remove(self, client_id: str, *, at: Instant, event: AuditEvent) -> bool:
        """Its families die by comparison: their client is gone, and one of the same name starts at a higher version."""

        async def work(connection: AsyncConnection) -> bool:
            gone = await connection.execute(delete(clients).where(clients.c.id == client_id))
            if gone.rowcount:
                for what in _left_by(client_id):
                    await connection.execute(what)
                await record(connection, event)
            return bool(gone.rowcount)

        return await self._db.write(work)

    async def list(self, page: PageRequest, *, query: str | None = None) -> Page[Client]:
        wanted = select(clients).order_by(clients.c.id).limit(limit_of(page))
        if page.after is not None:
            wanted = wanted.where(clients.c.id > page.after)
        if query:
            part = query.lower()
            wanted = wanted.where(
                or_(
                    func.lower(clients.c.id).contains(part, autoescape=True),
                    func.lower(clients.c.name).contains(part, autoescape=True),
                )
            )

        async def work(connection: AsyncConnection) -> Page[Client]:
            found = (await connection.execute(wanted)).all()
            secrets = await _secrets_of(connection, [row.id for row in found])
            listed = [rows.client(tuple(row), secrets.get(row.id, ())) for row in found]
            return page_of(listed, page, lambda client: client.id)

        return await self._db.read(work)

    async def _change(self, where: ColumnElement[bool], values: dict[str, Any], event: AuditEvent) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            done = await connection.execute(update(clients).where(where).values(values))
            if done.rowcount:
                await record(connection, event)
            return bool(done.rowcount)

        return await self._db.write(work)


async def insert_client(connection: AsyncConnection, client: Client) -> None:
    """Its version starts past that of every client that was removed, should the id be used again."""
    floor = (
        select(
            case((issuer.c.client_version_floor > client.version, issuer.c.client_version_floor), else_=client.version)
        )
        .where(issuer.c.id == 1)
        .scalar_subquery()
    )
    await connection.execute(insert(clients).values(rows.client_values(client) | {"version": floor}))
    await insert_secrets(connection, client)


async def insert_secrets(connection: AsyncConnection, client: Client) -> None:
    for secret in client.secrets:
        await connection.execute(insert(client_secrets).values(_secret_values(client.id, secret)))


def changed_values(client: Client) -> dict[str, Any]:
    values = rows.client_values(client)
    return {name: values[name] for name in UPDATABLE} | _stamp(client.updated_at)


def _left_by(client_id: str) -> Iterator[Delete]:
    """What nobody may redeem, be asked for or be told of when a client of the same name comes. Spent codes stay, they
    only say that they were spent; opaque tokens too, which are refused as its other tokens are."""
    unspent = authorization_codes.c.spent_at.is_(None)
    yield delete(authorization_codes).where(authorization_codes.c.client_id == client_id, unspent)
    for table in (pushed_requests, device_requests, consents, logout_deliveries):
        yield delete(table).where(table.c.client_id == client_id)


def _client(found: rows.Row) -> Client:
    width = len(rows.CLIENT)
    secrets = tuple(rows.secret(row[width:]) for row in found if row[width] is not None)
    return rows.client(found[0][:width], secrets)


def _stamp(at: Instant) -> dict[str, Any]:
    """It never stays nor comes back, whatever the clocks of the nodes say: so it tells whether anybody was here."""
    return {"updated_at": case((clients.c.updated_at < at, at), else_=clients.c.updated_at + 1)}


def _secret_values(client_id: str, secret: ClientSecret) -> dict[str, Any]:
    return rows.as_values(secret, client_secrets) | {"client_id": client_id}


async def _touch(connection: AsyncConnection, client_id: str, at: Instant = 0) -> bool:
    """Says that its secrets change, to whoever read them and is about to write them back (`registrations.replace`);
    false if there is no such client. It is locked, so that it is not removed in between."""
    return bool(
        (await connection.execute(update(clients).where(clients.c.id == client_id).values(_stamp(at)))).rowcount
    )


async def _secrets_of(connection: AsyncConnection, ids: list[str]) -> dict[str, tuple[ClientSecret, ...]]:
    found = await connection.execute(
        select(client_secrets).where(client_secrets.c.client_id.in_(ids)).order_by(client_secrets.c.id)
    )
    secrets: dict[str, tuple[ClientSecret, ...]] = {}
    for row in found:
        secrets[row.client_id] = (*secrets.get(row.client_id, ()), rows.secret(tuple(row)))
    return secrets
