"""Who is looking at a page: the cookie's session, and whether a form was really sent from a page of that session."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from authserver.model.errors import NotAuthenticated
from authserver.oauth.form import Form
from authserver.sessions.birth import LiveSession
from authserver.sessions.lifecycle import Sessions
from authserver.storage.interface import UserStore
from authserver.web import cookies
from authserver.web.answers import NO_STORE
from authserver.web.csrf import refuse_other_sites, require_form_token
from authserver.web.forms import read_form
from authserver.web.html import base_path

SEE_OTHER: Final = 303
"""After a form: the browser goes on with GET and sends nothing of the form again (RFC 9700 section 4.12)."""
ACCOUNT: Final = "/account"
LOGIN: Final = "/account/login"
CONTINUE: Final = "/authorize/continue"
"""Where the next step of a request under way is decided."""

_RETURN: Final = re.compile(r"/account(?:/device(?:\?user_code=[A-Za-z0-9-]{1,40})?)?")


@dataclass(frozen=True, slots=True)
class Visitors:
    sessions: Sessions
    users: UserStore
    issuer: str

    async def of(self, request: Request) -> LiveSession | None:
        """The living session of the cookie, if there is one."""
        cookie = cookies.session_cookie(request)
        if cookie is None:
            return None
        try:
            return await self.sessions.by_cookie(cookie)
        except NotAuthenticated:
            return None

    async def sent(self, request: Request) -> tuple[LiveSession, Form]:
        """A form that a page of the visitor's session sent; raises NotAuthenticated, Forbidden."""
        refuse_other_sites(request, self.issuer, own_form=True)
        form = await read_form(request)
        live = await self.of(request)
        if live is None:
            raise NotAuthenticated("this session has ended; nothing was changed")
        require_form_token(form.get("csrf"), live.csrf_token or "")
        return live, form

    async def name_of(self, live: LiveSession) -> str:
        """The username, for display."""
        user = await self.users.get(live.user_id)
        return "" if user is None else user.username


def go(request: Request, path: str) -> Response:
    """On to another page of ours."""
    return RedirectResponse(base_path(request.scope) + path, SEE_OTHER, headers=NO_STORE)


def return_path(asked: str | None) -> str:
    """Where a log-in for no client leads: one of our own pages, whatever was asked for."""
    return asked if asked is not None and _RETURN.fullmatch(asked) else ACCOUNT
