"""Who is behind a request, for the audit log and for throttling."""

from __future__ import annotations

from starlette.requests import Request

from authserver import telemetry
from authserver.model.audit import Caller

MAX_USER_AGENT = 200


def caller_of(request: Request, actor: str = "anonymous") -> Caller:
    """Address and request id as the middleware settled them (trusted proxies are already seen through)."""
    client = request.scope.get("client")
    return Caller(
        actor=actor,
        address=client[0] if client else "",
        user_agent=request.headers.get("user-agent", "")[:MAX_USER_AGENT],
        request_id=telemetry.request_id.get(),
    )
