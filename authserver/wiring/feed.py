"""The parts of the revocation feed that readers meet."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass

from authserver.revocation.applied import AppliedReports
from authserver.revocation.feed import Feed
from authserver.revocation.publication import Publication
from authserver.revocation.tiles import Tiles
from authserver.revocation.witness import SignedPlace
from authserver.tokens.checkpoints import past_checkpoint
from authserver.wiring.parts import Ground, Tokens


@dataclass(frozen=True, slots=True)
class FeedParts:
    publication: Publication
    tiles: Tiles
    applied: AppliedReports
    read_checkpoint: Callable[[str], SignedPlace]

    @classmethod
    def of(cls, ground: Ground, tokens: Tokens, feed: Feed, wake: Callable[[], None]) -> FeedParts:
        log = ground.stores.log

        def read_checkpoint(token: str) -> SignedPlace:
            claims = past_checkpoint(token, tokens.keys.public, ground.settings.issuer)
            return SignedPlace(claims["log"], claims["seq"], urlsafe_b64decode(claims["h"] + "="))

        return cls(
            Publication(feed, log.sequence_of, wake),
            Tiles(feed, log.tile),
            AppliedReports(ground.stores.resource_servers, log, read_checkpoint, wake, ground.now),
            read_checkpoint,
        )
