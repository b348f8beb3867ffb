"""The revocation feed over HTTP (docs/feed.md), as far as it moves: tail, long poll, stream.

All of it is answered from memory, so that a thousand resource servers cost the database nothing, and go on being
answered while it is away, with checkpoints that grow old.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from authserver.model.errors import TemporarilyUnavailable
from authserver.model.inputs import InvalidField
from authserver.model.log import TILE
from authserver.revocation.feed import Feed, FeedState
from authserver.web.answers import NO_STORE
from authserver.web.cached import CachedDocument
from authserver.web.connection import ended
from authserver.web.feed_guard import FeedGuard
from authserver.web.pieces import PiecesResponse
from authserver.web.query import Query
from authserver.web.streams import StreamResponse, Streams

LONGEST_WAIT = 30
LARGEST_TAIL = 4096
"""Records in one answer to `/tail?after=`; the newest ones. Tiles have the others."""
AHEAD_SECONDS = 1.0
"""How long a reader that knows more than this process is asked to wait until it has caught up."""
_CURSOR = re.compile(r"([0-9a-f]{16})\.(\d{1,15})")


class NotYet(TemporarilyUnavailable):
    """This process has no checkpoint, or none that is fresh: another one may have, and this one in a moment."""


def current(feed: Feed) -> FeedState:
    """Raises NotYet before the first checkpoint."""
    if feed.state is None:
        raise NotYet("the revocation log was not read yet")
    return feed.state


def fresh(feed: Feed) -> FeedState:
    if not feed.fresh:
        raise NotYet("the newest checkpoint is too old to be sent as a fresh one")
    return current(feed)


@dataclass(slots=True)
class TailEndpoint:
    """GET /revocations/tail: the newest tile for whoever polls, through caches; or what came after, for long polls."""

    feed: Feed
    guard: FeedGuard
    _shown: FeedState | None = field(default=None, init=False)
    _document: CachedDocument | None = field(default=None, init=False)

    async def get(self, request: Request) -> Response:
        await self.guard.admit(request)
        query = Query(request, ("after", "wait"))
        after = query.number("after", most=2**53)
        wait = query.number("wait", most=10**9)
        if after is None and wait is None:
            return self._newest().answer(request)
        if after is None:
            raise InvalidField("after", "is missing: wait goes with the sequence number that is known")
        return await self._after(request, after, min(wait or 0, LONGEST_WAIT))

    def _newest(self) -> CachedDocument:
        state = current(self.feed)
        if self._document is None or self._shown is not state:
            body = _tail(state, self.feed.lines(state.seq // TILE * TILE, state.seq))
            etag = f'"{hashlib.sha256(state.checkpoint).hexdigest()[:32]}"'
            caching = self.guard.cache_control("max-age=1")
            self._document = CachedDocument(
                body, etag, caching["Cache-Control"], media_type="text/plain", vary=caching.get("Vary", "")
            )
            self._shown = state
        return self._document

    async def _after(self, request: Request, after: int, wait: int) -> Response:
        state = fresh(self.feed)
        if wait and state.seq <= after:
            await _grown_past(self.feed, state.log, after, wait, request)
            state = fresh(self.feed)
        lines = self.feed.lines(max(after + 1, state.seq + 1 - LARGEST_TAIL), state.seq)
        return PiecesResponse.of(_tail(state, lines), media_type="text/plain", headers=NO_STORE)


def _tail(state: FeedState, lines: Sequence[bytes]) -> bytes:
    return b"\n".join((state.checkpoint, *lines, b""))


async def _grown_past(feed: Feed, log: str, seq: int, seconds: float, request: Request) -> None:
    """Returns once there is a record after `seq`, or another log, or the time is up, or nobody waits any more."""
    async with ended(request.scope, request.receive) as over:
        leaving = asyncio.create_task(over.wait())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not over.is_set() and _stands_at(feed, log, seq):
                    grown = asyncio.create_task(feed.grown())
                    await asyncio.wait({grown, leaving}, return_when=asyncio.FIRST_COMPLETED)
                    grown.cancel()
        leaving.cancel()


def _stands_at(feed: Feed, log: str, seq: int) -> bool:
    return feed.state is None or (feed.state.log == log and feed.state.seq <= seq)


@dataclass(frozen=True, slots=True)
class StreamEndpoint:
    """GET /revocations/stream."""

    streams: Streams
    guard: FeedGuard

    async def get(self, request: Request) -> Response:
        await self.guard.admit(request)
        query = Query(request, ("after",))
        after = _cursor(request.headers.get("last-event-id") or query.text("after"))
        state = fresh(self.streams.feed)
        if after is not None and state.log == after[0] and state.seq < after[1]:
            await _grown_past(self.streams.feed, after[0], after[1] - 1, AHEAD_SECONDS, request)
        return StreamResponse(self.streams, self._continued(after))

    def _continued(self, after: tuple[str, int] | None) -> tuple[str, int] | None:
        """None for a place that this process does not know or has in memory no more: the stream begins anew."""
        state = fresh(self.streams.feed)
        if after is None or after[0] != state.log or not self.streams.feed.first <= after[1] + 1 <= state.seq + 1:
            return None
        return after


def _cursor(text: str | None) -> tuple[str, int] | None:
    """LOG.SEQ; what is none, perhaps another server's, asks for nothing."""
    match = _CURSOR.fullmatch(text or "")
    return (match[1], int(match[2])) if match else None
