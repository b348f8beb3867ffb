"""GET and POST /end_session: an application asks for the end of the browser's session (RP-Initiated Logout 1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from authserver.oauth.end_session import PARAMETERS, EndSession, LogoutRequest
from authserver.oauth.form import Form
from authserver.sessions.birth import LiveSession
from authserver.sessions.lifecycle import Sessions
from authserver.web import cookies
from authserver.web.answers import NO_STORE
from authserver.web.caller import caller_of
from authserver.web.csrf import refuse_other_sites, require_form_token
from authserver.web.display import leads_to
from authserver.web.forms import read_form
from authserver.web.pages.logout import confirm_logout_page, logged_out_page
from authserver.web.pages.visitor import ACCOUNT, SEE_OTHER, Visitors, go

PATH: Final = "/end_session"
LONGEST_QUERY: Final = 6000
"""Characters of a URL that browsers and proxies surely pass on."""


@dataclass(frozen=True, slots=True)
class EndSessionEndpoint:
    logout: EndSession
    visitors: Visitors
    sessions: Sessions

    async def get(self, request: Request) -> Response:
        return await self._asked(request, Form.parse(request.url.query.encode()))

    async def post(self, request: Request) -> Response:
        """From an application; or, with `decision`, from our own page."""
        form = await read_form(request)
        if form.get("decision") is not None:
            return await self._answered(request, form)
        query = urlencode({name: value for name in PARAMETERS if (value := form.get(name)) is not None})
        if cookies.session_cookie(request) is None and len(query) <= LONGEST_QUERY:
            # A browser holds a SameSite=Lax cookie back from another site's form, and sends it when it comes again.
            return go(request, f"{PATH}?{query}")
        return await self._asked(request, form)

    async def _asked(self, request: Request, form: Form) -> Response:
        asked = await self.logout.read(form)
        live = await self.visitors.of(request)
        if live is None:
            return self._done(request, asked)
        if await self.logout.names(asked, live.session):
            return await self._end(request, asked, live)
        return await self._confirm_page(request, form, asked, live)

    async def _answered(self, request: Request, form: Form) -> Response:
        refuse_other_sites(request, self.visitors.issuer, own_form=True)
        asked = await self.logout.read(form)
        live = await self.visitors.of(request)
        if live is None:
            return self._done(request, asked)
        require_form_token(form.get("csrf"), live.csrf_token or "")
        if form.get("decision") != "logout":
            return go(request, ACCOUNT)
        return await self._end(request, asked, live)

    async def _confirm_page(self, request: Request, form: Form, asked: LogoutRequest, live: LiveSession) -> Response:
        return confirm_logout_page(
            request,
            action=PATH,
            csrf=live.csrf_token or "",
            fields={name: value for name in PARAMETERS if (value := form.get(name)) is not None},
            username=await self.visitors.name_of(live),
            client_name=None if asked.client is None else asked.client.name,
            form_action=() if asked.redirect_to is None else leads_to(asked.redirect_to),
        )

    async def _end(self, request: Request, asked: LogoutRequest, live: LiveSession) -> Response:
        caller = caller_of(request, f"user:{live.user_id}")
        await self.sessions.end(live.session, reason="logged out", caller=caller)
        return self._done(request, asked)

    def _done(self, request: Request, asked: LogoutRequest) -> Response:
        """There is no session here any more, or there was none."""
        response = logged_out_page(request) if asked.redirect_to is None else _away(asked.redirect_to)
        if cookies.session_cookie(request) is not None:
            cookies.clear_session(response)
        return response


def _away(uri: str) -> Response:
    return RedirectResponse(uri, SEE_OTHER, headers=NO_STORE)
