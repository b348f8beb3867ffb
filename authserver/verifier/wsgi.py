"""For Flask, Django and any other WSGI application: a wrapper, and `require` for single views.

    app.wsgi_app = BearerAuth(app.wsgi_app, verifier)               # Flask: every path needs a token
    application = BearerAuth(get_wsgi_application(), verifier)      # Django

    @app.get("/orders")
    @require(scope="orders:read")                          # this one needs a scope, too
    def orders(): return {"of": current_token().subject}

The verifier starts at the first request of each process, hence after a server like gunicorn has forked its workers. No
framework is imported here.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextvars import ContextVar
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from .challenge import Answer, Guard, Needs, Protect
from .errors import InsufficientScope, Refusal
from .policy import OnStale
from .token import VerifiedToken

if TYPE_CHECKING:
    from .verifier import Verifier

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

TOKEN = "authserver.token"  # noqa: S105 - the name of a key
"""Where the VerifiedToken lies in the environ."""
_START_SECONDS = 5.0


class BearerAuth:
    """Lets requests through that carry a good token, and answers the others with 400, 401, 403 or 503."""

    def __init__(
        self,
        app: App,
        verifier: Verifier,
        *,
        realm: str | None = None,
        resource_metadata: str | None = None,
        exempt: Collection[str] = (),
        protect: Protect = "all",
    ) -> None:
        """
        `exempt`: paths that need no token: exactly these, and with a slash at the end all that is below.
        `protect`: "all" paths but those, or only the views that are "marked" with `require`.
        """
        self.app = app
        self.guard = Guard.of(verifier, realm, resource_metadata, exempt, protect)
        self._started = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self._start()
        request = _Request(self.guard, environ)
        begun: list[bool] = []

        def starting(*response: Any) -> Any:
            begun.append(True)
            return start_response(*response)

        mark = _current.set(request)
        try:
            if self.guard.needs_token(_path(environ)):
                request.admit(self.guard.check(request.authorization))
            return self.app(environ, starting)
        except Refusal as refusal:
            answer = self.guard.answer(refusal)
            # The server takes another beginning if it has not sent the first one yet, else raises this (PEP 3333).
            why = ((type(refusal), refusal, refusal.__traceback__),) if begun else ()
            start_response(_status(answer), list(answer.headers), *why)
            return [answer.body]
        finally:
            _current.reset(mark)

    def _start(self) -> None:
        """The first requests wait, rather than be refused, while the first revocations arrive."""
        if not self._started:
            self.guard.verifier.wait_ready(_START_SECONDS)
            self._started = True


class _Request:
    """The request that the wrapper is handling; `require` finds it in a context variable."""

    def __init__(self, guard: Guard, environ: Environ) -> None:
        self.guard = guard
        self.environ = environ
        self.token: VerifiedToken | None = None
        self.admitted_for = Needs()
        """What `token` was verified for."""

    @property
    def authorization(self) -> list[str]:
        """WSGI has one value for all headers of a name; two of them, joined by the server, are no token."""
        value = self.environ.get("HTTP_AUTHORIZATION")
        return [] if value is None else [value]

    def admit(self, token: VerifiedToken, needs: Needs = Needs()) -> None:  # noqa: B008 (frozen)
        self.admitted_for = needs
        self.token = self.environ[TOKEN] = token

    def suffices(self, needs: Needs) -> bool:
        """Whether the token was verified already, under the same policy; raises InsufficientScope."""
        if self.token is None or not needs.same_policy(self.admitted_for):
            return False
        if needs.scope is not None and not self.token.has_scope(needs.scope):
            raise InsufficientScope
        return True


_current: ContextVar[_Request] = ContextVar("authserver.bearer")


def current_token() -> VerifiedToken:
    """Of the request that is being handled; raises RuntimeError where no token was verified."""
    request = _current.get(None)
    if request is None or request.token is None:
        raise RuntimeError("no token was verified for this request")
    return request.token


def require(
    scope: str | Iterable[str] | None = None,
    *,
    max_staleness: float | None = None,
    on_stale: OnStale | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What a view needs. Without it the view is not called, and 401, 403 or 503 is what it seems to have returned: a
    response of Django for views that take Django's request, else the tuple that Flask makes a response of.

    `scope`: all of these, else 403. `max_staleness`, `on_stale`: instead of the verifier's own. Needs BearerAuth.
    """
    needs = Needs(scope if scope is None or isinstance(scope, str) else tuple(scope), max_staleness, on_stale)
    return lambda view: _guarded_async(view, needs) if inspect.iscoroutinefunction(view) else _guarded(view, needs)


def _guarded(view: Callable[..., Any], needs: Needs) -> Callable[..., Any]:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        request = _request()
        try:
            if not request.suffices(needs):
                request.admit(request.guard.check(request.authorization, needs), needs)
        except Refusal as refusal:
            return _view_answer(request.guard.answer(refusal, needs.scope), args)
        return view(*args, **kwargs)

    return guarded


def _guarded_async(view: Callable[..., Awaitable[Any]], needs: Needs) -> Callable[..., Awaitable[Any]]:
    @wraps(view)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        request = _request()
        try:
            if not request.suffices(needs):
                request.admit(await request.guard.check_async(request.authorization, needs), needs)
        except Refusal as refusal:
            return _view_answer(request.guard.answer(refusal, needs.scope), args)
        return await view(*args, **kwargs)

    return guarded


def _request() -> _Request:
    request = _current.get(None)
    if request is None:
        raise RuntimeError("require() needs BearerAuth around the application")
    return request


def _view_answer(answer: Answer, args: tuple[Any, ...]) -> Any:
    django = sys.modules.get("django.http")
    if django is not None and any(isinstance(argument, django.HttpRequest) for argument in args):
        return django.HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))
    return answer.body, answer.status, list(answer.headers)


def _status(answer: Answer) -> str:
    return f"{answer.status} {HTTPStatus(answer.status).phrase}"


def _path(environ: Environ) -> str:
    """As the application routes it: WSGI hands over bytes in the guise of latin-1 (PEP 3333)."""
    return str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace") or "/"
