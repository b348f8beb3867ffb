"""A server that says exactly the bytes it is told to, for what no well-behaved server says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Caller:
    """One connection, seen from the server."""

    def __init__(self, sock: socket.socket, leaving: threading.Event) -> None:
        self.sock, self.leaving = sock, leaving

    def request(self) -> bytes:
        """The next request with its body; empty when the other side has gone."""
        received = b""
        while b"\r\n\r\n" not in received:
            if not (piece := self.sock.recv(65536)):
                return b""
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        while len(body) < sum(lengths):
            body += self.sock.recv(65536)
        return head + b"\r\n\r\n" + body

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, body: bytes = b"", *headers: str, status: str = "200 OK") -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        self.say("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def trickle(self, data: bytes, pause: float = 0.02) -> None:
        """Byte after byte, until the test is over."""
        for i in range(len(data)):
            self.say(data[i : i + 1])
            if self.leaving.wait(pause):
                return

    def wait(self) -> None:
        """Say nothing, until the test is over."""
        self.leaving.wait(20)


class RawServer:
    """`behave(caller)` is run for each connection, on a thread of its own."""

    def __init__(self, behave: Callable[[Caller], None], context: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.connections = 0
        self._leaving = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._context = context
        self._callers: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._callers.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            served = self._context.wrap_socket(sock, server_side=True) if self._context else sock
            with served:
                self.behave(Caller(served, self._leaving))
        except OSError:
            return  # the client has gone: often the very thing that is tested
        finally:
            sock.close()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for sock in self._callers:
            with contextlib.suppress(OSError):  # closed already
                socket.socket.shutdown(sock, socket.SHUT_RD)
        for thread in self._threads:
            thread.join(5)
