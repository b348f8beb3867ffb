"""How many living sessions and families a revocation would end, or has just ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.grant import Versions
from authserver.model.revocation import RevocationOutcome, RevocationTarget
from authserver.model.time import Instant
from authserver.storage.sql.alive import PRESENT, Condition, count, family_alive, session_alive
from authserver.storage.sql.tables import clients, families, sessions, signing_keys, users

EXISTS: dict[str, Any] = {
    "family": families.c.id,
    "session": sessions.c.id,
    "user": users.c.id,
    "client": clients.c.id,
    "kid": signing_keys.c.kid,
}
"""Where the target itself is looked up; a token (jti) is nowhere, and "all" is always there."""


BEFORE = {"user": Versions(1, 0, 0), "client": Versions(0, 1, 0), "all": Versions(0, 0, 1)}
"""Where the version stood before a revocation of that kind moved it on."""


async def preview(connection: AsyncConnection, target: RevocationTarget, now: Instant) -> RevocationOutcome:
    found = target.kind not in EXISTS or await _one(connection, EXISTS[target.kind], target.value)
    nothing = RevocationOutcome(found=found, changed=False, outbox_id=None, sessions=0, families=0)
    return await counted(connection, target, nothing, now, PRESENT) if found else nothing


async def counted(
    connection: AsyncConnection, target: RevocationTarget, outcome: RevocationOutcome, now: Instant, back: Versions
) -> RevocationOutcome:
    """`outcome` with the numbers of what is, or `back` versions ago was, alive."""
    return replace(
        outcome,
        sessions=await _count(connection, _sessions(target, now, back)),
        families=await _count(connection, _families(target, now, back)),
    )


def _sessions(target: RevocationTarget, now: Instant, back: Versions) -> Select[Any] | None:
    where: dict[str, list[Condition]] = {
        "session": [sessions.c.id == target.value],
        "user": [sessions.c.user_id == target.value],
        "all": [],
    }
    return count(sessions, session_alive(now, back), *where[target.kind]) if target.kind in where else None


def _families(target: RevocationTarget, now: Instant, back: Versions) -> Select[Any] | None:
    where: dict[str, list[Condition]] = {
        "family": [families.c.id == target.value],
        "session": [families.c.session_id == target.value],
        "user": [families.c.user_id == target.value],
        "client": [families.c.client_id == target.value],
        "all": [],
    }
    return count(families, family_alive(now, back), *where[target.kind]) if target.kind in where else None


async def _count(connection: AsyncConnection, wanted: Select[Any] | None) -> int:
    return 0 if wanted is None else int((await connection.execute(wanted)).scalar_one())


async def _one(connection: AsyncConnection, column: Any, value: str) -> bool:
    return (await connection.execute(select(column).where(column == value))).first() is not None
