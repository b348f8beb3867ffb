"""POST /revocations/applied: resource servers say what they have applied (docs/feed.md)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.administration.fields import Reader, read_fields, required
from authserver.model.errors import InvalidToken
from authserver.model.inputs import text, whole_number
from authserver.oauth.client_auth import ClientAuthenticator
from authserver.oauth.errors import InvalidRequest
from authserver.revocation.applied import AppliedReports, Report
from authserver.web.answers import NO_STORE
from authserver.web.caller import caller_of
from authserver.web.feed_guard import authenticated
from authserver.web.forms import read_json


def _instance(field: str, value: object) -> str:
    return text(field, value, longest=200)


def _checkpoint_text(field: str, value: object) -> str:
    return text(field, value, longest=4096)


def _entries(field: str, value: object) -> int:
    return whole_number(field, value, least=0, most=2**53)


_APPLIED: dict[str, Reader] = {"instance": _instance, "checkpoint": _checkpoint_text, "entries": _entries}


@dataclass(frozen=True, slots=True)
class AppliedEndpoint:
    """POST /revocations/applied: a resource server says which checkpoint it has applied."""

    clients: ClientAuthenticator
    reports: AppliedReports

    async def post(self, request: Request) -> Response:
        """204; only for confidential clients, whoever may read."""
        client = await authenticated(self.clients, request)
        fields = read_fields(await read_json(request), _APPLIED)
        required(fields, *_APPLIED)
        caller = caller_of(request)
        report = Report(
            client_id=client.id,
            instance=str(fields["instance"]),
            checkpoint=str(fields["checkpoint"]),
            entries=int(str(fields["entries"])),
            address=caller.address,
            version="".join(filter(str.isprintable, caller.user_agent))[:100] or None,
        )
        try:
            await self.reports.take(report)
        except InvalidToken as error:
            raise InvalidRequest("checkpoint is not one that this issuer signed", detail=error.description) from None
        return Response(status_code=204, headers=NO_STORE)
