"""Ending sessions and families inside a transaction, with the numbers that the caller is told.

The triggers do the rest: an ended session ends its families, an ended family leaves an outbox entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.model.revocation import RevocationOutcome
from authserver.model.time import Instant
from authserver.storage.sql.alive import Condition
from authserver.storage.sql.books import last_entry
from authserver.storage.sql.tables import families, sessions

NOT_FOUND = RevocationOutcome(found=False, changed=False, outbox_id=None, sessions=0, families=0)
UNCHANGED = RevocationOutcome(found=True, changed=False, outbox_id=None, sessions=0, families=0)
BATCH = 1000
T = TypeVar("T")


def combined(*outcomes: RevocationOutcome) -> RevocationOutcome:
    """Of one transaction, as one."""
    entries = [outcome.outbox_id for outcome in outcomes if outcome.outbox_id is not None]
    return RevocationOutcome(
        found=any(outcome.found for outcome in outcomes),
        changed=any(outcome.changed for outcome in outcomes),
        outbox_id=max(entries, default=None),
        sessions=sum(outcome.sessions or 0 for outcome in outcomes),
        families=sum(outcome.families or 0 for outcome in outcomes),
    )


async def end_sessions(connection: AsyncConnection, where: Condition, *, at: Instant, reason: str) -> RevocationOutcome:
    """End those that match and were not ended, in the order of their ids, so that two of these cannot deadlock."""
    held = await connection.execute(
        select(sessions.c.id, sessions.c.dead_at).where(where).order_by(sessions.c.id).with_for_update()
    )
    known = held.all()
    living = [row.id for row in known if row.dead_at is None]
    if not living:
        return UNCHANGED if known else NOT_FOUND
    entries = ended = 0
    for some in batched(living):
        left, alive = await _hold_families_of(connection, some, at)
        entries, ended = entries + left, ended + alive
        await connection.execute(
            update(sessions)
            .where(sessions.c.id.in_(some), sessions.c.dead_at.is_(None))
            .values(dead_at=at, dead_reason=reason)
        )
    return RevocationOutcome(
        found=True,
        changed=True,
        outbox_id=await last_entry(connection) if entries else None,
        sessions=len(living),
        families=ended,
    )


def batched(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """A statement takes 32,766 parameters and no more."""
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


async def _hold_families_of(connection: AsyncConnection, session_ids: Sequence[str], at: Instant) -> tuple[int, int]:
    """How many outbox entries their end will leave, and how many of them are in use. Their sessions are locked.

    They are locked before they are counted: one that somebody else ends meanwhile would be counted here and leave
    its entry there, and "the last entry of this transaction" would be nobody's, or an older transaction's.
    """
    mine = and_(families.c.session_id.in_(session_ids), families.c.dead_at.is_(None))
    held = await connection.execute(
        select(families.c.abs_until, families.c.idle_until).where(mine).order_by(families.c.id).with_for_update()
    )
    lasting = [row for row in held if row.abs_until > at]
    return len(lasting), sum(row.idle_until > at for row in lasting)


async def end_family(connection: AsyncConnection, where: Condition, *, at: Instant, reason: str) -> RevocationOutcome:
    """End one family; `where` names it."""
    done = await connection.execute(
        update(families)
        .where(where, families.c.dead_at.is_(None))
        .values(dead_at=at, dead_reason=reason)
        .returning(families.c.id, families.c.abs_until)
    )
    row = done.first()
    if row is None:
        known = (await connection.execute(select(families.c.id).where(where))).first()
        return UNCHANGED if known is not None else NOT_FOUND
    outbox_id = await last_entry(connection) if row.abs_until > at else None
    return RevocationOutcome(found=True, changed=True, outbox_id=outbox_id, sessions=0, families=1)
