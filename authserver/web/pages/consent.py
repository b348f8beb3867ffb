"""/account/consent: may this application have what it asks for? All of it or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from authserver.model.errors import Refused
from authserver.oauth.authorization import AuthorizationFlow
from authserver.oauth.flow import AskConsent, PendingRequest
from authserver.oauth.form import Form
from authserver.sessions.birth import LiveSession
from authserver.web import cookies
from authserver.web.authorization_response import authorization_response
from authserver.web.caller import caller_of
from authserver.web.display import leads_to
from authserver.web.html import page
from authserver.web.pages.asking import Asking, claim_names, described, readable
from authserver.web.pages.visitor import CONTINUE, Visitors, go

CONSENT: Final = "/account/consent"


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """Bound to the browser, by the cookie without which no request under way can be opened, and to the session, by its
    CSRF token: what one user read, no other allows."""

    flows: AuthorizationFlow
    visitors: Visitors

    async def get(self, request: Request) -> Response:
        """Somebody who has nothing to decide here (not logged in, logged in too long ago, agreed before) goes on."""
        flow = request.query_params.get("flow") or ""
        pending = await self.flows.open(flow, cookies.flow_cookie(request))
        live = await self.visitors.of(request)
        step = await self.flows.decide(pending, None if live is None else live.session)
        if live is None or not isinstance(step, AskConsent):
            return _go_on(request, flow)
        return await self._page(request, flow, pending, live)

    async def post(self, request: Request) -> Response:
        live, form = await self.visitors.sent(request)
        flow = form.get("flow") or ""
        pending = await self.flows.open(flow, cookies.flow_cookie(request))
        if not _allowed(form):
            return authorization_response(self.flows.deny(pending))
        step = await self.flows.decide(pending, live.session)
        if not isinstance(step, AskConsent):
            return _go_on(request, flow)
        caller = caller_of(request, f"user:{live.user_id}")
        return _go_on(request, await self.flows.consent(pending, live.session, pending.request.scope, caller))

    async def _page(self, request: Request, flow: str, pending: PendingRequest, live: LiveSession) -> Response:
        asked = pending.request
        context = {
            "action": CONSENT,
            "csrf": live.csrf_token or "",
            "flow": flow,
            "username": await self.visitors.name_of(live),
            "asking": Asking.by(pending.client, asked.redirect_uri),
            "scopes": described(asked.scope),
            "claims": claim_names(asked.claims),
            "resources": [resource for resource in asked.resources if resource != self.visitors.issuer],
            "details": readable(asked.authorization_details),
        }
        return page(request, "consent.html", context, form_action=leads_to(asked.redirect_uri))


def _allowed(form: Form) -> bool:
    """Raises Refused for a form without a button."""
    decision = form.get("decision")
    if decision not in ("allow", "deny"):
        raise Refused("say whether you allow it or not")
    return decision == "allow"


def _go_on(request: Request, flow: str) -> Response:
    return go(request, f"{CONTINUE}?{urlencode({'flow': flow})}")
