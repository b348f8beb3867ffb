"""The databases a server can stand on, started for the run and gone after it; durable, as in production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.servers import postgres, valkey

Settings = dict[str, str]
"""Environment variables for the server."""

DATABASE = "bench"


@contextmanager
def _sqlite(scratch: Path) -> Iterator[Settings]:
    yield {"AUTHSERVER_DATABASE_URL": f"sqlite+aiosqlite:///{scratch / 'authserver.db'}"}


@contextmanager
def _postgresql(scratch: Path) -> Iterator[Settings]:
    with postgres(durable=True) as server:
        yield {"AUTHSERVER_DATABASE_URL": server.create_database(DATABASE)}


@contextmanager
def _postgresql_valkey(scratch: Path) -> Iterator[Settings]:
    with _postgresql(scratch) as settings, valkey() as cache:
        yield settings | {"AUTHSERVER_REDIS_URL": cache.url}


BACKENDS: dict[str, Callable[[Path], AbstractContextManager[Settings]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "postgresql+valkey": _postgresql_valkey,
}
DEFAULT_BACKENDS = ("sqlite", "postgresql+valkey")
