"""HttpTransport: HTTP/1.1 by the standard library, with the bounds that a follower needs.

Nothing is redirected or decompressed, and no environment variable (a proxy) is listened to.
"""

from __future__ import annotations

import http.client
import os
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, TracebackType
from typing import Self

from .transport import SILENCE, Response, TooLarge, TransportClosed, TransportError, checked_url
from .wire import PIECE, Budget, Connection, translated

_IDLE_CONNECTIONS = 8
_FRESH_FOR = 20.0
"""Seconds that an idle connection is used again for; most servers close theirs after more."""
_NONE: Mapping[str, str] = MappingProxyType({})


class HttpDownload:
    """One answer while it is read. Its connection is used again only if it was read to its end."""

    def __init__(self, connection: Connection, answer: http.client.HTTPResponse, done: Callable[[bool], None]) -> None:
        self._connection, self._answer, self._done = connection, answer, done
        self._complete = self._closed = False
        self.status = answer.status
        self.framed = answer.length is not None or answer.chunked
        """Whether its end is marked by more than the connection's."""
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in answer.getheaders()}

    def pieces(self) -> Iterator[bytes]:
        announced, received = self._answer.length, 0
        while received != announced and (piece := translated(lambda: self._answer.read1(PIECE))):
            received += len(piece)
            yield piece
        if self._closed:
            raise TransportClosed("closed")
        if announced is not None and received != announced:
            raise TransportError("the answer was cut off")
        self._complete = not self._answer.will_close

    def close(self) -> None:
        self._closed = True
        self._connection.interrupt()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answer.close()
        self._done(self._complete and not self._closed)


HEAD_SECONDS = 10.0
"""For the head of an answer whose body may go on for ever: a byte of it now and then is no progress."""


class HttpTransport:
    """See `transport.Transport`. Survives a fork: a child leaves its parent's connections alone."""

    def __init__(self, context: ssl.SSLContext | None = None, user_agent: str = "authserver-verifier") -> None:
        """`context`: for https; None stands for the system's authorities."""
        self._context, self._agent = context, user_agent
        self._closed = False
        self._pid = os.getpid()
        # No locks, which a fork could leave locked: each of these is changed in single steps.
        self._idle: deque[Connection] = deque()
        self._busy: set[Connection] = set()

    def get(
        self,
        url: str,
        *,
        limit: int,
        headers: Mapping[str, str] = _NONE,
        timeout: float = SILENCE,
        deadline: float = 10.0,
    ) -> Response:
        return self._whole("GET", url, None, headers, limit, Budget(timeout, deadline))

    def post(
        self,
        url: str,
        body: bytes,
        *,
        limit: int,
        headers: Mapping[str, str] = _NONE,
        timeout: float = SILENCE,
        deadline: float = 10.0,
    ) -> Response:
        return self._whole("POST", url, body, headers, limit, Budget(timeout, deadline))

    def open(
        self, url: str, *, headers: Mapping[str, str] = _NONE, timeout: float = SILENCE, deadline: float | None = None
    ) -> HttpDownload:
        budget = Budget(timeout, HEAD_SECONDS if deadline is None else deadline)
        download = self._exchange("GET", url, None, headers, budget)
        if deadline is None:
            budget.end = None
        return download

    def close(self) -> None:
        self._closed = True
        if self._pid == os.getpid():  # shutting them down in a child would end them for its parent, too
            for connection in list(self._busy):
                connection.interrupt()
        self._drop_idle()

    def _whole(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], limit: int, budget: Budget
    ) -> Response:
        with self._exchange(method, url, body, headers, budget) as answer:
            if not answer.framed:
                raise TransportError("an answer without a marked end, which could be cut without being noticed")
            return Response(answer.status, answer.headers, within(limit, answer.pieces()))

    def _exchange(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], budget: Budget
    ) -> HttpDownload:
        parts = translated(lambda: checked_url(url))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        given = {"Accept-Encoding": "identity", "User-Agent": self._agent, **headers}
        origin = (parts.scheme, parts.netloc)
        while (connection := self._waiting(origin)) is not None:
            try:
                return translated(lambda: self._ask(connection, budget, method, target, body, given))
            except TransportError as error:
                # Its server may have closed it just now, which is no failure of this request.
                if not isinstance(error.__cause__, ConnectionError):
                    raise
        fresh = Connection(parts, self._tls() if parts.scheme == "https" else None, budget)
        return translated(lambda: self._ask(fresh, budget, method, target, body, given))

    def _ask(
        self,
        connection: Connection,
        budget: Budget,
        method: str,
        target: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> HttpDownload:
        self._busy.add(connection)
        try:
            connection.renew(budget)
            connection.request(method, target, body, headers)
            if self._closed:  # `close` may have come before there was a socket to end
                raise TransportClosed("closed")
            answer = _acceptable(connection.getresponse())
        except BaseException:
            self._release(connection, False)
            raise
        return HttpDownload(connection, answer, lambda usable: self._release(connection, usable))

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context()
        return self._context

    def _waiting(self, origin: tuple[str, str]) -> Connection | None:
        """An idle connection that its server has most likely not closed yet; others are let go on the way."""
        if self._closed:
            raise TransportClosed("closed")
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._drop_idle()
            self._busy = set()
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if connection.origin == origin and time.monotonic() - connection.idle_since < _FRESH_FOR:
                return connection
            connection.end()
        return None

    def _release(self, connection: Connection, usable: bool) -> None:
        self._busy.discard(connection)
        if usable and not self._closed and len(self._idle) < _IDLE_CONNECTIONS:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            connection.end()

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().end()


def within(limit: int, pieces: Iterator[bytes]) -> bytes:
    """All of them; raises TooLarge as soon as they are more than `limit` bytes."""
    kept, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise TooLarge(f"more than {limit} bytes")
        kept.append(piece)
    return b"".join(kept)


def _acceptable(answer: http.client.HTTPResponse) -> http.client.HTTPResponse:
    if 300 <= answer.status < 400 and answer.status != 304:
        raise TransportError(f"redirects are not followed (status {answer.status})")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise TransportError("a compressed answer, which was not asked for")
    return answer
