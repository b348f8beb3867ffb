"""What it takes to be alive, as conditions: written here once, used by every verb that asks or counts.

Comparing versions is what makes the end of all sessions of a user, a client or everybody cost one
row: who was born under an older version is dead, whatever the clocks say and however the
transactions interleave.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select, Table, and_, case, exists, func, literal, not_, or_, select

from authserver.model.grant import Versions
from authserver.model.time import Instant
from authserver.storage.sql.tables import clients, families, issuer, sessions, users

Condition = ColumnElement[bool]
Moment: TypeAlias = Instant | ColumnElement[int]
"""Also a parameter, for statements that are put together once."""
PRESENT = Versions(0, 0, 0)
"""How many versions back to look: none."""


def standing(table: Table, now: Moment) -> Condition:
    """The row of the session or family itself: not ended, neither deadline has passed."""
    return and_(table.c.dead_at.is_(None), table.c.idle_until > now, table.c.abs_until > now)


def user_stands(table: Table, back: int = 0) -> Condition:
    """The user of the session or family is enabled, at the version of its birth (or was, `back` versions ago)."""
    return (
        exists()
        .where(users.c.id == table.c.user_id, users.c.enabled, users.c.version - back == table.c.user_version)
        .correlate(table)
    )


def issuer_stands(table: Table, back: int = 0) -> Condition:
    return (
        exists().where(issuer.c.id == 1, issuer.c.revocation_version - back == table.c.issuer_version).correlate(table)
    )


def client_stands(back: int = 0) -> Condition:
    return (
        exists()
        .where(
            clients.c.id == families.c.client_id,
            clients.c.enabled,
            clients.c.version - back == families.c.client_version,
        )
        .correlate(families)
    )


def session_of_family_stands(now: Instant) -> Condition:
    """The session is not ended and its absolute end has not come; its idle end does not bind a family."""
    return (
        exists()
        .where(sessions.c.id == families.c.session_id, sessions.c.dead_at.is_(None), sessions.c.abs_until > now)
        .correlate(families)
    )


def family_alive(now: Instant, back: Versions = PRESENT) -> Condition:
    return and_(
        standing(families, now),
        user_stands(families, back.subject),
        issuer_stands(families, back.issuer),
        client_stands(back.client),
        session_of_family_stands(now),
    )


def session_alive(now: Moment, back: Versions = PRESENT) -> Condition:
    """A session of kind "token" lives through its families: its own idle end is not moved, so it does not count. One
    of kind "browser" that its user has left lives on through those of applications, which go on by themselves; the
    family that bears its own id gives tokens for its cookie only."""
    own = and_(sessions.c.kind == "browser", sessions.c.idle_until > now)
    through = (
        exists()
        .where(families.c.session_id == sessions.c.id, standing(families, now), client_stands(back.client))
        .where(or_(sessions.c.kind == "token", families.c.id != sessions.c.id))
        .correlate(sessions)
    )
    return and_(
        sessions.c.dead_at.is_(None),
        sessions.c.abs_until > now,
        user_stands(sessions, back.subject),
        issuer_stands(sessions, back.issuer),
        or_(own, through),
    )


def end_reason(now: Instant) -> ColumnElement[str | None]:
    """Why a session that is not alive is over: as its row says, or its last family's; else the versions tell a
    revocation from the passing of time."""
    revoked, expired = literal("revoked"), literal("expired")
    mine = families.c.session_id == sessions.c.id
    told = (
        select(families.c.dead_reason)
        .where(mine, families.c.dead_at.is_not(None))
        .order_by(families.c.dead_at.desc())
        .limit(1)
        .correlate(sessions)
        .scalar_subquery()
    )
    outrun = exists().where(mine, standing(families, now), not_(client_stands())).correlate(sessions)
    return case(
        (sessions.c.dead_at.is_not(None), sessions.c.dead_reason),
        (not_(and_(user_stands(sessions), issuer_stands(sessions))), revoked),
        (or_(sessions.c.kind == "browser", sessions.c.abs_until <= now), expired),
        (outrun, revoked),
        else_=func.coalesce(told, expired),
    )


def count(table: Table, *where: Condition) -> Select[Any]:
    return select(func.count()).select_from(table).where(*where)
