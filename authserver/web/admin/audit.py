"""GET /admin/audit: who did what, when, from where."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.administration.scopes import READ
from authserver.administration.views import event_body
from authserver.audit.events import EventType
from authserver.storage.interface import AuditFilter, AuditStore
from authserver.web.admin.guard import AdminGuard
from authserver.web.admin.render import answer
from authserver.web.query import PAGING, Query, page_body

LISTING = "audit"
_FILTERS = ("type", "actor", "user_id", "client_id", "session_id", "since", "until")


@dataclass(frozen=True, slots=True)
class AdminAuditEndpoint:
    guard: AdminGuard
    audit: AuditStore

    async def get(self, request: Request) -> Response:
        """Newest first; `since` and `until` are whole seconds or RFC 3339."""
        await self.guard.admit(request, READ)
        query = Query(request, (*PAGING, *_FILTERS))
        where = AuditFilter(
            type=query.choice("type", [str(known) for known in EventType]),
            actor=query.text("actor"),
            user_id=query.uuid("user_id"),
            client_id=query.text("client_id"),
            session_id=query.uuid("session_id"),
            since=query.moment("since"),
            until=query.moment("until"),
        )
        page = await self.audit.list(query.page(LISTING), where)
        return answer(page_body(LISTING, page, event_body))
