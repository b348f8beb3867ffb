"""The one place where what drivers raise becomes what storage promises."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import exc

from authserver.storage.interface import AlreadyExists, StorageUnavailable

UNIQUE_VIOLATION = "23505"
SERIALIZATION_OR_DEADLOCK = frozenset({"40001", "40P01"})
UNAVAILABLE_CLASSES = ("08", "53", "57", "58", "XX")
"""SQLSTATE classes: connection, insufficient resources, operator intervention, system and internal errors."""
UNAVAILABLE_STATES = frozenset({"25006", "55P03", "55000", "3D000", "28000", "28P01"})
"""Read-only transaction, lock not available, a database that takes no connections, no such database, not let in."""
SQLITE_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
    }
)
SQLITE_UNIQUE = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})


Kinds: TypeAlias = tuple[type[Exception], ...]


@dataclass(slots=True)
class _Drivers:
    """What the drivers that are loaded raise. PostgreSQL's tells itself, by `also_raised`."""

    errors: Kinds = (sqlite3.Error, OSError)
    adapted: Kinds = ()
    """What SQLAlchemy's pool raises, in nothing of SQLAlchemy's own, when PostgreSQL refuses a new connection."""
    broken: Kinds = ()
    """The connection is closed, or the server's farewell lies unread in it."""

    @property
    def all(self) -> Kinds:
        return (exc.SQLAlchemyError, *self.adapted, *self.errors)


_drivers = _Drivers()


def also_raised(*, errors: Kinds, adapted: Kinds, broken: Kinds) -> None:
    """By a driver that is being loaded; told once."""
    _drivers.errors += (*errors, *broken)
    _drivers.adapted += adapted
    _drivers.broken += broken


class TryAgain(Exception):
    """PostgreSQL chose this transaction as the victim of a deadlock; nothing was changed."""


@contextmanager
def translated(*, last_try: bool = False) -> Iterator[None]:
    """Raise AlreadyExists, StorageUnavailable or TryAgain for what they stand for; anything else is a bug.

    `last_try`: nobody will try again, so that a deadlock too is StorageUnavailable.
    """
    try:
        yield
    except _drivers.all as error:
        meaning = meaning_of(error)
        if meaning is None:
            raise
        if last_try and isinstance(meaning, TryAgain):
            meaning = StorageUnavailable("gave up after a deadlock")
        raise meaning from error


def meaning_of(error: BaseException) -> Exception | None:
    """`error` may be SQLAlchemy's, its adapter's or the driver's own. `TimeoutError` is an OSError."""
    if isinstance(error, exc.TimeoutError):
        return StorageUnavailable("no free database connection")
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return StorageUnavailable("the database closed the connection")
    original = _original(error)
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original)
    if isinstance(original, OSError):
        return StorageUnavailable("the database cannot be reached")
    if isinstance(original, _drivers.broken):
        return StorageUnavailable("the connection to the database is broken")
    return _of_state(getattr(original, "sqlstate", None))


def _original(error: BaseException) -> BaseException:
    """SQLAlchemy wraps its adapter's exception, whose cause is the driver's."""
    while isinstance(error, exc.DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error.__cause__, _drivers.errors):
        return error.__cause__
    return error


def _of_sqlite(error: sqlite3.Error) -> Exception | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code in SQLITE_UNIQUE:
        return AlreadyExists()
    if code is None and isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        return StorageUnavailable("the database is closed")
    if code is not None and code & 0xFF in SQLITE_UNAVAILABLE:
        return StorageUnavailable(f"SQLite: {error}")
    return None


def _of_state(state: str | None) -> Exception | None:
    if state is None:
        return None
    if state == UNIQUE_VIOLATION:
        return AlreadyExists()
    if state in SERIALIZATION_OR_DEADLOCK:
        return TryAgain()
    if state.startswith(UNAVAILABLE_CLASSES) or state in UNAVAILABLE_STATES:
        return StorageUnavailable(f"PostgreSQL refused: SQLSTATE {state}")
    return None


def is_worth_another_try(error: Exception) -> bool:
    """A broken connection or a deadlock; neither a full pool, nor a server or a lock that let the time run out."""
    if isinstance(error, (exc.TimeoutError, TimeoutError, sqlite3.Error)):
        return False
    return isinstance(meaning_of(error), (StorageUnavailable, TryAgain))
