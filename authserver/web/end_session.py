"""GET and POST /end_session: an application asks for the end of the browser's session (RP-Initiated Logout 1.0)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from authserver.model.errors import Forbidden, NotAuthenticated
from authserver.oauth.end_session import PARAMETERS, EndSession, LogoutRequest
from authserver.oauth.form import Form
from authserver.sessions.birth import LiveSession
from authserver.sessions.lifecycle import Sessions
from authserver.storage.interface import UserStore
from authserver.web import cookies
from authserver.web.answers import NO_STORE
from authserver.web.caller import caller_of
from authserver.web.csrf import refuse_other_sites
from authserver.web.display import source_of
from authserver.web.forms import read_form
from authserver.web.html import base_path
from authserver.web.pages.logout import confirm_logout_page, logged_out_page

PATH: Final = "/end_session"
LONGEST_QUERY: Final = 6000
"""Characters of a URL that browsers and proxies surely pass on."""


@dataclass(frozen=True, slots=True)
class EndSessionEndpoint:
    logout: EndSession
    sessions: Sessions
    users: UserStore
    issuer: str

    async def get(self, request: Request) -> Response:
        if request.method == "HEAD":  # looks, and changes nothing
            return Response(headers=NO_STORE)
        return await self._asked(request, Form.parse(request.url.query.encode()))

    async def post(self, request: Request) -> Response:
        """From an application; or, with `decision`, from our own page."""
        form = await read_form(request)
        if form.get("decision") is not None:
            return await self._answered(request, form)
        query = urlencode({name: value for name in PARAMETERS if (value := form.get(name)) is not None})
        if cookies.session_cookie(request) is None and len(query) <= LONGEST_QUERY:
            # A browser holds a SameSite=Lax cookie back from another site's form, and sends it when it comes again.
            return self._redirect(f"{base_path(request.scope)}{PATH}?{query}")
        return await self._asked(request, form)

    async def _asked(self, request: Request, form: Form) -> Response:
        asked = await self.logout.read(form)
        live = await self._live(request)
        if live is None:
            return self._done(request, asked)
        if await self.logout.names(asked, live.session):
            return await self._end(request, asked, live)
        return await self._confirm_page(request, form, asked, live)

    async def _answered(self, request: Request, form: Form) -> Response:
        refuse_other_sites(request, self.issuer)
        asked = await self.logout.read(form)
        live = await self._live(request)
        if live is None:
            return self._done(request, asked)
        if not hmac.compare_digest((form.get("csrf") or "").encode(), (live.csrf_token or "").encode()):
            raise Forbidden("this page is no longer the one of your session; go back and reload it")
        if form.get("decision") != "logout":
            return self._redirect(f"{base_path(request.scope)}/account")
        return await self._end(request, asked, live)

    async def _live(self, request: Request) -> LiveSession | None:
        cookie = cookies.session_cookie(request)
        if cookie is None:
            return None
        try:
            return await self.sessions.by_cookie(cookie)
        except NotAuthenticated:
            return None

    async def _confirm_page(self, request: Request, form: Form, asked: LogoutRequest, live: LiveSession) -> Response:
        user = await self.users.get(live.user_id)
        return confirm_logout_page(
            request,
            action=PATH,
            csrf=live.csrf_token or "",
            fields={name: value for name in PARAMETERS if (value := form.get(name)) is not None},
            username=None if user is None else user.username,
            client_name=None if asked.client is None else asked.client.name,
            form_action=() if asked.redirect_to is None else (source_of(asked.redirect_to),),
        )

    async def _end(self, request: Request, asked: LogoutRequest, live: LiveSession) -> Response:
        caller = caller_of(request, f"user:{live.user_id}")
        await self.sessions.end(live.session, reason="logged out", caller=caller)
        return self._done(request, asked)

    def _done(self, request: Request, asked: LogoutRequest) -> Response:
        """There is no session here any more, or there was none."""
        response = logged_out_page(request) if asked.redirect_to is None else self._redirect(asked.redirect_to)
        if cookies.session_cookie(request) is not None:
            cookies.clear_session(response)
        return response

    @staticmethod
    def _redirect(where: str) -> Response:
        return RedirectResponse(where, 303, headers=NO_STORE)
