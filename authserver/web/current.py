"""Whose session a request belongs to: access token first, then cookie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from authserver.model.errors import NotAuthenticated
from authserver.sessions.birth import LiveSession
from authserver.sessions.lifecycle import Sessions
from authserver.web.cookies import session_cookie
from authserver.web.csrf import is_safe, refuse_other_sites, require_csrf_token
from authserver.web.possession import TokenReader

NOBODY: Final = "log in first: there is no session cookie and no access token"


@dataclass(frozen=True, slots=True)
class CurrentSession:
    sessions: Sessions
    issuer: str
    tokens: TokenReader

    async def of(self, request: Request) -> LiveSession:
        """The living session behind a request; an unsafe one under a cookie must also prove that it is no forgery.

        Raises NotAuthenticated, InvalidToken (RFC 6750 section 3.1), InvalidDpopProof, UseDpopNonce, Forbidden.
        """
        # Certain of the key: a caller that logs out takes 401 for "was logged out already".
        token = await self.tokens.token_of(request, certain=True)
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
