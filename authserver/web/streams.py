"""GET /revocations/stream: Server-Sent Events, the same bytes for every reader.

A change is serialised once and written to each connection; nobody's pace holds up anybody else. A reader whose buffer
is full is passed over and goes on from memory once it has room; who has fallen behind what memory holds is cut off.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from authserver.revocation.feed import Feed, FeedState
from authserver.web.connection import Connection, ended, under

SILENT_SECONDS = 3.0
"""A server that has not reached its database for so long ends its streams: another one may have."""
LOOK_SECONDS = 0.5
PIECE_RECORDS = 400
"""Some 64 kB: what a connection's buffer takes before it is full."""
SLICE = 100
"""Readers that are served before other requests get their turn."""
SHARED_PIECES = 64
"""Nearly all readers stand at the same place; a piece for one that does not is not worth keeping."""

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


class Reader:
    """One stream: where it stands, and how it is written to."""

    __slots__ = ("connection", "is_cut", "log", "over", "seq", "shown", "woken")

    def __init__(self, log: str, seq: int, over: asyncio.Event, connection: Connection | None) -> None:
        self.log = log
        self.seq = seq
        self.shown: FeedState | None = None
        """The state whose checkpoint it has."""
        self.over = over
        self.connection = connection
        self.woken = asyncio.Event()
        self.is_cut = False

    def cut(self) -> None:
        """It cannot be served any more. Without a connection of ours, its own task finds out."""
        self.is_cut = True
        self.over.set()
        self.woken.set()
        if self.connection is not None:
            self.connection.abort()


class Streams:
    """Every open stream of this process."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._readers: set[Reader] = set()
        self._due: deque[Reader] = deque()
        self._watching: asyncio.TimerHandle | None = None
        self._pieces: dict[tuple[str, int], tuple[bytes, int]] = {}
        self._pieces_of: FeedState | None = None
        feed.listen(self._changed)

    def __len__(self) -> int:
        return len(self._readers)

    # -- who reads ------------------------------------------------------------------------------

    def join(self, reader: Reader) -> None:
        self._readers.add(reader)
        if self._watching is None:
            self._watching = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def leave(self, reader: Reader) -> None:
        self._readers.discard(reader)

    def _look(self) -> None:
        """End what a silent server would only seem to serve; those who connect again may meet another one."""
        self._watching = None
        if self.feed.silence > SILENT_SECONDS:
            for reader in self._readers:
                reader.over.set()
                reader.woken.set()
        elif self._readers:
            self._watching = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    # -- what there is to read ------------------------------------------------------------------

    def _changed(self) -> None:
        if self.feed.state is None:
            return
        begun = bool(self._due)
        self._due = deque(self._readers)
        if not begun:
            self._serve()

    def _serve(self) -> None:
        for _ in range(min(SLICE, len(self._due))):
            reader = self._due.popleft()
            if reader.connection is None:
                reader.woken.set()
            else:
                self.serve(reader, reader.connection)
        if self._due:
            asyncio.get_running_loop().call_soon(self._serve)

    def serve(self, reader: Reader, connection: Connection) -> None:
        """Write what it lacks, as long as there is room."""
        while not (reader.over.is_set() or connection.is_full):
            piece = self.next_for(reader)
            if not piece:
                return
            connection.write(piece)

    def next_for(self, reader: Reader) -> bytes:
        """The next piece in chunked form, and the reader moved behind it; empty when it lacks nothing, or is cut."""
        state = self.feed.state
        if state is None or reader.shown is state:
            return b""
        piece, seq = self._shared_piece(state, reader)
        if not piece:
            reader.cut()
            return b""
        reader.log, reader.seq = state.log, seq
        if seq == state.seq:
            reader.shown = state
        return piece

    def _shared_piece(self, state: FeedState, reader: Reader) -> tuple[bytes, int]:
        if state is not self._pieces_of:
            self._pieces, self._pieces_of = {}, state
        known = self._pieces.get((reader.log, reader.seq))
        if known is None:
            known = self._piece(state, reader)
            if len(self._pieces) < SHARED_PIECES:
                self._pieces[reader.log, reader.seq] = known
        return known

    def _piece(self, state: FeedState, reader: Reader) -> tuple[bytes, int]:
        """And the sequence number that it leads up to. Empty for a reader that memory has left behind."""
        if reader.log != state.log or reader.seq > state.seq:
            return _chunk(_reset(state) + _checkpoint(state)), state.seq
        first, last = reader.seq + 1, min(reader.seq + PIECE_RECORDS, state.seq)
        if first < self.feed.first:
            return b"", reader.seq
        records = [_record(state.log, n, line) for n, line in enumerate(self.feed.lines(first, last), first)]
        if last == state.seq:
            records.append(_checkpoint(state))
        return _chunk(b"".join(records)), last


def _record(log: str, seq: int, line: bytes) -> bytes:
    return b"id: %b.%d\nevent: rev\ndata: %b\n\n" % (log.encode(), seq, line)


def _checkpoint(state: FeedState) -> bytes:
    return b"event: cp\ndata: %b\n\n" % state.checkpoint


def _reset(state: FeedState) -> bytes:
    where = json.dumps({"log": state.log, "seq": state.seq}, separators=(",", ":")).encode()
    return b"id: %b.%d\nevent: reset\ndata: %b\n\n" % (state.log.encode(), state.seq, where)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _unchunked(chunk: bytes) -> bytes:
    return chunk[chunk.index(b"\n") + 1 : -2]


class StreamResponse(Response):
    """The answer to one reader. `after`: log and sequence number to go on after, if it named one that can be."""

    def __init__(self, streams: Streams, after: tuple[str, int] | None) -> None:
        super().__init__()
        self._streams = streams
        self._after = after or ("", 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        async with ended(scope, receive) as over:
            reader = Reader(*self._after, over, under(scope))
            self._streams.join(reader)
            try:
                await self._until_over(reader, send)
            finally:
                over.set()
                self._streams.leave(reader)
        if not reader.is_cut:
            await send({"type": "http.response.body", "body": b""})

    async def _until_over(self, reader: Reader, send: Send) -> None:
        connection = reader.connection
        if connection is not None:
            connection.watch(reader.over.set, lambda: self._streams.serve(reader, connection))
            self._streams.serve(reader, connection)
            await reader.over.wait()
            return
        while not reader.over.is_set():
            while piece := self._streams.next_for(reader):
                await send({"type": "http.response.body", "body": _unchunked(piece), "more_body": True})
            reader.woken.clear()
            await _first(reader.woken, reader.over)


async def _first(*events: asyncio.Event) -> None:
    """Returns when one of them is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
