"""Cache and bus: in the process, or shared by all of them through Redis."""

from __future__ import annotations

from authserver.services import Resource
from authserver.storage.interface import Bus, Cache
from authserver.storage.local import LocalBus, LocalCache


def cache_and_bus(redis_url: str | None) -> tuple[Cache, Bus, tuple[Resource, ...]]:
    """Of this process alone, or shared through Redis; and what is to be closed."""
    if redis_url is None:
        return LocalCache(), LocalBus(), ()
    from authserver.storage.redis import Link, RedisBus, RedisCache  # imported by those who use it: it is large

    link = Link(redis_url)
    return RedisCache(link, LocalCache()), RedisBus(link), (link,)


async def redis_answers(url: str) -> bool:
    """Whether Redis is there now."""
    from authserver.storage.redis import Link

    link = Link(url)
    try:
        return await link.ask(lambda redis: redis.ping()) is not None
    finally:
        await link.close()
