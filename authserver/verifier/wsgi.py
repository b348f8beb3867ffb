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
from urllib.parse import quote

from .certificate import Certificate
from .challenge import Answer, Dpop, Guard, Protect
from .errors import Refusal
from .needs import Needs
from .policy import OnStale
from .request_facts import Presented
from .resource import ProtectedResource
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
        resource_metadata: str | ProtectedResource | None = None,
        exempt: Collection[str] = (),
        protect: Protect = "all",
        dpop: Dpop = "accepted",
        public_url: str | None = None,
        certificate: Callable[[Environ], Certificate | None] | None = None,
    ) -> None:
        """
        `resource_metadata`: the URL of this API's metadata (RFC 9728), or the metadata itself, which is then served.
        `exempt`: paths that need no token: exactly these, and with a slash at the end all that is below.
        `protect`: "all" paths but those, or only the views that are "marked" with `require`.
        `dpop`: tokens that are bound to a DPoP key are "accepted", also "announced" in challenges, or "required".
        `public_url`: where clients find this application, for the `htu` of DPoP proofs; by default the origin of the
        audience. With a path if a proxy takes that off.
        `certificate`: the client's certificate, of the environ, for tokens that are bound to one (DER, or PEM text).
        """
        self.app = app
        options = {"realm": realm, "dpop": dpop, "public_url": public_url}
        self.guard = Guard.of(verifier, resource_metadata, protect, exempt, **options)
        self.certificate = certificate
        self._started = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        resource = self.guard.resource
        if resource is not None and _path(environ) == resource.path:
            return resource.wsgi(environ, start_response)
        self._start()
        request = _Request(self.guard, environ, self.certificate)
        begun: list[bool] = []

        def starting(status: str, headers: list[tuple[str, str]], *why: Any) -> Any:
            begun.append(True)
            return start_response(status, request.with_nonce(headers), *why)

        mark = _current.set(request)
        try:
            if self.guard.needs_token(_path(environ)):
                request.admit(self.guard.admit(request.presented()))
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

    def __init__(
        self, guard: Guard, environ: Environ, certificate: Callable[[Environ], Certificate | None] | None
    ) -> None:
        self.guard = guard
        self.environ = environ
        self._certificate = certificate
        self._presented: Presented | None = None
        self.token: VerifiedToken | None = None
        self.admitted_for = Needs()
        """What `token` was verified for."""

    def presented(self) -> Presented:
        """Once for each request, so that a proof which several requirements ask about is not its own replay."""
        if self._presented is None:
            self._presented = self.guard.presented(
                _values(self.environ, "HTTP_AUTHORIZATION"), _Facts(self.environ, self._certificate)
            )
        return self._presented

    def with_nonce(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        if self._presented is None or any(name.lower() == "dpop-nonce" for name, _ in headers):
            return headers
        return [*headers, *self.guard.nonce_header(self._presented.shown)]

    def admit(self, token: VerifiedToken, needs: Needs = Needs()) -> None:  # noqa: B008 (frozen)
        self.admitted_for = needs
        self.token = self.environ[TOKEN] = token

    def suffices(self, needs: Needs) -> bool:
        """Whether the token was verified already, under the same policy; raises Refusal for what it lacks."""
        if self.token is None or not needs.same_policy(self.admitted_for):
            return False
        self.guard.require(self.token, needs)
        return True


class _Facts:
    """`RequestFacts` of an environ."""

    def __init__(self, environ: Environ, certificate: Callable[[Environ], Certificate | None] | None) -> None:
        self._environ = environ
        self.certificate = None if certificate is None else lambda: certificate(environ)

    @property
    def method(self) -> str:
        return str(self._environ.get("REQUEST_METHOD", ""))

    @property
    def host(self) -> str:
        return str(self._environ.get("HTTP_HOST", ""))

    @property
    def path(self) -> str:
        return _raw_path(self._environ)

    @property
    def proofs(self) -> list[str]:
        return _values(self._environ, "HTTP_DPOP")


def _values(environ: Environ, name: str) -> list[str]:
    """WSGI has one value for all headers of a name; two of them, joined by the server, are no token."""
    value = environ.get(name)
    return [] if value is None else [value]


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
    acr: str | Iterable[str] | None = None,
    max_age: float | None = None,
    max_staleness: float | None = None,
    on_stale: OnStale | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What a view needs. Without it the view is not called, and 401, 403 or 503 is what it seems to have returned: a
    response of Django for views that take Django's request, else the tuple that Flask makes a response of.

    `scope`: all of these, else 403. `acr`, `max_age`: a log-in of one of these classes, at most so many seconds ago,
    else 401 (RFC 9470). `max_staleness`, `on_stale`: instead of the verifier's own. Needs BearerAuth.
    """
    needs = Needs.of(scope, max_staleness, on_stale, acr, max_age)
    return lambda view: _guarded_async(view, needs) if inspect.iscoroutinefunction(view) else _guarded(view, needs)


def _guarded(view: Callable[..., Any], needs: Needs) -> Callable[..., Any]:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        request = _request()
        try:
            if not request.suffices(needs):
                request.admit(request.guard.admit(request.presented(), needs), needs)
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
                request.admit(await request.guard.admit_async(request.presented(), needs), needs)
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


def _raw_path(environ: Environ) -> str:
    """As it was sent, where the server tells; else as well as it can be put together again."""
    for name in ("RAW_URI", "REQUEST_URI"):
        uri = str(environ.get(name, ""))
        if uri.startswith("/"):
            return uri.partition("?")[0]
    path = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
    return quote(path.encode("latin-1"), safe="/:@!$&'()*+,;=~")


def _path(environ: Environ) -> str:
    """As the application routes it: WSGI hands over bytes in the guise of latin-1 (PEP 3333)."""
    return str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace") or "/"
