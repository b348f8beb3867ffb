"""/account/device: somebody logs in here for a device elsewhere (RFC 8628 section 3.3).

The person who types a code may have been sent it by an attacker, whose device it then is (RFC 10027). So nobody gets on
by a link alone: the code stands in a field, what asks is shown with where it is, and the page says when to stop.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response

from authserver.model.audit import Caller
from authserver.model.errors import Refused
from authserver.model.session import Session
from authserver.oauth.device import WaitingDevice
from authserver.oauth.form import Form
from authserver.sessions.birth import LiveSession
from authserver.web.caller import caller_of
from authserver.web.html import page
from authserver.web.pages.asking import Asking, described, readable
from authserver.web.pages.visitor import LOGIN, Visitors, go

DEVICE: Final = "/account/device"
_TYPED: Final = re.compile(r"[A-Za-z0-9-]{1,40}")


class DeviceDecisions(Protocol):
    """`oauth.device.DeviceAuthorization`, the person's side."""

    async def find(self, typed: str, session: Session, caller: Caller) -> WaitingDevice:
        """Raises UnknownUserCode, TooManyRequests."""
        ...

    async def decide(self, waiting: WaitingDevice, session: Session, *, approved: bool, caller: Caller) -> None:
        """Raises UnknownUserCode."""
        ...


@dataclass(frozen=True, slots=True)
class DevicePage:
    devices: DeviceDecisions
    visitors: Visitors

    async def redirect(self, request: Request) -> Response:
        """GET /device: the short address that stands on devices."""
        return go(request, _with_code(DEVICE, request.query_params.get("user_code")))

    async def get(self, request: Request) -> Response:
        """The form, its field filled in from a link (verification_uri_complete)."""
        code = request.query_params.get("user_code")
        live = await self.visitors.of(request)
        if live is None:
            return go(request, f"{LOGIN}?next={_with_code(DEVICE, code)}")
        return self._entry(request, live, code if code is not None and _TYPED.fullmatch(code) else "")

    async def post(self, request: Request) -> Response:
        """First the code alone: who asks? Then with the answer. Also of the short address."""
        live, form = await self.visitors.sent(request)
        caller = caller_of(request, f"user:{live.user_id}")
        typed = form.get("user_code") or ""
        try:
            waiting = await self.devices.find(typed, live.session, caller)
            if form.get("decision") is None:
                return await self._confirm(request, live, typed, waiting)
            approved = _approved(form)
            await self.devices.decide(waiting, live.session, approved=approved, caller=caller)
        except Refused as refused:
            if refused.status >= 500:
                raise
            return self._entry(request, live, typed, refused)
        return page(request, "device_done.html", {"approved": approved, "asking": Asking.by(waiting.client, None)})

    def _entry(self, request: Request, live: LiveSession, code: str, refused: Refused | None = None) -> Response:
        context: Mapping[str, object] = {
            "action": DEVICE,
            "csrf": live.csrf_token or "",
            "user_code": code,
            "problem": None if refused is None else f"{refused.description[:1].upper()}{refused.description[1:]}.",
        }
        status, headers = (200, {}) if refused is None else (refused.status, refused.headers)
        return page(request, "device.html", context, status=status, headers=headers)

    async def _confirm(self, request: Request, live: LiveSession, typed: str, waiting: WaitingDevice) -> Response:
        asked = waiting.request
        context = {
            "action": DEVICE,
            "csrf": live.csrf_token or "",
            "user_code": typed,
            "username": await self.visitors.name_of(live),
            "asking": Asking.by(waiting.client, None),
            "scopes": described(asked.scope),
            "resources": [resource for resource in asked.resources if resource != self.visitors.issuer],
            "details": readable(asked.authorization_details),
            "address": asked.address,
            "since": asked.created_at,
        }
        return page(request, "device_confirm.html", context)


def _approved(form: Form) -> bool:
    decision = form.get("decision")
    if decision not in ("allow", "deny"):
        raise Refused("say whether you allow it or not")
    return decision == "allow"


def _with_code(path: str, code: str | None) -> str:
    """A code that can be none is left out: whatever stands in this address is ours."""
    return f"{path}?user_code={code}" if code is not None and _TYPED.fullmatch(code) else path
