"""The three cookies of this server, all host-only: no subdomain can set them, no script can read them."""

from __future__ import annotations

import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from authserver.model.errors import Forbidden
from authserver.model.inputs import is_loopback
from authserver.model.time import HOUR, SECOND, Duration, Instant
from authserver.tokens.handles import DEVICE_COOKIE_LIFE

SESSION: Final = "__Host-authserver"
DEVICE: Final = "__Host-authserver-device"
FLOW: Final = "__Host-authserver-flow"
"""Marks the browser in which requests for authorization are under way; it opens nothing by itself."""
FLOW_LIFE: Duration = 12 * HOUR
_FLOW_BYTES = 24


def session_cookie(request: Request) -> str | None:
    return _read(request, SESSION)


def device_cookie(request: Request) -> str | None:
    return _read(request, DEVICE)


def flow_cookie(request: Request) -> str | None:
    return _read(request, FLOW)


def new_flow_value() -> str:
    return secrets.token_urlsafe(_FLOW_BYTES)


def set_flow(response: Response, value: str) -> None:
    _set(response, FLOW, value, FLOW_LIFE)


def set_session(response: Response, value: str, *, now: Instant, until: Instant) -> None:
    """Kept by the browser until the session's absolute end; the server decides how long it is good."""
    _set(response, SESSION, value, until - now)


def clear_session(response: Response) -> None:
    _set(response, SESSION, "", 0)


def set_device(response: Response, value: str) -> None:
    _set(response, DEVICE, value, DEVICE_COOKIE_LIFE)


def takes_cookies(request: Request) -> bool:
    """Over https, or on this machine: a cookie that crossed a network in the clear is everybody's."""
    return request.url.scheme == "https" or is_loopback(request.url.hostname or "")


def require_https(request: Request) -> None:
    """Raises Forbidden where no cookie may be set."""
    if not takes_cookies(request):
        raise Forbidden(
            "sessions need https, because their cookie does; behind a proxy that ends TLS, set TRUSTED_PROXIES"
        )


def _set(response: Response, name: str, value: str, life: Duration) -> None:
    response.set_cookie(
        name, value, max_age=max(0, life // SECOND), path="/", secure=True, httponly=True, samesite="lax"
    )


def _read(request: Request, name: str) -> str | None:
    """None also when it comes twice: one of them was planted, and there is no telling which."""
    header = "; ".join(request.headers.getlist("cookie"))
    values = [value for part in header.split(";") for key, _, value in [part.strip().partition("=")] if key == name]
    return values[0] if len(values) == 1 and values[0] else None
