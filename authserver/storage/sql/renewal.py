"""A session that goes on after another log-in of its user, under a new secret."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import BigInteger, LargeBinary, Select, Text, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from authserver.model.session import Session
from authserver.model.time import Instant
from authserver.storage.sql import rows
from authserver.storage.sql.alive import issuer_stands, user_stands
from authserver.storage.sql.tables import sessions, users

RENEWED = (
    "secret_hash",
    "auth_time",
    "acr",
    "amr",
    "last_seen_at",
    "idle_until",
    "abs_until",
    "user_agent",
    "address",
)


async def renew_session(
    connection: AsyncConnection,
    renewed: Session,
    secret_hash: bytes,
    repeated_since: Instant,
    password_hash: str | None,
) -> Session | Literal["changed"] | None:
    """See `SessionStore.renew`."""
    proof = {"user": renewed.user_id, "password_hash": password_hash}
    known = {"session": renewed.id, "secret": secret_hash, "since": repeated_since, "now": renewed.auth_time}
    columns = rows.as_values(renewed, sessions)
    written = {f"new_{name}": columns[name] for name in RENEWED}
    row = (await connection.execute(RENEW, proof | known | written)).first()
    if row is not None:
        return rows.session(row)
    return None if (await connection.execute(UNCHANGED, proof)).first() else "changed"


# -- the statements, put together once


def _unchanged() -> Select[Any]:
    password = bindparam("password_hash", type_=Text())
    return select(users.c.id).where(
        users.c.id == bindparam("user", type_=Text()),
        users.c.enabled,
        or_(password.is_(None), users.c.password_hash == password),
    )


def _renew() -> ReturningUpdate[Any]:
    """Also of a session that its browser left: idle, it is brought back by who could begin a new one, and what lives
    under it has one end again. Whatever would refuse a new session refuses this."""
    return (
        update(sessions)
        .where(
            sessions.c.id == bindparam("session", type_=Text()),
            sessions.c.kind == "browser",
            sessions.c.client_id.is_(None),
            sessions.c.user_id == bindparam("user", type_=Text()),
            or_(
                sessions.c.secret_hash == bindparam("secret", type_=LargeBinary()),
                sessions.c.auth_time >= bindparam("since", type_=BigInteger()),
            ),
            sessions.c.dead_at.is_(None),
            sessions.c.abs_until > bindparam("now", type_=BigInteger()),
            user_stands(sessions),
            issuer_stands(sessions),
            UNCHANGED.exists(),
        )
        .values({name: bindparam(f"new_{name}", type_=sessions.c[name].type) for name in RENEWED})
        .returning(*sessions.c)
    )


UNCHANGED = _unchanged()
RENEW = _renew()
