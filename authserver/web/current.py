"""Whose session a request belongs to: bearer token first, then cookie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from authserver.model.errors import InvalidToken, NotAuthenticated
from authserver.sessions.birth import LiveSession
from authserver.sessions.lifecycle import Sessions
from authserver.web.cookies import session_cookie
from authserver.web.csrf import is_safe, refuse_other_sites, require_csrf_token

NOBODY: Final = "log in first: there is no session cookie and no bearer token"


@dataclass(frozen=True, slots=True)
class CurrentSession:
    sessions: Sessions
    issuer: str

    async def of(self, request: Request) -> LiveSession:
        """The living session behind a request; an unsafe one under a cookie must also prove that it is no forgery.

        Raises NotAuthenticated, InvalidToken (RFC 6750 section 3.1), Forbidden.
        """
        token = bearer_token(request)
        if token is not None:
            return await self.sessions.by_token(token)
        cookie = session_cookie(request)
        if cookie is None:
            raise NotAuthenticated(NOBODY)
        if not is_safe(request):
            refuse_other_sites(request, self.issuer)
        live = await self.sessions.by_cookie(cookie)
        if not is_safe(request):
            require_csrf_token(request, live.csrf_token or "")
        return live


def bearer_token(request: Request) -> str | None:
    """RFC 6750 section 2.1; another scheme counts as none. Raises InvalidToken when it is not the only credential."""
    values = request.headers.getlist("authorization")
    tokens = [v.partition(" ")[2].strip() for v in values if v.partition(" ")[0].lower() == "bearer"]
    if tokens and len(values) > 1:
        raise InvalidToken("more than one Authorization header")
    return tokens[0] if tokens else None
