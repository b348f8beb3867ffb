"""From a template to an HTML answer, under headers that let a page do nothing but show itself and send its forms."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from authserver import telemetry
from authserver.model.errors import Refused, TooManyRequests
from authserver.web.answers import NO_STORE
from authserver.web.display import visible, when

if TYPE_CHECKING:
    from jinja2 import Environment

STATIC: Final = "/account/static"

_PAGES = Path(__file__).parent / "pages"


class Asset(NamedTuple):
    """A file that pages load. Its name has its hash, so that it may be kept for ever."""

    name: str
    media_type: str
    body: bytes

    @classmethod
    def read(cls, stem: str, suffix: str, media_type: str) -> Asset:
        body = (_PAGES / "static" / f"{stem}.{suffix}").read_bytes()
        return cls(f"{stem}.{hashlib.sha256(body).hexdigest()[:16]}.{suffix}", media_type, body)


STYLE: Final = Asset.read("style", "css", "text/css; charset=utf-8")


@cache
def _templates() -> Environment:
    """Made for the first page: a server that shows none saves 3 MB."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(_PAGES / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"visible": visible, "when": when}
    return templates


def page(
    request: Request,
    template: str,
    context: Mapping[str, object],
    *,
    status: int = 200,
    form_action: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A page of ours. `form_action`: where answers to its forms may lead besides this origin, as CSP sources
    (see `display.leads_to`), because browsers hold the redirects that follow a form against the page."""
    base = base_path(request.scope)
    text = _templates().get_template(template).render(base=base, style=f"{base}{STATIC}/{STYLE.name}", **context)
    policy = content_security_policy(form_action=("'self'", *form_action))
    answer = {**NO_STORE, **(headers or {}), "Content-Security-Policy": policy, "Content-Language": "en"}
    return Response(text, status, headers=answer, media_type="text/html")


def bare_page(template: str, context: Mapping[str, object], *, script: str) -> Response:
    """A page without our style, whose form goes anywhere and whose one script has this CSP source."""
    policy = content_security_policy(form_action=None, script=script)
    answer = {**NO_STORE, "Content-Security-Policy": policy, "Content-Language": "en"}
    return Response(_templates().get_template(template).render(**context), headers=answer, media_type="text/html")


def content_security_policy(*, form_action: Iterable[str] | None, script: str | None = None) -> str:
    """`form_action` None: anywhere."""
    directives = [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    if script is not None:
        directives.append(f"script-src {script}")
    if form_action is not None:
        directives.append(f"form-action {' '.join(form_action)}")
    return "; ".join(directives)


def base_path(scope: Scope) -> str:
    """The issuer's path, "" for most: what links and redirects to ourselves begin with."""
    return str(scope.get("base", ""))


# -- errors -----------------------------------------------------------------------------------


def error_page(request: Request, error: Exception) -> Response:
    """What is wrong and what to do about it, on our own origin; a bug says nothing about itself."""
    status = error.status if isinstance(error, Refused) else 500
    context = {
        "title": _TITLES.get(status) or _phrase(status),
        "problem": error.description if isinstance(error, Refused) else "Something went wrong on this server.",
        "advice": _advice(error, status),
        "code": error.code if isinstance(error, Refused) else "server_error",
        "request_id": telemetry.request_id.get(),
    }
    headers = error.headers if isinstance(error, Refused) else {}
    return page(request, "error.html", context, status=status, headers=headers)


def _phrase(status: int) -> str:
    return next((known.phrase for known in HTTPStatus if known == status), "This did not work")


def _advice(error: Exception, status: int) -> str:
    if isinstance(error, TooManyRequests):
        return f"Wait {error.retry_after} seconds, then try again."
    return _ADVICE.get(status) or (_ADVICE[500] if status >= 500 else _ADVICE[400])


_TITLES: Final = {
    400: "This request cannot be accepted",
    401: "You are not logged in",
    403: "This is not allowed",
    404: "There is nothing here",
    405: "This address cannot be opened like this",
    429: "Too many attempts",
    500: "Something went wrong",
    503: "Please try again in a moment",
}
_ADVICE: Final = {
    400: "Go back to the application that sent you here and start again. If it happens again, tell whoever runs that "
    "application what stands on this page.",
    401: "Log in, then start again.",
    403: "Go back, reload the page and try again. If another site or a message led you here, do not go on.",
    404: "Check the address, or go on from your account.",
    405: "Go back and start again from the page before.",
    500: "Try again in a moment. If it happens again, tell whoever runs this server the request id below.",
    503: "Nothing is wrong with what you did. Wait a moment and try again.",
}
