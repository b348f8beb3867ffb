"""A raw reader of `/revocations/stream`: no verifier, no signatures, as little work as possible for each event."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import Any, cast

import httptools

REV, CP = b"event: rev\n", b"event: cp\n"


class Stream(asyncio.Protocol):
    """One connection; counts records, and tells of checkpoints."""

    def __init__(self, request: bytes, covered: Callable[[Stream, bytes], None]) -> None:
        """`covered` is called with the events that came together, when the last of them is a checkpoint."""
        self._request, self._covered = request, covered
        self._parser = httptools.HttpResponseParser(self)
        self._rest = b""
        self.transport: asyncio.Transport | None = None
        self.status = 0
        self.records = 0
        self.lost = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is one in deed, not by inheritance.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    # httptools callbacks

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        """Refused, or ended in good order: then the connection would stay open without a stream."""
        if self.transport is not None:
            self.transport.abort()

    def on_body(self, body: bytes) -> None:
        data = self._rest + body if self._rest else body
        end = data.rfind(b"\n\n") + 2
        if end == 1:
            self._rest = data
            return
        events, self._rest = data[:end], data[end:]
        self.records += events.count(REV)
        if events.rfind(CP) > events.rfind(REV):
            self._covered(self, events)


def stream_request(port: int, headers: Mapping[str, str]) -> bytes:
    head = ["GET /revocations/stream HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: text/event-stream"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode()


async def connect(port: int, headers: Mapping[str, str], covered: Callable[[Stream, bytes], None]) -> Stream:
    make = partial(Stream, stream_request(port, headers), covered)
    _, stream = await asyncio.get_running_loop().create_connection(make, "127.0.0.1", port)
    return stream


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time."""
    deadline = monotonic() + seconds
    while not condition() and monotonic() < deadline:  # noqa: ASYNC110 - many streams would set an event very often
        await asyncio.sleep(0.005)
    return condition()


def last_checkpoint(events: bytes) -> dict[str, Any]:
    """The claims of the last checkpoint in `events`; its signature is not looked at."""
    start = events.index(b"data: ", events.rfind(CP)) + len(b"data: ")
    return claims_of(events[start : events.index(b"\n", start)])


def claims_of(token: bytes) -> dict[str, Any]:
    payload = token.split(b".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    return claims
