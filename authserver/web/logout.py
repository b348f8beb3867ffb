"""POST /logout: end the session of a cookie or of a bearer token, with everything that came from it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.model.errors import NotAuthenticated
from authserver.sessions.lifecycle import Sessions
from authserver.web import cookies
from authserver.web.answers import NO_STORE
from authserver.web.caller import caller_of
from authserver.web.current import CurrentSession
from authserver.web.possession import shown_token
from authserver.web.published import Publishes, published


@dataclass(frozen=True, slots=True)
class LogoutEndpoint:
    current: CurrentSession
    sessions: Sessions
    publication: Publishes

    async def post(self, request: Request) -> Response:
        """204, and the cookie is gone; also for a cookie whose session was over already."""
        response = Response(status_code=204, headers=NO_STORE)
        try:
            live = await self.current.of(request)
        except NotAuthenticated:
            if shown_token(request) is not None or cookies.session_cookie(request) is None:
                raise
        else:
            caller = caller_of(request, f"user:{live.user_id}")
            outcome = await self.sessions.end(live.session, reason="logged out", caller=caller)
            response.headers.update((await published(self.publication, request, outcome)).headers)
        if cookies.session_cookie(request) is not None:
            cookies.clear_session(response)
        return response
