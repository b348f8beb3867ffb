"""GET /admin/resource-servers: which resource servers have applied which revocations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from authserver.administration.scopes import READ, REVOKE
from authserver.administration.views import resource_server_body
from authserver.clock import Clock
from authserver.model.inputs import InvalidField
from authserver.model.log import LogHead
from authserver.model.resource_server import ResourceServer
from authserver.storage.interface import ResourceServerFilter, ResourceServerStore
from authserver.web.admin.guard import AdminGuard
from authserver.web.admin.render import answer
from authserver.web.query import PAGING, Query, page_body

LISTING = "resource-servers"


class LogEnd(Protocol):
    """`LogStore`, as far as places in the log are compared with it."""

    async def head(self) -> LogHead: ...


@dataclass(frozen=True, slots=True)
class AdminResourceServersEndpoint:
    guard: AdminGuard
    servers: ResourceServerStore
    log: LogEnd
    now: Clock

    async def get(self, request: Request) -> Response:
        """By client and instance. `behind=SEQ`: those that have not applied the record of that number yet."""
        await self.guard.admit(request, READ, REVOKE)
        query = Query(request, (*PAGING, "behind", "client_id"))
        behind = query.number("behind", most=2**53)
        head, now = await self.log.head(), self.now()
        if behind is not None and behind > head.seq:
            raise InvalidField("behind", f"is above {head.seq}, where the log ends")
        where = ResourceServerFilter(
            client_id=query.text("client_id"), behind=None if behind is None else (head.log, behind)
        )
        page = await self.servers.list(query.page(LISTING), where)

        def body(server: ResourceServer) -> dict[str, object]:
            return resource_server_body(server, head.log, head.seq, now)

        return answer({**page_body(LISTING, page, body), "log": head.log, "seq": head.seq})
