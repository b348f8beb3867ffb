"""Requests that another site made a browser send.

Two independent checks: where the browser says the request comes from, for every unsafe request that could be forged
(Fetch Metadata, or Origin from browsers without it), and a token of the session where a cookie authenticates.
"""

from __future__ import annotations

import hmac
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from authserver.model.errors import Forbidden

CSRF_HEADER: Final = "X-CSRF-Token"

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site; "same-site" is not one: a sibling subdomain is a stranger."""


def refuse_other_sites(request: Request, issuer: str, *, own_form: bool = False) -> None:
    """Raises Forbidden when a browser says that a page of another origin sent this.

    Programs send neither header and pass: nobody can make them carry a victim's cookie. `own_form`: a form of our own
    pages comes with "Origin: null" from a browser without Fetch Metadata, because those pages send no referrer (Fetch
    section 3.1); for endpoints that demand a token in the form besides.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        allowed = site in _OWN_SITES
    else:
        origin = request.headers.get("origin")
        allowed = origin is None or (own_form and origin == "null") or _is_own(origin, request, issuer)
    if not allowed:
        raise Forbidden("requests from pages of other sites are not accepted here")


def require_csrf_token(request: Request, expected: str) -> None:
    """For an unsafe request that a cookie authenticates; raises Forbidden."""
    presented = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(presented.encode("latin-1"), expected.encode("latin-1")):
        raise Forbidden(f"{CSRF_HEADER} is missing or is not the one of this session (GET /session tells it)")


def require_form_token(presented: str | None, expected: str) -> None:
    """For a form of a page of ours; raises Forbidden."""
    if not hmac.compare_digest((presented or "").encode(), expected.encode()):
        raise Forbidden("this form was not made for this log-in in this browser")


def is_safe(request: Request) -> bool:
    """Changes nothing, so that forging it gains nothing (RFC 9110 section 9.2.1)."""
    return request.method in _SAFE_METHODS


def _is_own(origin: str, request: Request, issuer: str) -> bool:
    """The issuer's origin, or the one this request was sent to, where a server has several names."""
    parts = urlsplit(issuer)
    return origin in (f"{parts.scheme}://{parts.netloc}", f"{request.url.scheme}://{request.headers.get('host', '')}")
