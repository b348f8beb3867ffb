"""A reverse proxy that fails as networks, caches and attackers do. It stands at the issuer's URL, before the server.

Unless told otherwise a fault is about the feed alone (`/revocations/…`): introspection and keys are still to be had.
"""

from __future__ import annotations

import http.client
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from tests.servers import free_port

FEED = "/revocations/"
SILENCE = 60.0
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes of a close a reset."""
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    """With its query."""
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def saying(self, body: bytes) -> Answer:
        return replace(self, body=body)


Forward = Callable[[], Answer]
Fault = Callable[[Request, Forward], Answer]
"""Answers in the server's place, which `forward` asks."""
Frames = Callable[[bytes, list[bytes]], Iterable[bytes]]
"""What is sent instead of one frame of the stream (with the empty line that ends it); the list is that stream's own, to
remember what it likes."""
Where = Callable[[Request], bool]
Pieces = queue.SimpleQueue[tuple[float, bytes]]
"""When a frame arrived, and the frame; an empty one is the end."""


def the_feed(request: Request) -> bool:
    return request.path.startswith(FEED)


def everything(request: Request) -> bool:
    return True


def as_it_is(frame: bytes, held: list[bytes]) -> Iterable[bytes]:
    return (frame,)


class FeedProxy:
    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.upstreams: list[int] = []
        """Ports; requests take turns, a stream that is open stays where it is."""
        self.feed_upstream: int | None = None
        """Another server for the feed alone."""
        self.frames: Frames = as_it_is
        self.delay = 0.0
        """Seconds by which all that is sent of the feed is late."""
        self.asked: list[str] = []
        """Paths of all requests, in order."""
        self._faults: list[tuple[Where, Fault]] = []
        self._cut: Where | None = None
        self._frozen: Where | None = None
        self._flowing = threading.Event()
        self._flowing.set()
        self._open: dict[socket.socket, Request | None] = {}
        self._lock = threading.Lock()
        self._turn = 0
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    # -- faults ---------------------------------------------------------------------------------

    @contextmanager
    def cut(self, where: Where = the_feed) -> Iterator[None]:
        """Connections are reset, those that are open and those that are made."""
        with self._lock:
            self._cut = where
            broken = [each for each, request in self._open.items() if request is not None and where(request)]
        for each in broken:
            _reset(each)
        try:
            yield
        finally:
            self._cut = None

    @contextmanager
    def freeze(self, where: Where = the_feed) -> Iterator[None]:
        """Connections stay open, new ones are accepted, and nothing arrives; what was held back comes afterwards."""
        self._frozen = where
        self._flowing.clear()
        try:
            yield
        finally:
            self._frozen = None
            self._flowing.set()

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        self.delay = seconds
        try:
            yield
        finally:
            self.delay = 0.0

    @contextmanager
    def answering(self, fault: Fault, where: Where = the_feed) -> Iterator[None]:
        """`fault` stands between; the last one that was set decides. Streams that are open already are cut off."""
        entry = (where, fault)
        self._faults.append(entry)
        self.cut_off(where)
        try:
            yield
        finally:
            self._faults.remove(entry)

    @contextmanager
    def framing(self, frames: Frames) -> Iterator[None]:
        """The frames of streams, those that are open too, go through `frames`."""
        self.frames = frames
        try:
            yield
        finally:
            self.frames = as_it_is

    @contextmanager
    def feed_from(self, port: int) -> Iterator[None]:
        """Another server has the feed."""
        self.feed_upstream = port
        self.cut_off()
        try:
            yield
        finally:
            self.feed_upstream = None
            self.cut_off()

    def cut_off(self, where: Where = the_feed) -> None:
        """Once; whoever comes again is let in."""
        with self.cut(where):
            pass

    def count(self, part: str) -> int:
        """Requests whose path contains `part`."""
        return sum(part in path for path in list(self.asked))

    def close(self) -> None:
        self._listener.close()
        self._flowing.set()
        with self._lock:
            left = list(self._open)
        for each in left:
            _reset(each)

    # -- one connection ---------------------------------------------------------------------------

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open[connection] = None
        with suppress(OSError, ValueError, http.client.HTTPException):
            connection.settimeout(SILENCE)
            request = _read(connection)
            with self._lock:
                self._open[connection] = request
            self.asked.append(request.path)
            self._answer(connection, request)
        with self._lock:
            del self._open[connection]
        _reset(connection) if self._cut else connection.close()

    def _answer(self, connection: socket.socket, request: Request) -> None:
        if self._cut and self._cut(request):
            return
        fault = next((each for where, each in reversed(self._faults) if where(request)), None)
        if fault is None and request.path.startswith(FEED + "stream"):
            self._relay_stream(connection, request)
            return
        answer = fault(request, lambda: self.forward(request)) if fault else self.forward(request)
        if the_feed(request):
            time.sleep(self.delay)
        self._let_through(request)
        connection.sendall(_written(answer))

    def _let_through(self, request: Request) -> None:
        while self._frozen and self._frozen(request):
            self._flowing.wait(SILENCE)

    # -- the server's side ------------------------------------------------------------------------

    def forward(self, request: Request) -> Answer:
        """The server's answer; 502 where there is none."""
        try:
            with self._upstream(request) as answer:
                return Answer(answer.status, tuple(answer.getheaders()), answer.read())
        except (OSError, http.client.HTTPException):
            return Answer(502, (), b"")

    @contextmanager
    def _upstream(self, request: Request) -> Iterator[http.client.HTTPResponse]:
        self._turn += 1
        port = self.upstreams[self._turn % len(self.upstreams)]
        if self.feed_upstream is not None and the_feed(request):
            port = self.feed_upstream
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SILENCE)
        try:
            headers = {**request.headers, "connection": "close"}
            connection.request(request.method, request.path, request.body or None, headers)
            yield connection.getresponse()
        finally:
            connection.close()

    def _relay_stream(self, connection: socket.socket, request: Request) -> None:
        with self._upstream(request) as answer:
            if answer.status != 200:
                connection.sendall(_written(Answer(answer.status, tuple(answer.getheaders()), answer.read())))
                return
            connection.sendall(_head(answer.status, answer.getheaders(), "transfer-encoding: chunked"))
            pieces: Pieces = queue.SimpleQueue()
            sender = threading.Thread(target=self._send_frames, args=(connection, request, pieces), daemon=True)
            sender.start()
            for frame in _frames_of(answer):
                pieces.put((time.monotonic(), frame))
                if not sender.is_alive():
                    return
            pieces.put((time.monotonic(), b""))
            sender.join(SILENCE)

    def _send_frames(self, connection: socket.socket, request: Request, pieces: Pieces) -> None:
        """In a thread of its own, so that what is late is no later than it should be. Ends with the reader."""
        held: list[bytes] = []
        with suppress(OSError):
            while True:
                arrived, frame = pieces.get()
                time.sleep(max(0.0, arrived + self.delay - time.monotonic()))
                self._let_through(request)
                if not frame:
                    break  # without the last chunk: cut off, as by a server that died
                for each in self.frames(frame, held):
                    connection.sendall(b"%x\r\n%b\r\n" % (len(each), each))
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _frames_of(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Until the server, or the reader behind us, is gone."""
    held = b""
    with suppress(OSError, http.client.HTTPException, ValueError):
        while piece := answer.read1(65_536):
            *frames, held = (held + piece).split(b"\n\n")
            yield from (frame + b"\n\n" for frame in frames)


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _read(connection: socket.socket) -> Request:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65_536)
        if not piece:
            raise ConnectionError("gone before it asked")
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.pop("content-length", "0"))
    while len(body) < length:
        body += connection.recv(65_536)
    return Request(method, path, headers, body)


def _head(status: int, headers: Iterable[tuple[str, str]], *more: str) -> bytes:
    kept = [f"{name}: {value}" for name, value in headers if name.lower() not in HOP_BY_HOP]
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *kept, *more, "connection: close", "", ""]).encode("latin-1")


def _written(answer: Answer) -> bytes:
    return _head(answer.status, answer.headers, f"content-length: {len(answer.body)}") + answer.body
