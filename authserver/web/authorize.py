"""GET and POST /authorize: a client asks, a user answers (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2).

Whatever can be told to the client is, by a redirect; the rest is raised, and becomes a page of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from authserver.clock import Clock
from authserver.model.errors import NotAuthenticated
from authserver.model.session import Session
from authserver.oauth.authorization import AuthorizationFlow
from authserver.oauth.authorization_requests import AuthorizationRequests, RefusedRequest
from authserver.oauth.errors import InvalidRequest, OAuthError
from authserver.oauth.flow import AskConsent, Issue, LogIn, PendingRequest, Refuse
from authserver.oauth.form import Form
from authserver.sessions.lifecycle import Sessions
from authserver.web import cookies
from authserver.web.answers import NO_STORE
from authserver.web.authorization_response import SEE_OTHER, authorization_response
from authserver.web.caller import caller_of
from authserver.web.forms import read_form
from authserver.web.html import base_path

PATH: Final = "/authorize"
LOGIN_PAGE: Final = "/account/login"
CONSENT_PAGE: Final = "/account/consent"
LONGEST_QUERY: Final = 6000
"""Characters; what a URL may hold in practice."""


@dataclass(frozen=True, slots=True)
class AuthorizeEndpoint:
    requests: AuthorizationRequests
    flow: AuthorizationFlow
    sessions: Sessions
    now: Clock

    async def get(self, request: Request) -> Response:
        return await self._begin(request, Form.parse(request.scope["query_string"]))

    async def post(self, request: Request) -> Response:
        """Sent by a page of the client's, so without our cookies (SameSite=Lax): the same as a GET, which has them."""
        form = await read_form(request)
        query = _as_query(form)
        if len(query) <= LONGEST_QUERY:
            return _go(request, PATH, query)
        if cookies.session_cookie(request) is None:
            raise InvalidRequest("the request is too long for a URL: push it first (RFC 9126)")
        return await self._begin(request, form)

    async def resume(self, request: Request) -> Response:
        """GET /authorize/continue: back from a page of ours, in the same browser."""
        cookies.require_https(request)
        flow = Form.parse(request.scope["query_string"]).require("flow")
        return await self._proceed(request, await self.flow.open(flow, cookies.flow_cookie(request)))

    async def _begin(self, request: Request, form: Form) -> Response:
        cookies.require_https(request)
        browser, now = cookies.flow_cookie(request) or cookies.new_flow_value(), self.now()
        try:
            client, asked, pushed = await self.requests.read(form)
            pending = PendingRequest(request=asked, client=client, started_at=now, pushed=pushed, browser=browser)
        except RefusedRequest as it:
            pending = PendingRequest(
                request=it.request, client=it.client, started_at=now, refusal=it.error, browser=browser
            )
        return await self._proceed(request, pending)

    async def _proceed(self, request: Request, pending: PendingRequest) -> Response:
        """What the browser does next is decided below; here it becomes an answer."""
        session = await self._session(request)
        step = await self.flow.decide(pending, session)
        try:
            match step:
                case LogIn():
                    return self._page(request, LOGIN_PAGE, pending)
                case AskConsent():
                    return self._page(request, CONSENT_PAGE, pending)
                case Refuse(error):
                    return authorization_response(self.flow.refuse(pending.request, error))
                case Issue(session=granted_by, scope=scope):
                    return authorization_response(await self.flow.issue(pending, granted_by, scope, caller_of(request)))
        except OAuthError as error:  # too long for a page, or answered meanwhile
            return authorization_response(self.flow.refuse(pending.request, error))

    async def _session(self, request: Request) -> Session | None:
        cookie = cookies.session_cookie(request)
        if cookie is None:
            return None
        try:
            return (await self.sessions.by_cookie(cookie)).session
        except NotAuthenticated:
            return None

    def _page(self, request: Request, path: str, pending: PendingRequest) -> Response:
        response = _go(request, path, urlencode({"flow": self.flow.seal(pending)}))
        cookies.set_flow(response, pending.browser)
        return response


def _go(request: Request, path: str, query: str) -> Response:
    location = f"{base_path(request.scope)}{path}?{query}"
    return Response(status_code=SEE_OTHER, headers={"Location": location, **NO_STORE})


def _as_query(form: Form) -> str:
    repeated = [(name, value) for name, values in form.others.items() for value in values]
    return urlencode([*form.first.items(), *repeated])
