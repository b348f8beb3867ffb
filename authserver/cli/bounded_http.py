"""HTTP/1.1 as uvicorn speaks it, with limits on what a caller may send and on how long it may take, both ways.

Neither uvicorn nor httptools has such limits: a caller could send headers until the memory is used up, hold a
connection with half a request for ever, or ask for much and read nothing. A request that comes in one piece, as
nearly all do, needs no timer. Answers that go on for as long as the caller likes find the connection in the scope.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sized
from enum import Enum
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from authserver.cli.joined_writes import JoinedWrites
from authserver.cli.reading_peers import ReadingPeer

HEAD_BYTES = 16_384
"""A head of this size is always taken, one of three times this size never: its first and last piece are not counted."""


class _OneAtATime(FlowControl):
    """Reads nothing more while requests that were sent ahead wait for their turn.

    uvicorn reads on after each answer, so that somebody who sends faster than we answer fills our memory with requests.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class _Stage(Enum):
    BETWEEN = "between two requests"
    HEAD = "request line and headers"
    BODY = "body"


class BoundedHttp(HttpToolsProtocol):
    def __init__(self, *arguments: Any, request_timeout: float, **named: Any) -> None:
        """`request_timeout`: seconds that a head may take, and after it a body, and to read some of a full buffer."""
        super().__init__(*arguments, **named)
        self._request_timeout = request_timeout
        self._stage = _Stage.BETWEEN
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._peer: ReadingPeer | None = None
        self._answering: RequestResponseCycle | None = None
        """Whose answer is on its way; with requests sent ahead it is not the newest."""
        self._leaving = False
        self._on_end: Callable[[], object] | None = None
        self._on_room: Callable[[], None] | None = None

    # -- the connection -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        self._peer = peer = ReadingPeer(transport, self.loop, self._request_timeout)
        super().connection_made(cast(asyncio.Transport, JoinedWrites(transport, self.loop, peer.watch)))
        self.flow = _OneAtATime(self.transport, self.pipeline)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        super().connection_lost(exc)
        if self._answering is not None:  # uvicorn tells the newest request alone
            self._answering.disconnected = True
            self._answering.message_event.set()
        if self._peer is not None:
            self._peer.rest()
        self._end()

    def shutdown(self) -> None:
        """The server leaves: an answer in progress may be finished, one without an end ends here."""
        super().shutdown()
        self._leaving = True
        if self._answering is not None:
            self._answering.keep_alive = False
        self._end()

    def data_received(self, data: bytes) -> None:
        if len(data) <= HEAD_BYTES:
            self._piece_received(data)
            return
        for start in range(0, len(data), HEAD_BYTES):
            if self.transport.is_closing():
                return
            self._piece_received(data[start : start + HEAD_BYTES])

    def _piece_received(self, piece: bytes) -> None:
        before = self._stage
        super().data_received(piece)
        if self._stage is _Stage.HEAD and before is _Stage.HEAD:
            self._head_bytes += len(piece)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too large")
        if self._deadline is None and self._is_owed_more():
            self._start_deadline()

    def _is_owed_more(self) -> bool:
        """Whether the caller has to go on: a request has begun, or there were bytes that are none (empty lines)."""
        return self._stage is not _Stage.BETWEEN or self.cycle is None or self.cycle.response_complete

    # -- what the parser meets ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._stage, self._head_bytes = _Stage.HEAD, 0
        super().on_message_begin()
        self.scope["connection"] = self  # type: ignore[typeddict-unknown-key]  # ours, beside ASGI's members

    def on_headers_complete(self) -> None:
        self._stage = _Stage.BODY
        self._stop_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stage = _Stage.BETWEEN
        self._stop_deadline()
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self.flow.resume_reading()  # the last of those that waited has its turn

    # -- for answers that go on (web.connection.Connection) -------------------------------------

    def watch(self, on_end: Callable[[], object], on_room: Callable[[], None]) -> None:
        """`on_end` is called, once or more, when the caller is gone or the server leaves (at once, if that was before);
        `on_room` when a full buffer has emptied."""
        self._on_end, self._on_room = on_end, on_room
        if self.is_over:
            on_end()

    def unwatch(self) -> None:
        self._on_end = self._on_room = None

    @property
    def is_over(self) -> bool:
        return self._leaving or self.is_gone

    @property
    def is_gone(self) -> bool:
        return self.transport.is_closing()

    @property
    def is_full(self) -> bool:
        return self.flow.write_paused

    def write(self, data: bytes) -> None:
        """Bytes of the answer as they go over the line; shared with other connections, never copied."""
        cast(JoinedWrites, self.transport).write_alone(data)

    def abort(self) -> None:
        self.transport.abort()

    def _end(self) -> None:
        if self._on_end is not None:
            self._on_end()

    # -- reading --------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._peer is not None:
            self._peer.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._peer is not None and not self.transport.is_closing():
            self._peer.rest()
        if self._on_room is not None:
            self._on_room()

    # -- time -----------------------------------------------------------------------------------

    def _start_deadline(self) -> None:
        self._deadline = self.loop.call_later(self._request_timeout, self._too_late)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.flow.read_paused:  # it is we who do not read: requests sent ahead wait for their turn
            self._start_deadline()
        elif self._stage is _Stage.BETWEEN:
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request took too long to arrive")

    def _refuse(self, status: HTTPStatus, description: str) -> None:
        """Answer, unless another answer is on its way or was given already, and close."""
        if self.transport.is_closing():
            return
        if self._may_answer():
            self.transport.write(_answer(status, description))
        if self.cycle is not None:  # whoever waits for the body learns that the caller is gone
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _may_answer(self) -> bool:
        if self._stage is _Stage.HEAD:
            return self.cycle is None or self.cycle.response_complete
        return not self.cycle.response_started


def _answer(status: HTTPStatus, description: str) -> bytes:
    body = json.dumps({"error": "invalid_request", "error_description": description}).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
