"""A `Site` in a thread of its own and on a loopback port: real verifiers follow it, and its clock can be set.

`restart` is another process as far as one test process can have several: nothing is kept but the database.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from authserver.background import anchor_clock
from authserver.cli.bounded_http import BoundedHttp
from authserver.model.time import Duration, Instant
from tests.site import Site, open_site

T = TypeVar("T")
SECONDS = 60


class LoopbackSite:
    def __init__(self, database_url: str, keys_dir: Path, **settings: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        """Open over restarts: whoever comes meanwhile waits, and is not refused."""
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._open = partial(open_site, database_url, keys_dir, issuer=self.url, **settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.ahead: Duration = 0
        self.start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """On the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    # -- the process ------------------------------------------------------------------------------

    def start(self) -> None:
        started = threading.Event()
        self._leave = asyncio.Event()
        self._over = asyncio.run_coroutine_threadsafe(self._serve(started), self._loop)
        while not started.wait(0.05):
            if self._over.done():
                self._over.result()

    async def _serve(self, started: threading.Event) -> None:
        async with self._open() as self.site, _listening(self.site, self._socket):
            self._shift_the_databases_clock()
            await self._keep_time()
            started.set()
            await self._leave.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._over.result(SECONDS)

    def restart(self) -> None:
        """The clock stays as it was set: it is the machine's."""
        self.stop()
        self.start()

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()
        self._socket.close()

    # -- its clock --------------------------------------------------------------------------------

    def now(self) -> Instant:
        """The server's time."""
        return self.site.services.now()

    def step_clock(self, duration: Duration) -> None:
        """As an administrator, or a broken time server, does: the database's clock, which the server keeps to."""
        self.ahead += duration
        self.do(self._keep_time())

    async def _keep_time(self) -> None:
        await anchor_clock(self.site.services)

    def _shift_the_databases_clock(self) -> None:
        maintenance = self.site.services.maintenance
        true_time = maintenance.now

        async def shifted() -> Instant:
            return await true_time() + self.ahead

        maintenance.now = shifted  # type: ignore[method-assign]  # SQLite has the machine's


@asynccontextmanager
async def _listening(site: Site, listening: socket.socket) -> AsyncIterator[None]:
    app = site.http._transport.app  # type: ignore[attr-defined]  # what open_site has put there
    config = uvicorn.Config(
        app,
        http=partial(BoundedHttp, request_timeout=10.0),  # type: ignore[arg-type]  # as authserver.cli.serve
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening.dup()]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@contextmanager
def loopback_site(database_url: str, keys_dir: Path, **settings: Any) -> Iterator[LoopbackSite]:
    site = LoopbackSite(database_url, keys_dir, **settings)
    try:
        yield site
    finally:
        site.close()
