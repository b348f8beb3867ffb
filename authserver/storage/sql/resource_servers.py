"""What resource servers have applied. A row per process, written at each of its reports."""

from __future__ import annotations

from sqlalchemy import and_, case, delete, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.page import Page, PageRequest
from authserver.model.resource_server import SILENT_AFTER, ResourceServer
from authserver.model.time import Instant
from authserver.storage.interface import ResourceServerCounts, ResourceServerFilter
from authserver.storage.sql.alive import Condition
from authserver.storage.sql.books import limit_of, page_of
from authserver.storage.sql.database import Database
from authserver.storage.sql.tables import resource_servers
from authserver.storage.sql.upserts import insert_or

rs = resource_servers.c


class SqlResourceServers:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def report(self, server: ResourceServer) -> None:
        values = {column.name: getattr(server, column.name) for column in resource_servers.columns}
        changed = {name: value for name, value in values.items() if name not in ("client_id", "instance", "first_seen")}

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                insert_or(connection, resource_servers)
                .values(values)
                .on_conflict_do_update(
                    index_elements=[rs.client_id, rs.instance],
                    set_=changed,
                    where=rs.reported_at <= server.reported_at,
                )
            )

        await self._db.write(work)

    async def list(self, page: PageRequest, where: ResourceServerFilter) -> Page[ResourceServer]:
        wanted = (
            select(resource_servers)
            .where(*_conditions(where))
            .order_by(rs.client_id, rs.instance)
            .limit(limit_of(page))
        )
        if page.after is not None:
            wanted = wanted.where(tuple_(rs.client_id, rs.instance) > tuple_(*_opened(page.after)))

        async def work(connection: AsyncConnection) -> Page[ResourceServer]:
            found = [ResourceServer(**row._mapping) for row in await connection.execute(wanted)]
            return page_of(found, page, _place)

        return await self._db.read(work)

    async def counts(self, log: str, seq: int, *, now: Instant) -> ResourceServerCounts:
        silent = rs.reported_at < now - SILENT_AFTER
        current = and_(~silent, rs.log == log, rs.seq >= seq)
        following = and_(~silent, rs.log == log)
        wanted = select(
            func.count(),
            func.count(case((silent, 1))),
            func.count(case((current, 1))),
            func.min(case((following, rs.seq))),
        ).select_from(resource_servers)

        async def work(connection: AsyncConnection) -> ResourceServerCounts:
            in_all, gone, up, least = (await connection.execute(wanted)).one()
            lag = 0 if least is None else max(0, seq - least)
            return ResourceServerCounts(current=up, behind=in_all - gone - up, silent=gone, max_lag=lag)

        return await self._db.read(work)

    async def purge(self, *, before: Instant) -> int:
        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(delete(resource_servers).where(rs.reported_at < before))).rowcount

        return await self._db.write(work)


def _conditions(where: ResourceServerFilter) -> list[Condition]:
    conditions: list[Condition] = []
    if where.client_id is not None:
        conditions.append(rs.client_id == where.client_id)
    if where.behind is not None:
        log, seq = where.behind
        conditions.append(or_(rs.log != log, rs.seq < seq))
    return conditions


def _place(server: ResourceServer) -> str:
    """Both names may hold any printable character, so the first one's length tells where it ends."""
    return f"{len(server.client_id)} {server.client_id}{server.instance}"


def _opened(place: str) -> tuple[str, str]:
    length, _, names = place.partition(" ")
    return names[: int(length)], names[int(length) :]
