"""Ways to the fake issuer: none at all (memory), or real HTTP on the loopback. For `testing`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from .testing_site import Reply, Site
from .transport import SILENCE, Download, Response, TransportClosed, TransportError


class Closing:
    """A with-statement that closes at its end."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MemoryTransport:
    """A `Transport` that asks the fake issuer directly."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._downloads: list[MemoryDownload] = []
        self._closed = False

    def get(
        self, url: str, *, limit: int, headers: Mapping[str, str] = {}, timeout: float = SILENCE, deadline: float = 10.0
    ) -> Response:
        path, query = self._reach(url)
        return self._response(path, self._site.get(path, query, _lower(headers)))

    def post(
        self,
        url: str,
        body: bytes,
        *,
        limit: int,
        headers: Mapping[str, str] = {},
        timeout: float = SILENCE,
        deadline: float = 10.0,
    ) -> Response:
        path, _ = self._reach(url)
        return self._response(path, self._site.post(path, body, _lower(headers)))

    def open(
        self, url: str, *, headers: Mapping[str, str] = {}, timeout: float = SILENCE, deadline: float | None = None
    ) -> Download:
        path, query = self._reach(url)
        if path == "/revocations/stream":
            made = MemoryDownload(200, self._site, self._site.stream(_lower(headers)))
        else:
            reply = self._site.get(path, query, _lower(headers))
            made = MemoryDownload(reply.status, self._site, iter([reply.body]))
        self._downloads = [*(each for each in self._downloads if not each.closed), made]
        return made

    def close(self) -> None:
        self._closed = True
        for download in self._downloads:
            download.close()

    def _reach(self, url: str) -> tuple[str, str]:
        parts = urlsplit(url)
        if self._closed:
            raise TransportClosed("closed")
        if not self._site.reaches(parts.path):
            raise TransportError("the fake issuer is cut off")
        return parts.path, parts.query

    def _response(self, path: str, reply: Reply) -> Response:
        if not self._site.reaches(path):  # cut off while it was answering
            raise TransportError("the fake issuer is cut off")
        return Response(reply.status, {"content-type": reply.content_type}, reply.body)


class MemoryDownload(Closing):
    """An answer that is read while it is made."""

    def __init__(self, status: int, site: Site, pieces: Iterator[bytes]) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {"content-type": "text/event-stream"}
        self.closed = False
        self._site = site
        self._pieces = pieces

    def pieces(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if self.closed:
                raise TransportClosed("closed")
            if piece:
                yield piece
        if self._site.is_cut:
            raise TransportError("the fake issuer is cut off")

    def close(self) -> None:
        self.closed = True
        self._site.wake()


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class LoopbackServer:
    """The fake issuer on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self, site: Site) -> None:
        self._http.site = site  # type: ignore[attr-defined]  # what the handlers find their answers in
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True, name="fake-issuer").start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    @property
    def _site(self) -> Site:
        site: Site = self.server.site  # type: ignore[attr-defined]  # put there by LoopbackServer
        return site

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if not self._site.reaches(path):
            return
        if path == "/revocations/stream":
            self._stream()
        else:
            self._answer(self._site.get(path, query, _lower(dict(self.headers))))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self._site.reaches(self.path):
            self._answer(self._site.post(self.path, body, _lower(dict(self.headers))))

    def _stream(self) -> None:
        self._head(200, "text/event-stream")
        with suppress(OSError):  # the reader has left
            for piece in self._site.stream(_lower(dict(self.headers))):
                self.wfile.write(piece)

    def _answer(self, reply: Reply) -> None:
        self._head(reply.status, reply.content_type, len(reply.body))
        self.wfile.write(reply.body)

    def _head(self, status: int, content_type: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Tests have their own output."""
