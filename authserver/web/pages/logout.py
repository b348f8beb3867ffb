"""Pages about logging out. Who is asked, and what follows the answer, is for the endpoints to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from authserver.web.html import page


def confirm_logout_page(
    request: Request,
    *,
    action: str,
    csrf: str,
    fields: Mapping[str, str] | None = None,
    username: str | None = None,
    client_name: str | None = None,
    form_action: Iterable[str] = (),
) -> Response:
    """Really? A form (id "logout") that posts `fields`, `csrf` and `decision` ("logout" or "stay") to `action`.

    `action` is a path below the issuer, "/end_session" for instance. `form_action`: CSP sources of where the answer may
    lead (`web.display.leads_to(uri)`).
    """
    context = {
        "action": action,
        "csrf": csrf,
        "fields": fields or {},
        "username": username,
        "client_name": client_name,
    }
    return page(request, "logout.html", context, form_action=form_action)


def logged_out_page(request: Request, *, headers: Mapping[str, str] | None = None) -> Response:
    """It is done, and there is nowhere to go on to. The caller clears the cookie."""
    return page(request, "logged_out.html", {}, headers=headers)
