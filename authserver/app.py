"""The ASGI application: the router behind the edge, and the jobs that run beside it.

`create_app(settings)` opens nothing; the lifespan builds the services, makes sure there is a key that
signs, starts the jobs, and undoes all of it at the end.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from authserver import telemetry, wiring
from authserver.background import background, jobs_of
from authserver.services import Services
from authserver.settings import Settings, load_settings
from authserver.web.certificate_header import CertificateHeader
from authserver.web.middleware import Edge
from authserver.web.routes import METADATA, routes
from authserver.web.routing import Router


def create_app(settings: Settings) -> ASGIApp:
    """An ASGI app for any server; give it the lifespan protocol."""
    return App(settings)


def from_environment() -> ASGIApp:
    """For worker processes, and for any other ASGI server: `--factory authserver.app:from_environment`."""
    settings = load_settings()
    telemetry.set_up_logging(settings.log_format, settings.log_level)
    return create_app(settings)


class App:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._edge: ASGIApp | None = None
        self.services: Services | None = None
        """Between start-up and shutdown."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and self._edge is not None:
            await self._edge(scope, receive, send)
        else:
            raise RuntimeError(f"not for this app: {scope['type']} (has its lifespan been started?)")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with AsyncExitStack() as stack:
                self.services = await stack.enter_async_context(running(self._settings))
                self._edge = edge(self._settings, self.services)
                stack.callback(telemetry.forget_this_process)
                spare_the_collector()
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:
            if self._edge is None:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        finally:
            self._edge = self.services = None
        await send({"type": "lifespan.shutdown.complete"})


def spare_the_collector() -> None:
    """What exists by now stays until the end: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def edge(settings: Settings, services: Services) -> Edge:
    """The outermost layer over the whole URL table."""
    return Edge(
        Router(routes(services), prefix=settings.issuer_path, signpost=settings.issuer + METADATA),
        max_body=settings.max_body_bytes,
        trusted_proxies=settings.trusted_proxies,
        https=settings.is_https,
        access_log=settings.access_log,
        certificates=CertificateHeader(
            settings.client_certificate_header or "", settings.client_certificate_verified_header or ""
        ),
    )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    """Services with a key that signs and with all jobs running."""
    services = await wiring.build(settings)
    try:
        await services.rotation.ensure_keys()
        async with background(jobs_of(settings, services)):
            yield services
    finally:
        await services.close()
