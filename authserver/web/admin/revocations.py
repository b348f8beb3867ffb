"""POST and GET /admin/revocations: take something back, and the list of what was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.administration.scopes import READ, REVOKE
from authserver.administration.views import outcome_body, when
from authserver.clock import Clock
from authserver.model.audit import AuditEvent
from authserver.model.inputs import InvalidField
from authserver.model.revocation import RevocationTarget
from authserver.model.time import Duration
from authserver.revocation.revoker import EVENT_OF, Revoker
from authserver.revocation.targets import RevocationRequest, parse_request
from authserver.storage.interface import AuditFilter, AuditStore
from authserver.web.admin.guard import AdminGuard
from authserver.web.admin.render import answer
from authserver.web.forms import read_json
from authserver.web.published import Publishes, published
from authserver.web.query import PAGING, Query, page_body

LISTING = "revocations"
_LEVELS = {str(kind): str(event_type) for kind, event_type in EVENT_OF.items()}


@dataclass(frozen=True, slots=True)
class AdminRevocationsEndpoint:
    guard: AdminGuard
    revoker: Revoker
    resolve_token: Callable[[str], Awaitable[RevocationTarget]]
    """An access token to its jti, a refresh token to its family; raises NotFound for anything else."""
    audit: AuditStore
    now: Clock
    longest_token: Duration
    publication: Publishes

    async def post(self, request: Request) -> Response:
        administrator = await self.guard.admit(request, REVOKE)
        dry_run = Query(request, ("dry_run",)).truth("dry_run") or False
        asked = parse_request(await read_json(request), now=self.now(), longest_token=self.longest_token)
        target = await self._target(asked)
        if dry_run:
            return answer(outcome_body(await self.revoker.preview(target), None, dry_run=True))
        outcome = await self.revoker.revoke(target, reason=asked.reason, caller=administrator.caller)
        sequence, headers = await published(self.publication, request, outcome)
        return answer(outcome_body(outcome, sequence, dry_run=False), headers=headers)

    async def get(self, request: Request) -> Response:
        """Newest first; `kind` is one of the levels, the other filters are those of the audit log."""
        await self.guard.admit(request, READ, REVOKE)
        query = Query(request, (*PAGING, "kind", "actor", "user_id", "client_id", "session_id", "since", "until"))
        kind = query.choice("kind", _LEVELS)
        where = AuditFilter(
            types=(_LEVELS[kind],) if kind else tuple(_LEVELS.values()),
            actor=query.text("actor"),
            user_id=query.uuid("user_id"),
            client_id=query.text("client_id"),
            session_id=query.uuid("session_id"),
            since=query.moment("since"),
            until=query.moment("until"),
        )
        page = await self.audit.list(query.page(LISTING), where)
        return answer(page_body(LISTING, page, _past_revocation))

    async def _target(self, asked: RevocationRequest) -> RevocationTarget:
        if asked.token is not None:
            return await self.resolve_token(asked.token)
        if asked.target is None:
            raise InvalidField("token", "is missing")
        return asked.target


def _past_revocation(event: AuditEvent) -> dict[str, object]:
    kind = next((kind for kind, event_type in _LEVELS.items() if event_type == event.type), event.type)
    detail = {name: value for name, value in event.detail.items() if name != "target"}
    return {
        **detail,
        "id": event.id,
        "at": when(event.at),
        "kind": kind,
        "actor": event.actor,
        "address": event.address,
        "request_id": event.request_id,
        "user_id": event.user_id,
        "client_id": event.client_id,
        "session_id": event.session_id,
    }
