"""Reading Server-Sent Events from an ASGI app, event by event: httpx would wait for the end of the answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message


class Event(NamedTuple):
    name: str
    id: str
    data: str

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.data))


class Stream:
    """One request in progress. `status` and `headers` are there once it is open."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.ended = asyncio.Event()
        self.begun = asyncio.Event()
        self._grown = asyncio.Event()
        self._read = 0
        self.gone = asyncio.Event()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self.begun.set()
            return
        self.body += message.get("body", b"")
        self._grown.set()
        if not message.get("more_body"):
            self.ended.set()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def next(self, seconds: float = 5) -> Event:
        """The next event; TimeoutError if there is none in time."""
        async with asyncio.timeout(seconds):
            while b"\n\n" not in self.body[self._read :]:
                self._grown.clear()
                await self._grown.wait()
        end = self.body.index(b"\n\n", self._read)
        fields = dict(line.split(": ", 1) for line in self.body[self._read : end].decode().split("\n"))
        self._read = end + 2
        return Event(fields["event"], fields.get("id", ""), fields["data"])

    async def until(self, name: str) -> list[Event]:
        """Events up to the next one of this name, which is the last."""
        events = [await self.next()]
        while events[-1].name != name:
            events.append(await self.next())
        return events


@asynccontextmanager
async def reading(
    app: ASGIApp, path: str, *, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> AsyncIterator[Stream]:
    """A GET whose answer is read while it goes on; the reader goes away at the end."""
    stream = Stream()
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": ("192.0.2.7", 40000),
        "scheme": "http",
        "root_path": "",
    }
    task = asyncio.create_task(_call(app, scope, stream))
    try:
        await asyncio.wait({task, begun := asyncio.create_task(stream.begun.wait())}, return_when="FIRST_COMPLETED")
        begun.cancel()
        if task.done():
            task.result()
        yield stream
    finally:
        stream.gone.set()
        await asyncio.wait_for(task, 5)


async def _call(app: ASGIApp, scope: dict[str, Any], stream: Stream) -> None:
    await app(scope, stream.receive, stream.send)
