"""From "this session, user, everybody was logged out" to one delivery per log-in and client, in one transaction.

A log-in may be told of twice (a user is disabled, and somebody ends the session's row later): its client sees one
log-out after the other. None is forgotten: who was logged out by an end of the session's row is found by that,
everybody else by the version that their families were born under.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.ids import uuid7
from authserver.model.time import Instant
from authserver.storage.sql import rows
from authserver.storage.sql.ending import batched
from authserver.storage.sql.log_snapshots import BY_INDEX
from authserver.storage.sql.tables import clients, families, logout_deliveries, logout_outbox, sessions
from authserver.storage.sql.upserts import insert_or

PAGE = 500
"""Families that are seen to at a time when everybody is logged out; the entry remembers where it stood."""


class LoggedOut(NamedTuple):
    family_id: str
    client_id: str
    user_id: str
    terms: str

    @property
    def is_log_in(self) -> bool:
        """And not offline access, which outlives the log-in that its client knows of."""
        return rows.terms(self.terms).sid is None


async def expand(connection: AsyncConnection, limit: int, now: Instant) -> int:
    wanted = select(logout_outbox).order_by(logout_outbox.c.id).limit(limit).with_for_update(skip_locked=True)
    entries = (await connection.execute(wanted)).all()
    found = [LoggedOut(*json.loads(entry.value)) for entry in entries if entry.kind == "family"]
    found += await _of_sessions(connection, [entry.value for entry in entries if entry.kind == "session"])
    found += await _of_users(connection, [entry for entry in entries if entry.kind == "user"])
    for entry in entries:
        if entry.kind == "issuer":
            found += await _of_everybody(connection, entry)
    await _forget(connection, [entry.id for entry in entries if entry.kind != "issuer"])
    await _deliver(connection, [each for each in found if each.is_log_in], now)
    return len(entries)


def _families() -> Select[Any]:
    c = families.c
    return select(c.id, c.client_id, c.user_id, c.terms).where(c.scope.contains('"openid"', autoescape=True))


async def _of_sessions(connection: AsyncConnection, ids: Sequence[str]) -> list[LoggedOut]:
    found: list[LoggedOut] = []
    for some in batched(ids):
        rows_ = await connection.execute(_families().where(families.c.session_id.in_(some)))
        found.extend(LoggedOut(*row) for row in rows_)
    return found


def _outrun() -> Select[Any]:
    """Families whose sessions were not ended by themselves."""
    return _families().join(sessions, sessions.c.id == families.c.session_id).where(sessions.c.dead_at.is_(None))


async def _of_users(connection: AsyncConnection, entries: Sequence[Any]) -> list[LoggedOut]:
    found: list[LoggedOut] = []
    for entry in entries:
        wanted = _outrun().where(
            families.c.user_id == entry.value,
            families.c.user_version == entry.version,
            sessions.c.abs_until > entry.created_at,
        )
        found.extend(LoggedOut(*row) for row in await connection.execute(wanted))
    return found


async def _of_everybody(connection: AsyncConnection, entry: Any) -> list[LoggedOut]:
    """The next page of them; the entry goes with the last one."""
    if connection.dialect.name == "postgresql":
        await connection.execute(BY_INDEX)
    wanted = _outrun().where(
        families.c.id > entry.value,
        families.c.issuer_version == entry.version,
        sessions.c.abs_until > entry.created_at,
    )
    page = [LoggedOut(*row) for row in await connection.execute(wanted.order_by(families.c.id).limit(PAGE))]
    if len(page) < PAGE:
        await _forget(connection, [entry.id])
    else:
        here = update(logout_outbox).where(logout_outbox.c.id == entry.id)
        await connection.execute(here.values(value=page[-1].family_id))
    return page


async def _forget(connection: AsyncConnection, ids: Sequence[int]) -> None:
    for some in batched(ids):
        await connection.execute(delete(logout_outbox).where(logout_outbox.c.id.in_(some)))


async def _deliver(connection: AsyncConnection, found: Iterable[LoggedOut], now: Instant) -> None:
    by_family = {each.family_id: each for each in found}
    uris = await _uris(connection, sorted({each.client_id for each in by_family.values()}))
    values = [_values(each, uris[each.client_id], now) for each in by_family.values() if each.client_id in uris]
    if not values:
        return
    # Whoever is still to be told of a log-in is not told twice.
    await connection.execute(insert_or(connection, logout_deliveries).on_conflict_do_nothing(), values)


def _values(each: LoggedOut, uri: str, now: Instant) -> dict[str, Any]:
    ids = {"id": uuid7(now), "family_id": each.family_id, "client_id": each.client_id, "user_id": each.user_id}
    return ids | {"uri": uri, "attempts": 0, "next_at": now, "created_at": now}


async def _uris(connection: AsyncConnection, client_ids: Sequence[str]) -> dict[str, str]:
    """Where the clients that want to know are told, by their ids."""
    uris: dict[str, str] = {}
    for some in batched(client_ids):
        found = await connection.execute(select(clients).where(clients.c.id.in_(some)))
        known = (rows.client(tuple(row), ()) for row in found)
        uris |= {client.id: client.backchannel_logout_uri for client in known if client.backchannel_logout_uri}
    return uris
