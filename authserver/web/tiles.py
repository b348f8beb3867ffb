"""The revocation feed over HTTP, as far as it stands still: tiles and snapshots, which caches may keep.

Snapshots and old tiles come from the database, recent tiles from memory.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from authserver.model.errors import NotFound
from authserver.model.log import Snapshot
from authserver.web.feed_guard import FeedGuard
from authserver.web.pieces import PiecesResponse
from authserver.web.query import Query

RECORDS_TYPE = "application/x-ndjson"
_LOG_ID = re.compile(r"[0-9a-f]{16}")
_IMMUTABLE = "max-age=31536000, immutable"


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
        body = await self.tiles.tile(_log(request), _number(request, "n"))
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
        snapshot = await self.log.snapshot(_log(request), _number(request, "seq"))
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


def _log(request: Request) -> str:
    """Only what could be the id of a log is worth a look at the database, which takes no other text for one."""
    log: str = request.path_params["log"]
    if not _LOG_ID.fullmatch(log):
        raise NotFound("there is no such log")
    return log


def _number(request: Request, name: str) -> int:
    """Written as this server writes it, so that a cache holds it once."""
    text = str(request.path_params[name])
    if not text.isascii() or not text.isdecimal() or len(text) > 15 or text != str(int(text)):
        raise NotFound("there is nothing of this number")
    return int(text)
