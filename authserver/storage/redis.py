"""Cache and Bus on Redis or Valkey: faster or sooner, never the truth.

Nothing here raises and nothing waits longer than `TIMEOUT`: Redis may be down at the start, flapping, slow,
flushed, full, or hold something else under our names. After a failure a circuit breaker keeps
further calls from waiting at all, so that a dead Redis costs nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from authserver import telemetry
from authserver.model.time import Duration
from authserver.storage.interface import Cache

T = TypeVar("T")

TIMEOUT = 0.1
"""Seconds that one exchange with Redis may take."""
PREFIX = "authserver:"
_FAILURES = (RedisError, OSError, TimeoutError, asyncio.IncompleteReadError)
_log = telemetry.logger("authserver.redis")


def connect(url: str) -> Redis:
    """A client that connects at its first command and never tries anything twice."""
    client: Redis = Redis.from_url(
        url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0), max_connections=64
    )
    return client


@dataclass(slots=True)
class Breaker:
    """Open after a failure for a growing, jittered time; then one call may try while the others do not wait."""

    shortest: float = 0.25
    longest: float = 5.0
    _pause: float = 0.0
    _open_until: float = 0.0

    def allows(self) -> bool:
        if self._pause == 0:
            return True
        if monotonic() < self._open_until:
            return False
        self._open_until = monotonic() + 2 * TIMEOUT
        return True

    def failed(self) -> None:
        self._pause = min(self.longest, max(self.shortest, self._pause * 2))
        self._open_until = monotonic() + self._pause * random.uniform(0.75, 1.25)  # noqa: S311 - jitter

    def succeeded(self) -> None:
        self._pause = 0.0

    @property
    def closed(self) -> bool:
        return self._pause == 0


@dataclass(slots=True)
class Link:
    """One connection pool and its breaker, shared by cache and bus."""

    url: str
    redis: Redis = field(init=False)
    breaker: Breaker = field(default_factory=Breaker)

    def __post_init__(self) -> None:
        self.redis = connect(self.url)

    async def ask(self, command: Callable[[Redis], Awaitable[T]]) -> T | None:
        """The answer, or None when there is none in time."""
        if not self.breaker.allows():
            return None
        try:
            async with asyncio.timeout(2 * TIMEOUT):
                answer = await command(self.redis)
        except ResponseError as error:
            # Redis answers, it only refuses: full, read-only, or not our type under this key.
            _log.warning("redis refuses", error=str(error))
            return None
        except _FAILURES as error:
            self._note(error)
            return None
        self.breaker.succeeded()
        return answer

    def _note(self, error: Exception) -> None:
        if self.breaker.closed:
            _log.warning("redis does not answer; going on without it", error=type(error).__name__)
        self.breaker.failed()

    async def start(self) -> None:
        """Nothing to do: whether Redis is there shows at the first command."""

    async def close(self) -> None:
        try:
            await self.redis.aclose()
        except _FAILURES as error:
            _log.debug("closing redis", error=type(error).__name__)


@dataclass(slots=True)
class RedisCache:
    """Shared by all processes; counts fall back to this process alone."""

    link: Link
    fallback: Cache
    """Of this process."""

    async def get(self, key: str) -> bytes | None:
        value = await self.link.ask(lambda redis: redis.get(PREFIX + key))
        return value if isinstance(value, bytes) else None

    async def set(self, key: str, value: bytes, *, ttl: Duration) -> None:
        if ttl > 0:
            await self.link.ask(lambda redis: redis.set(PREFIX + key, value, px=ttl))

    async def delete(self, key: str) -> None:
        await self.link.ask(lambda redis: redis.delete(PREFIX + key))

    async def count(self, key: str, *, window: Duration) -> int:
        async def add_one(redis: Redis) -> int:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.set(PREFIX + key, 0, px=window, nx=True)
                pipe.incr(PREFIX + key)
                return int((await pipe.execute())[1])

        count = await self.link.ask(add_one)
        return count if count is not None else await self.fallback.count(key, window=window)


@dataclass(slots=True)
class RedisBus:
    """Publish/subscribe; a subscription survives any outage and says b"" each time it is (again) in place."""

    link: Link
    silence: float = 3.0
    """Seconds without a sign of life after which a subscription asks for one."""
    longest_wait: float = 2.0
    """Most seconds between two attempts to subscribe again."""
    _subscriptions: int = 0
    _live: int = 0

    async def publish(self, channel: str, message: bytes = b"") -> None:
        await self.link.ask(lambda redis: redis.publish(PREFIX + channel, message or b"\0"))

    async def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        attempt = 0
        self._subscriptions += 1
        try:
            while True:
                async with aclosing(self._listen(channel)) as messages:
                    async for message in messages:
                        attempt = 0
                        yield message
                attempt += 1
                wait = min(self.longest_wait, 0.05 * 2 ** min(attempt, 10))
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        finally:
            self._subscriptions -= 1

    @property
    def connected(self) -> bool:
        return self._live >= max(1, self._subscriptions)

    async def _listen(self, channel: str) -> AsyncGenerator[bytes, None]:
        """One connection's worth of messages; ends when the connection does."""
        redis = connect(self.link.url)
        pubsub = redis.pubsub()
        live = False
        try:
            async with asyncio.timeout(3 * TIMEOUT):
                await pubsub.subscribe(PREFIX + channel)
            async with aclosing(self._messages(pubsub)) as messages:
                async for message in messages:
                    self._live += not live
                    live = True
                    yield message
        except _FAILURES as error:
            _log.debug("subscription ended", channel=channel, error=type(error).__name__)
        finally:
            self._live -= live
            await _discard(redis, pubsub)

    async def _messages(self, pubsub: PubSub) -> AsyncGenerator[bytes, None]:
        asked = False
        while True:
            message = await pubsub.get_message(timeout=self.silence)
            if message is None:
                if asked:
                    raise TimeoutError("no answer to a ping")
                asked = True
                await pubsub.ping()
                continue
            asked = False
            if message["type"] == "subscribe":
                yield b""
            elif message["type"] == "message":
                yield b"" if message["data"] == b"\0" else message["data"]


async def _discard(redis: Redis, pubsub: PubSub) -> None:
    try:
        async with asyncio.timeout(TIMEOUT):
            await pubsub.aclose()  # type: ignore[no-untyped-call]  # the library says nothing of its types here
            await redis.aclose()
    except _FAILURES as error:
        _log.debug("closing a subscription", error=type(error).__name__)
