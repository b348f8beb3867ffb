"""For Starlette, FastAPI and any other ASGI application: a middleware, and `require` for single routes.

    app.add_middleware(BearerAuth, verifier=verifier)      # every path needs a token

    @require(scope="orders:read")                          # this one needs a scope, too
    async def orders(request): ...

No framework is imported here. A token is verified without holding up the event loop.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from .asgi_request import BEARER, App, BearerRequest, HasScope, Message, Receive, Scope, Send
from .certificate import Certificate
from .challenge import Dpop, Guard, Protect
from .needs import Needs
from .policy import OnStale
from .resource import ProtectedResource
from .token import VerifiedToken

if TYPE_CHECKING:
    from .verifier import Verifier

P = ParamSpec("P")
R = TypeVar("R")

_START_SECONDS = 5.0


class BearerAuth:
    """Lets requests through that carry a good token, and answers the others with 400, 401, 403 or 503.

    Whoever was let in is `request.auth` (a VerifiedToken, also `request.state.token`), so that Starlette's own
    `@requires` works as well. A Refusal that the application raises is answered in the same way.
    """

    def __init__(
        self,
        app: App,
        verifier: Verifier,
        *,
        realm: str | None = None,
        resource_metadata: str | ProtectedResource | None = None,
        exempt: Collection[str] = (),
        protect: Protect = "all",
        dpop: Dpop = "accepted",
        public_url: str | None = None,
        certificate: Callable[[Scope], Certificate | None] | None = None,
        manage: bool = True,
    ) -> None:
        """
        `resource_metadata`: the URL of this API's metadata (RFC 9728), or the metadata itself, which is then served.
        `exempt`: paths that need no token: exactly these, and with a slash at the end all that is below.
        `protect`: "all" paths but those, or only the routes that are "marked" with `require`.
        `dpop`: tokens that are bound to a DPoP key are "accepted", also "announced" in challenges, or "required".
        `public_url`: where clients find this application, for the `htu` of DPoP proofs; by default the origin of the
        audience. With a path if a proxy takes that off.
        `certificate`: the client's certificate, of the ASGI scope, for tokens that are bound to one (DER, or PEM text).
        `manage`: start the verifier with the application (and wait up to 5 s until it is ready), close it at the end.
        """
        self.app = app
        options = {"realm": realm, "dpop": dpop, "public_url": public_url}
        self.guard = Guard.of(verifier, resource_metadata, protect, exempt, **options)
        self.certificate = certificate
        self.manage = manage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] in ("http", "websocket"):
            resource = self.guard.resource
            if resource is not None and scope["type"] == "http" and resource.path in (scope["path"], _own_path(scope)):
                await resource(scope, receive, send)
                return
            request = BearerRequest(self.guard, scope, receive, send, self.certificate)
            await request.run(self.app, verify=self.guard.needs_token(_own_path(scope)))
        else:
            await self.app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def starting() -> Message:
            message = await receive()
            if self.manage and message["type"] == "lifespan.startup":
                await _start(self.guard.verifier)
            return message

        async def closing(message: Message) -> None:
            if self.manage and message["type"].startswith("lifespan.shutdown."):
                await asyncio.to_thread(self.guard.verifier.close)
            await send(message)

        await self.app(scope, starting, closing)


def _own_path(scope: Scope) -> str:
    """A server may serve the application below a prefix; the application's own routes do not know it."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path.removeprefix(root) if path.startswith(root + "/") else path


@asynccontextmanager
async def following(verifier: Verifier) -> AsyncIterator[Verifier]:
    """For an application's own lifespan, where there is no middleware or it does not `manage` the verifier."""
    await _start(verifier)
    try:
        yield verifier
    finally:
        await asyncio.to_thread(verifier.close)


async def _start(verifier: Verifier) -> None:
    verifier.start()
    await asyncio.to_thread(verifier.wait_ready, _START_SECONDS)


def require(
    scope: str | Iterable[str] | None = None,
    *,
    acr: str | Iterable[str] | None = None,
    max_age: float | None = None,
    max_staleness: float | None = None,
    on_stale: OnStale | None = None,
) -> Requirement:
    """What a route needs: a decorator for handlers that take a request, or `Depends(require(scope="read"))` in FastAPI.

    `scope`: all of these, else 403. `acr`, `max_age`: a log-in of one of these classes, at most so many seconds ago,
    else 401 (RFC 9470). `max_staleness`, `on_stale`: instead of the verifier's own. Needs BearerAuth.
    """
    return Requirement(Needs.of(scope, max_staleness, on_stale, acr, max_age))


class Requirement:
    """Called with a handler it decorates it; called with a request it verifies the token and returns it."""

    def __init__(self, needs: Needs) -> None:
        self.needs = needs
        # FastAPI looks at the instance's own `__call__` to see whether it must be awaited; calling ignores it.
        self.__dict__["__call__"] = self._check

    @property
    def __signature__(self) -> inspect.Signature:
        """FastAPI hands the request to the parameter that is annotated with its class."""
        requests = sys.modules.get("starlette.requests")
        annotation = requests.HTTPConnection if requests else Any
        return inspect.Signature(
            [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)]
        )

    @overload
    def __call__(self, request: Callable[P, R]) -> Callable[P, R]: ...
    @overload
    def __call__(self, request: HasScope) -> Awaitable[VerifiedToken]: ...
    def __call__(self, request: Any) -> Any:
        return self._check(request) if hasattr(request, "scope") else self._decorate(request)

    async def _check(self, request: HasScope) -> VerifiedToken:
        bearer = self._bearer_of(request)
        with bearer.remembering():
            token = bearer.admitted(self.needs)
            if token is None:
                token = await bearer.guard.admit_async(bearer.presented(), self.needs)
        return bearer.admit(request.scope, token, self.needs)

    def _check_now(self, request: HasScope) -> VerifiedToken:
        bearer = self._bearer_of(request)
        with bearer.remembering():
            token = bearer.admitted(self.needs) or bearer.guard.admit(bearer.presented(), self.needs)
        return bearer.admit(request.scope, token, self.needs)

    def _bearer_of(self, request: HasScope) -> BearerRequest:
        bearer = request.scope.get(BEARER)
        if not isinstance(bearer, BearerRequest):
            raise RuntimeError("require() needs the middleware BearerAuth around the application")
        bearer.needs = self.needs
        return bearer

    def _decorate(self, handler: Any) -> Any:
        if not inspect.isroutine(handler):
            raise TypeError("require() decorates functions and methods that take a request")
        if inspect.iscoroutinefunction(handler):

            @wraps(handler)
            async def checked(*args: Any, **kwargs: Any) -> Any:
                await self._check(_request_in(args, kwargs))
                return await handler(*args, **kwargs)

            return checked

        @wraps(handler)
        def checked_now(*args: Any, **kwargs: Any) -> Any:
            self._check_now(_request_in(args, kwargs))
            return handler(*args, **kwargs)

        return checked_now


def _request_in(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    for argument in (*args, *kwargs.values()):
        if hasattr(argument, "scope"):
            return argument
    raise TypeError("require() decorates handlers that take a request")
