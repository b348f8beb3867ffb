"""The revocation feed over HTTP (docs/feed.md): tail, long poll, tiles, snapshots, stream, and what was applied.

Everything but snapshots and old tiles is answered from memory, so that a thousand resource servers cost the
database nothing, and go on being answered while it is away, with checkpoints that grow old.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from authserver.administration.fields import Reader, read_fields, required
from authserver.model.client import Client
from authserver.model.errors import InvalidToken, NotFound, TemporarilyUnavailable
from authserver.model.inputs import InvalidField, text, whole_number
from authserver.model.log import TILE, Snapshot
from authserver.oauth.client_auth import ClientAuthenticator, PresentedCredentials
from authserver.oauth.errors import InvalidClient, InvalidRequest
from authserver.oauth.form import Form
from authserver.revocation.applied import AppliedReports, Report
from authserver.revocation.feed import Feed, FeedState
from authserver.services import FeedAccess
from authserver.web.answers import NO_STORE
from authserver.web.cached import CachedDocument
from authserver.web.caller import caller_of
from authserver.web.connection import ended
from authserver.web.forms import read_json
from authserver.web.pieces import PiecesResponse
from authserver.web.query import Query
from authserver.web.streams import StreamResponse, Streams

LONGEST_WAIT = 30
LARGEST_TAIL = 4096
"""Records in one answer to `/tail?after=`; the newest ones. Tiles have the others."""
AHEAD_SECONDS = 1.0
"""How long a reader that knows more than this process is asked to wait until it has caught up."""
RECORDS_TYPE = "application/x-ndjson"
_IMMUTABLE = "max-age=31536000, immutable"
_CURSOR = re.compile(r"([0-9a-f]{16})\.(\d{1,15})")


@dataclass(frozen=True, slots=True)
class FeedGuard:
    """Who may read the feed, and what caches may do with what they read."""

    access: FeedAccess
    clients: ClientAuthenticator

    async def admit(self, request: Request) -> None:
        """Raises InvalidClient (401) where only clients may read."""
        if self.access == "clients":
            await authenticated(self.clients, request)

    def cache_control(self, directives: str) -> dict[str, str]:
        """A shared cache would hand to anybody what only clients may have."""
        if self.access == "public":
            return {"Cache-Control": f"public, {directives}"}
        return {"Cache-Control": f"private, {directives}", "Vary": "Authorization"}


async def authenticated(clients: ClientAuthenticator, request: Request) -> Client:
    """The confidential client of a request whose only credentials are in the Authorization header."""
    authorization = request.headers.get("authorization")
    if authorization is None:
        raise InvalidClient("client authentication is missing", challenge=True)
    return await clients.authenticate(PresentedCredentials(authorization, Form({})))


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


class LogReader(Protocol):
    """`LogStore`, as far as the feed is read from it."""

    async def snapshot(self, log: str, seq: int) -> Snapshot | None: ...

    async def snapshot_part(self, build: str, number: int) -> bytes | None: ...


class TileReader(Protocol):
    """`revocation.tiles.Tiles`."""

    async def tile(self, log: str, number: int) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class TileEndpoint:
    """GET /revocations/{log}/tiles/{n}: 256 records that never change."""

    tiles: TileReader
    guard: FeedGuard

    async def get(self, request: Request) -> Response:
        """404 until it is full, and once it is below `floor`."""
        await self.guard.admit(request)
        Query(request, ())
        body = await self.tiles.tile(request.path_params["log"], _number(request, "n"))
        if body is None:
            raise NotFound("there is no such tile; it is not full yet, or was dropped, or is of another log")
        return PiecesResponse.of(body, media_type=RECORDS_TYPE, headers=self.guard.cache_control(_IMMUTABLE))


@dataclass(frozen=True, slots=True)
class SnapshotEndpoint:
    """GET /revocations/{log}/snapshots/{seq}: every record up to there that is not over."""

    log: LogReader
    guard: FeedGuard

    async def get(self, request: Request) -> Response:
        await self.guard.admit(request)
        Query(request, ())
        snapshot = await self.log.snapshot(request.path_params["log"], _number(request, "seq"))
        first = None if snapshot is None else await self.log.snapshot_part(snapshot.build, 0)
        if snapshot is None or first is None:
            raise NotFound("there is no such snapshot; newer checkpoints name a newer one")
        headers = self.guard.cache_control(_IMMUTABLE)
        return PiecesResponse(self._parts(snapshot, first), snapshot.size, media_type=RECORDS_TYPE, headers=headers)

    async def _parts(self, snapshot: Snapshot, first: bytes) -> AsyncIterator[bytes]:
        """Ends early when the snapshot is dropped meanwhile: the connection is cut, and the reader takes a newer."""
        yield first
        for number in range(1, snapshot.parts):
            part = await self.log.snapshot_part(snapshot.build, number)
            if part is None:
                return
            yield part


def _number(request: Request, name: str) -> int:
    """Written as this server writes it, so that a cache holds it once."""
    text = str(request.path_params[name])
    if not text.isascii() or not text.isdecimal() or len(text) > 15 or text != str(int(text)):
        raise NotFound("there is nothing of this number")
    return int(text)


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


def _instance(field: str, value: object) -> str:
    return text(field, value, longest=200)


def _checkpoint_text(field: str, value: object) -> str:
    return text(field, value, longest=4096)


def _entries(field: str, value: object) -> int:
    return whole_number(field, value, least=0, most=2**53)


_APPLIED: dict[str, Reader] = {"instance": _instance, "checkpoint": _checkpoint_text, "entries": _entries}


@dataclass(frozen=True, slots=True)
class AppliedEndpoint:
    """POST /revocations/applied: a resource server says which checkpoint it has applied."""

    clients: ClientAuthenticator
    reports: AppliedReports

    async def post(self, request: Request) -> Response:
        """204; only for confidential clients, whoever may read."""
        client = await authenticated(self.clients, request)
        fields = read_fields(await read_json(request), _APPLIED)
        required(fields, *_APPLIED)
        caller = caller_of(request)
        report = Report(
            client_id=client.id,
            instance=str(fields["instance"]),
            checkpoint=str(fields["checkpoint"]),
            entries=int(str(fields["entries"])),
            address=caller.address,
            version="".join(filter(str.isprintable, caller.user_agent))[:100] or None,
        )
        try:
            await self.reports.take(report)
        except InvalidToken as error:
            raise InvalidRequest("checkpoint is not one that this issuer signed", detail=error.description) from None
        return Response(status_code=204, headers=NO_STORE)
