"""One suite over every implementation of Cache and Bus; Redis is a real Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from authserver.storage.interface import Bus, Cache
from authserver.storage.local import LocalBus, LocalCache
from authserver.storage.redis import Link, RedisBus, RedisCache
from tests.servers import ValkeyServer, valkey


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[ValkeyServer]:
    """A server of this module's own: these tests stop, freeze and fill it."""
    with valkey() as server:
        yield server


@pytest.fixture
async def link(own_valkey: ValkeyServer) -> AsyncIterator[Link]:
    own_valkey.restart()
    made = Link(own_valkey.url)
    yield made
    await made.close()


@pytest.fixture(params=["local", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def cache(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """Patient: what it does when Redis is slow is for the tests of faults, and a busy machine is."""
    monkeypatch.setattr("authserver.storage.redis.TIMEOUT", 5.0)
    return LocalCache() if kind == "local" else RedisCache(request.getfixturevalue("link"), LocalCache())


@pytest.fixture
def bus(kind: str, request: pytest.FixtureRequest) -> Bus:
    return LocalBus() if kind == "local" else RedisBus(request.getfixturevalue("link"))
