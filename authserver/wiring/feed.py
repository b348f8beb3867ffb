"""The parts of the revocation feed that readers meet."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from authserver.revocation.applied import AppliedReports
from authserver.revocation.feed import Feed
from authserver.revocation.keeping import LogKeeping
from authserver.revocation.publication import Publication
from authserver.revocation.revoker import Revoker
from authserver.revocation.tiles import Tiles
from authserver.revocation.witness import SignedPlace
from authserver.tokens.checkpoints import past_checkpoint
from authserver.wiring.log import log_keeping
from authserver.wiring.parts import Ground, Tokens


@dataclass(frozen=True, slots=True)
class FeedParts:
    feed: Feed
    publication: Publication
    tiles: Tiles
    applied: AppliedReports
    log: LogKeeping

    @classmethod
    def of(cls, ground: Ground, tokens: Tokens, revoker: Revoker, announce: Callable[[], Awaitable[None]]) -> FeedParts:
        feed, store = Feed(), ground.stores.log

        def read_checkpoint(token: str) -> SignedPlace:
            claims = past_checkpoint(token, tokens.keys.public, ground.settings.issuer)
            return SignedPlace(claims["log"], claims["seq"], urlsafe_b64decode(claims["h"] + "="))

        log = log_keeping(ground, tokens, feed, revoker, read_checkpoint, announce)
        wake = log.follower.wake
        return cls(
            feed,
            Publication(feed, store.sequence_of, wake),
            Tiles(feed, store.tile),
            AppliedReports(ground.stores.resource_servers, store, read_checkpoint, wake, ground.now),
            log,
        )
