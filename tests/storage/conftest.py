"""A small world to act in: one user, one client, on each database in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from authserver.model.account import User
from authserver.model.client import Client
from authserver.model.grant import Family, Versions
from authserver.model.revocation import OutboxEntry, RevocationOutcome, RevocationTarget, TokenFacts
from authserver.model.session import Session
from authserver.storage.interface import Rotated, RotationRefused
from authserver.storage.sql import Database, open_database
from tests.conftest import Stores, stores_of
from tests.storage.builders import NOW, a_client, a_family, a_key, a_rotation, a_session, a_user, an_event


@dataclass
class World:
    stores: Stores
    database: Database
    user: User = field(default_factory=a_user)
    client: Client = field(default_factory=a_client)
    kid: str = "key-of-the-world"

    async def populate(self) -> None:
        await self.stores.users.add(self.user, event=an_event())
        await self.stores.clients.add(self.client, event=an_event())
        key = a_key(kid=self.kid)
        assert await self.stores.keys.add_announced(key, event=an_event())
        assert await self.stores.keys.activate(key.kid, instead_of=None, at=NOW, remove_at=NOW, event=an_event())

    async def browser(self, **changes: Any) -> Session:
        session = a_session(self.user, **changes)
        assert await self.stores.sessions.begin(session, None, password_hash=None, event=an_event()) is not None
        return session

    async def family_of(self, session: Session, **changes: Any) -> Family:
        family = a_family(session, self.client, **changes)
        assert await self.stores.sessions.add_family(family, event=None) is not None
        return family

    async def login(self, **changes: Any) -> tuple[Session, Family]:
        """A log-in in token mode; `changes` are the family's."""
        session = a_session(self.user, kind="token", secret_hash=None)
        family = a_family(session, self.client, **changes)
        begun = await self.stores.sessions.begin(session, family, password_hash=None, event=an_event())
        assert begun is not None
        return session, family

    async def rotate(self, family: Family, presented: str, following: str, **changes: Any) -> Rotated | RotationRefused:
        return await self.stores.families.rotate(
            a_rotation(family, presented, following, **changes), reuse_event=an_event(type="family.reused")
        )

    async def revoke(self, kind: Any, value: str = "", **changes: Any) -> RevocationOutcome:
        return await self.stores.revocations.revoke(
            RevocationTarget(kind=kind, value=value, **changes), at=NOW + 5, reason="test", event=an_event()
        )

    async def is_alive(self, family: Family, at: int = NOW + 10) -> bool:
        return await self.stores.families.is_alive(family.id, now=at)

    async def entries(self) -> list[tuple[str, str, int]]:
        return [(entry.kind, entry.value, entry.version) for entry in await self.outbox()]

    async def outbox(self) -> list[OutboxEntry]:
        return list(await self.stores.revocations.outbox(after=0, limit=1000))

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        """As an operator would type it."""

        async def work(connection: Any) -> list[Any]:
            result = await connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

        return await self.database.write(work)

    def facts(self, family: Family | None = None, **changes: Any) -> TokenFacts:
        values: dict[str, Any] = {
            "kid": self.kid,
            "jti": "a-token",
            "subject": self.user.id,
            "client_id": self.client.id,
            "family_id": family.id if family else None,
            "versions": Versions(0, 0, 0),
        }
        return TokenFacts(**values | changes)

    async def state(self, facts: TokenFacts) -> str:
        """ "alive", or the reason why not."""
        state = await self.stores.revocations.check(facts)
        return "alive" if state.alive else state.reason


@pytest.fixture
async def world(stores: Stores, database: Database) -> World:
    made = World(stores, database)
    await made.populate()
    return made


async def _opened(url: str, pool_size: int) -> AsyncIterator[World]:
    database = open_database(url, pool_size=pool_size)
    await database.start()
    made = World(stores_of(database), database)
    await made.populate()
    yield made
    await database.close()


@pytest.fixture
async def postgres_world(postgres_url: str) -> AsyncIterator[World]:
    """On PostgreSQL only."""
    async for made in _opened(postgres_url, 4):
        yield made


@pytest.fixture
async def fresh_world(fresh_postgres_url: str) -> AsyncIterator[World]:
    """On a PostgreSQL database without a past, over a single connection."""
    async for made in _opened(fresh_postgres_url, 1):
        yield made
