"""A connection for `httptransport`: the standard library's, with an end to everything.

http.client's own timeout is per read, so that a server which sends a byte now and then holds a reader for ever. Here
each exchange has a budget, and another thread can end it.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast
from urllib.parse import SplitResult

from .transport import TimedOut, TransportError

T = TypeVar("T")
PIECE = 65536


class Budget:
    """Until when an exchange may go on, and for how long it may be silent; both in seconds."""

    def __init__(self, timeout: float, deadline: float | None) -> None:
        self.timeout = timeout
        self.end = None if deadline is None else time.monotonic() + deadline

    def seconds(self) -> float:
        """How long the next step may take; raises TimeoutError when nothing is left."""
        left = self.timeout if self.end is None else min(self.timeout, self.end - time.monotonic())
        if left <= 0:
            raise TimeoutError("deadline")
        return left


class Wire(io.RawIOBase):
    """A socket as http.client uses it: what it writes to, and the file it reads from. Closing it is left to `end`."""

    def __init__(self, sock: socket.socket, budget: Budget) -> None:
        self.sock, self.budget = sock, budget

    def sendall(self, data: Any) -> None:
        self.sock.settimeout(self.budget.seconds())
        self.sock.sendall(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.sock.settimeout(self.budget.seconds())
        return self.sock.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(Wire(self.sock, self.budget), PIECE)


class Connection(http.client.HTTPConnection):
    """To one origin, for one exchange after the other."""

    def __init__(self, parts: SplitResult, context: ssl.SSLContext | None, budget: Budget) -> None:
        super().__init__(cast("str", parts.hostname), parts.port or (443 if context else 80))
        self.origin = (parts.scheme, parts.netloc)
        self.budget = budget
        self.idle_since = 0.0
        self._context = context
        self._live: socket.socket | None = None

    def connect(self) -> None:
        sock: socket.socket = socket.create_connection((self.host, self.port), self.budget.seconds())
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                sock.settimeout(self.budget.seconds())
                sock = self._context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise
        self._live = sock
        # http.client calls nothing of it that Wire does not have.
        self.sock = cast("socket.socket", Wire(sock, self.budget))

    def renew(self, budget: Budget) -> None:
        """For the next exchange."""
        self.budget = budget
        if self.sock is not None:
            cast("Wire", self.sock).budget = budget

    def interrupt(self) -> None:
        """Wakes whoever reads or writes, in any thread; closing alone would not."""
        if self._live is not None:
            with contextlib.suppress(OSError):  # gone already
                # Not SSLSocket.shutdown: that would take the cipher's state away under the reader's hands.
                socket.socket.shutdown(self._live, socket.SHUT_RDWR)

    def end(self) -> None:
        """Without a word to the other side: after a fork the connection is the parent's."""
        self.close()
        if self._live is not None:
            self._live.close()


def translated(act: Callable[[], T]) -> T:
    """What `act` returns; everything that networks and servers do wrong is a TransportError."""
    try:
        return act()
    except TransportError:
        raise
    except TimeoutError as error:
        raise TimedOut("no answer in time") from error
    except OSError as error:
        raise TransportError(f"{type(error).__name__}: {error.strerror or error}") from error
    except (http.client.HTTPException, ValueError) as error:
        raise TransportError(f"not understood ({type(error).__name__})") from error
