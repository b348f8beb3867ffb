"""/admin/sessions: every device of every user, and a way to end one."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.administration.scopes import READ, REVOKE
from authserver.administration.views import session_body
from authserver.clock import Clock
from authserver.model.errors import NotFound
from authserver.model.inputs import is_uuid
from authserver.model.revocation import RevocationTarget
from authserver.revocation.revoker import Revoker
from authserver.storage.interface import SessionFilter, SessionStore
from authserver.web.admin.guard import AdminGuard
from authserver.web.admin.render import answer
from authserver.web.published import Publishes, published
from authserver.web.query import PAGING, Query, page_body

LISTING = "sessions"


@dataclass(frozen=True, slots=True)
class AdminSessionsEndpoint:
    guard: AdminGuard
    sessions: SessionStore
    now: Clock

    async def get(self, request: Request) -> Response:
        """Newest first; only living ones unless `include_dead=true`."""
        await self.guard.admit(request, READ, REVOKE)
        query = Query(request, (*PAGING, "user_id", "client_id", "include_dead"))
        where = SessionFilter(
            user_id=query.uuid("user_id"),
            client_id=query.text("client_id"),
            include_dead=query.truth("include_dead") or False,
        )
        page = await self.sessions.list(query.page(LISTING), where, now=self.now())
        return answer(page_body(LISTING, page, session_body))


@dataclass(frozen=True, slots=True)
class AdminSessionEndpoint:
    guard: AdminGuard
    sessions: SessionStore
    revoker: Revoker
    now: Clock
    publication: Publishes

    async def get(self, request: Request) -> Response:
        """404 for one that has ended: the list shows those."""
        await self.guard.admit(request, READ, REVOKE)
        session = await self.sessions.get(_session_id(request), now=self.now())
        if session is None:
            raise NotFound("there is no such session")
        return answer(session_body(session))

    async def delete(self, request: Request) -> Response:
        """Ends it, its refresh families and their access tokens; 204, also for one that had ended."""
        administrator = await self.guard.admit(request, REVOKE)
        target = RevocationTarget(kind="session", value=_session_id(request))
        outcome = await self.revoker.revoke(target, reason="ended by an administrator", caller=administrator.caller)
        return Response(status_code=204, headers=(await published(self.publication, request, outcome)).headers)


def _session_id(request: Request) -> str:
    named = str(request.path_params["session_id"])
    if not is_uuid(named):
        raise NotFound("there is no such session")
    return named
