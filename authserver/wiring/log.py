"""The parts that write the revocation log and vouch for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from authserver.clock import PurgeClock
from authserver.revocation.checkpoint import TYP
from authserver.revocation.feed import Feed
from authserver.revocation.follower import LogFollower
from authserver.revocation.keeping import LogKeeping
from authserver.revocation.records import Composer
from authserver.revocation.renewal import Renewal
from authserver.revocation.revoker import Revoker
from authserver.revocation.snapshots import SnapshotJob
from authserver.revocation.witness import CachedWitness, SignedPlace
from authserver.tokens import jwt
from authserver.wiring.parts import Ground, Tokens

PUBLISHED = ("active", "announced", "retired")
"""Keys in the order in which they are withdrawn: another signs before anything else changes."""


def log_keeping(
    ground: Ground,
    tokens: Tokens,
    feed: Feed,
    revoker: Revoker,
    read_checkpoint: Callable[[str], SignedPlace],
    announce: Callable[[], Awaitable[None]],
) -> LogKeeping:
    settings, store, now = ground.settings, ground.stores.log, ground.now
    compose = Composer(settings.issuer)
    witness = CachedWitness(ground.cache, store, read_checkpoint)

    def sign(claims: Mapping[str, Any]) -> str:
        return jwt.sign(claims, tokens.keys.signing, TYP)

    async def kids() -> Sequence[str]:
        await tokens.keys.load()
        keys = [key for key in tokens.keys.snapshot.keys if key.state in PUBLISHED]
        return [key.kid for key in sorted(keys, key=lambda key: PUBLISHED.index(key.state))]

    return LogKeeping(
        LogFollower(
            store,
            compose,
            sign,
            feed,
            ground.bus,
            settings.issuer,
            now,
            bus_reaches_others=settings.redis_url is not None,
        ),
        SnapshotJob(store, PurgeClock(now)),
        witness,
        Renewal(store, compose, revoker, kids, witness, ground.audit, ground.bus, now, announce),
    )
