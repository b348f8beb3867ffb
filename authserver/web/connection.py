"""The connection under a request, for answers that go on for as long as the caller likes.

`authserver serve` puts it into the scope. Under another ASGI server there is none, and `of` makes one from what every
server has: it costs a task per request, and such an answer ends at shutdown only when that server cuts it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from starlette.types import Receive, Scope


class Connection(Protocol):
    def watch(self, on_end: Callable[[], object], on_room: Callable[[], None]) -> None:
        """`on_end` is called, once or more, when the caller is gone or the server leaves (at once, if that was before);
        `on_room` when a full buffer has emptied."""
        ...

    def unwatch(self) -> None: ...

    @property
    def is_over(self) -> bool:
        """The caller is gone or the server leaves."""
        ...

    @property
    def is_gone(self) -> bool:
        """Nothing reaches the caller any more."""
        ...

    @property
    def is_full(self) -> bool:
        """What was written before has yet to be read by the caller; whoever goes on fills our memory."""
        ...

    def write(self, data: bytes) -> None:
        """Bytes as they go over the line, in the form of HTTP/1.1 (RFC 9112 section 7.1: chunks)."""
        ...

    def abort(self) -> None: ...


def under(scope: Scope) -> Connection | None:
    found: Connection | None = scope.get("connection")
    return found


@asynccontextmanager
async def ended(scope: Scope, receive: Receive) -> AsyncIterator[asyncio.Event]:
    """An event that is set once the caller is gone or the server leaves."""
    event = asyncio.Event()
    connection = under(scope)
    if connection is not None:
        connection.watch(event.set, _nothing)
        try:
            yield event
        finally:
            connection.unwatch()
        return
    watching = asyncio.create_task(_until_gone(receive, event))
    try:
        yield event
    finally:
        watching.cancel()


async def _until_gone(receive: Receive, event: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    event.set()


def _nothing() -> None:
    return None
