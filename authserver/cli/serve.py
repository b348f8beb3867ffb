"""`authserver serve`: uvicorn on uvloop and httptools, one process or several."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from authserver.cli.listening import bind, url
from authserver.cli.output import MISUSE, NO, fail

if TYPE_CHECKING:
    import uvicorn

    from authserver.settings import Settings

KEEP_ALIVE_SECONDS = 75
"""Longer than what reverse proxies keep an idle connection for, so that they are the ones to close it."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (AUTHSERVER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (AUTHSERVER_PORT).")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes (AUTHSERVER_WORKERS).")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain, PEM (AUTHSERVER_TLS_CERT).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM (AUTHSERVER_TLS_KEY).")] = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. Then finish the requests in progress and leave."""
    from authserver.settings import SettingsError, load_settings

    try:
        settings = load_settings(host=host, port=port, workers=workers, tls_cert=tls_cert, tls_key=tls_key)
    except SettingsError as error:
        fail(str(error), MISUSE)
    check_startable(settings)
    run_server(settings, bind(settings.host, settings.port))


def check_startable(settings: Settings) -> None:
    """Leave with one clear line if the server could not serve: better now than as a traceback from a worker."""
    from authserver.cli.runtime import told

    for file in (settings.tls_cert, settings.tls_key):
        if file is not None and not os.access(file, os.R_OK):
            fail(f"{file} cannot be read", MISUSE)
    with told():
        asyncio.run(_try_out(settings))


async def _try_out(settings: Settings) -> None:
    from authserver import wiring

    services = await wiring.build(settings)
    await services.close()


def _nothing() -> None:
    pass


def run_server(
    settings: Settings,
    sockets: list[socket.socket],
    ready: Callable[[], None] = _nothing,
    leaving: Callable[[], None] = _nothing,
) -> None:
    """Does not return: exit status 0 after SIGTERM or Ctrl-C, 1 when it could not start.

    `ready` is called when the one worker answers, `leaving` in a thread when it is about to end and answers still
    (with several neither is).
    """
    from authserver import telemetry

    telemetry.set_up_logging(settings.log_format, settings.log_level)
    where = url(sockets, settings.host, https=settings.tls_cert is not None)
    telemetry.logger("authserver.serve").info("starting", url=where, workers=settings.workers)
    # uvicorn finishes its shutdown first and then raises the signal again: this is what it meets.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if settings.workers == 1:
            sys.exit(_run(_server(settings, ready, leaving), sockets))
        else:
            _run_workers(settings, sockets)
    except KeyboardInterrupt:
        sys.exit(0)


def _server(settings: Settings, ready: Callable[[], None], leaving: Callable[[], None]) -> uvicorn.Server:
    import uvicorn

    from authserver import telemetry
    from authserver.app import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            try:
                await super().startup(sockets)
            except OSError as error:  # another server that was starting as well has listened first
                telemetry.logger("authserver.serve").error(str(error))
                await self.lifespan.shutdown()
                sys.exit(NO)
            ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await asyncio.to_thread(leaving)
            await super().shutdown(sockets)

    return Server(uvicorn.Config(create_app(settings), **_options(settings)))


def _run(server: uvicorn.Server, sockets: list[socket.socket]) -> int:
    try:
        server.run(sockets)
    except SystemExit as left:  # 0: by SIGTERM; else it could not start, the log says why
        return NO if left.code else 0
    return 0 if server.started else NO


def _run_workers(settings: Settings, sockets: list[socket.socket]) -> None:
    """Workers are fresh processes that read the settings from the environment, as we did."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    for name in ("host", "port", "workers", "tls_cert", "tls_key"):
        value = getattr(settings, name)
        if value is not None:
            os.environ[f"AUTHSERVER_{name.upper()}"] = str(value)
    metrics = tempfile.mkdtemp(prefix="authserver-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
    try:
        config = uvicorn.Config(
            "authserver.app:from_environment", factory=True, workers=settings.workers, **_options(settings)
        )
        Multiprocess(config, sockets=sockets).run()
    finally:
        shutil.rmtree(metrics, ignore_errors=True)


def _options(settings: Settings) -> dict[str, Any]:
    from authserver.cli.bounded_http import BoundedHttp

    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": partial(BoundedHttp, request_timeout=settings.request_timeout / 1000),
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": max(1, settings.shutdown_grace // 1000),
        "ssl_certfile": settings.tls_cert,
        "ssl_keyfile": settings.tls_key,
    }
