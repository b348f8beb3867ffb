"""The pages of interop/spa on an origin of their own, over TLS."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parent / "spa"
TYPES = {".js": "text/javascript", ".html": "text/html"}


class Application:
    """`given` may be filled until a page of it is opened."""

    def __init__(self, library: Path, certificate: Path, key: Path) -> None:
        self.given: dict[str, Any] = {}
        files = {path.name: path for path in (*PAGES.iterdir(), library)}
        application = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.partition("?")[0].lstrip("/")
                if name == "given.js":
                    return self._say(f"const given = {json.dumps(application.given)}".encode(), TYPES[".js"])
                path = files.get(name, PAGES / "index.html")
                return self._say(path.read_bytes(), TYPES[path.suffix])

            def _say(self, body: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])


@contextmanager
def serving_pages(library: Path, certificate: Path, key: Path) -> Iterator[Application]:
    application = Application(library, certificate, key)
    thread = threading.Thread(target=application.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield application
    finally:
        application.server.shutdown()
        application.server.server_close()
        thread.join(10)
