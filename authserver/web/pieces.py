"""Large bodies in pieces, so that a reader that does not read holds one piece of our memory and not the whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from authserver.web.connection import Connection, under

PIECE = 65_536


class PiecesResponse(Response):
    """Of a known length, from parts of any size; fewer bytes than announced cut the connection."""

    def __init__(
        self, parts: AsyncIterator[bytes], length: int, *, media_type: str, headers: Mapping[str, str]
    ) -> None:
        super().__init__(media_type=media_type, headers={**headers, "Content-Length": str(length)})
        self._parts = parts
        self._length = length

    @classmethod
    def of(cls, body: bytes, *, media_type: str, headers: Mapping[str, str]) -> Response:
        """An ordinary answer if it is small."""
        if len(body) <= PIECE:
            return Response(body, media_type=media_type, headers=dict(headers))
        return cls(_one(body), len(body), media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD" and not await self._all_sent(under(scope), send):
            return
        await send({"type": "http.response.body", "body": b""})

    async def _all_sent(self, connection: Connection | None, send: Send) -> bool:
        sent = 0
        async for part in self._parts:
            for start in range(0, len(part), PIECE):
                if connection is not None and connection.is_gone:
                    return False
                piece = part[start : start + PIECE]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                sent += len(piece)
        if sent < self._length and connection is not None:
            connection.abort()
        return sent == self._length


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body
