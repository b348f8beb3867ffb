"""/account: who am I, where am I logged in, which applications may what; and the buttons that end it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from authserver.model.authorization import Consent
from authserver.model.client import Client
from authserver.model.errors import NotFound, Refused
from authserver.model.inputs import is_uuid
from authserver.model.page import PageRequest
from authserver.model.session import Session
from authserver.oauth.consent import Consents
from authserver.sessions.lifecycle import Sessions
from authserver.storage.interface import ClientLookup
from authserver.web import cookies
from authserver.web.caller import caller_of
from authserver.web.display import program_of
from authserver.web.html import page
from authserver.web.pages.asking import described
from authserver.web.pages.logout import confirm_logout_page, logged_out_page
from authserver.web.pages.visitor import ACCOUNT, LOGIN, Visitors, go

LOGOUT: Final = "/account/logout"
MOST_SESSIONS: Final = 100
ENDED_HERE: Final = "ended from another session"

_DONE: Final[Mapping[str, str]] = {
    "session": "That session has ended.",
    "others": "You are logged out everywhere else.",
    "withdrawn": "That application has no access any more.",
}


@dataclass(frozen=True, slots=True)
class AccountPage:
    visitors: Visitors
    sessions: Sessions
    consents: Consents
    clients: ClientLookup

    async def get(self, request: Request) -> Response:
        live = await self.visitors.of(request)
        if live is None:
            return go(request, LOGIN)
        sessions = await self.sessions.list(live.user_id, PageRequest(limit=MOST_SESSIONS))
        consents = await self.consents.of_user(live.user_id)
        names = await self._names([*(s.client_id for s in sessions.items), *(c.client_id for c in consents)])
        context = {
            "csrf": live.csrf_token or "",
            "username": await self.visitors.name_of(live),
            "user_id": live.user_id,
            "sessions": [_session(session, names, live.session.id) for session in _first(sessions.items, live.session)],
            "more": sessions.next_after is not None,
            "apps": [_app(consent, names) for consent in consents],
            "done": _DONE.get(request.query_params.get("done", "")),
        }
        return page(request, "account.html", context)

    async def end_session(self, request: Request) -> Response:
        """POST /account/sessions/{session_id}/end."""
        live, _ = await self.visitors.sent(request)
        session_id = request.path_params["session_id"]
        if session_id == live.session.id:
            return go(request, LOGOUT)
        if not is_uuid(session_id):
            raise NotFound("there is no such session")
        caller = caller_of(request, f"user:{live.user_id}")
        await self.sessions.end_one(live.user_id, session_id, reason=ENDED_HERE, caller=caller)
        return go(request, f"{ACCOUNT}?done=session")

    async def end_others(self, request: Request) -> Response:
        """POST /account/sessions/end-others."""
        live, _ = await self.visitors.sent(request)
        caller = caller_of(request, f"user:{live.user_id}")
        await self.sessions.end_others(live, reason=ENDED_HERE, caller=caller)
        return go(request, f"{ACCOUNT}?done=others")

    async def withdraw(self, request: Request) -> Response:
        """POST /account/consents/withdraw; `client_id` is in the form, because it may be a URL."""
        live, form = await self.visitors.sent(request)
        caller = caller_of(request, f"user:{live.user_id}")
        await self.consents.withdraw(live.user_id, form.require("client_id"), caller)
        return go(request, f"{ACCOUNT}?done=withdrawn")

    async def _names(self, client_ids: Iterable[str | None]) -> dict[str, Client]:
        found = [await self.clients.get(client_id) for client_id in sorted({i for i in client_ids if i is not None})]
        return {client.id: client for client in found if client is not None}


@dataclass(frozen=True, slots=True)
class LogoutPage:
    """/account/logout."""

    visitors: Visitors
    sessions: Sessions

    async def get(self, request: Request) -> Response:
        live = await self.visitors.of(request)
        if live is None:
            return logged_out_page(request)
        username = await self.visitors.name_of(live)
        return confirm_logout_page(request, action=LOGOUT, csrf=live.csrf_token or "", username=username)

    async def post(self, request: Request) -> Response:
        live, form = await self.visitors.sent(request)
        decision = form.get("decision")
        if decision == "stay":
            return go(request, ACCOUNT)
        if decision != "logout":
            raise Refused("say whether you want to log out or not")
        caller = caller_of(request, f"user:{live.user_id}")
        await self.sessions.end(live.session, reason="logged out", caller=caller)
        response = go(request, LOGOUT)
        cookies.clear_session(response)
        return response


def _first(sessions: Sequence[Session], current: Session) -> list[Session]:
    """The one of this browser, then the others."""
    return [current, *(session for session in sessions if session.id != current.id)]


def _session(session: Session, clients: Mapping[str, Client], current: str) -> dict[str, object]:
    client = clients.get(session.client_id or "")
    return {
        "id": session.id,
        "current": session.id == current,
        "client": session.client_id if client is None else client.name,
        "program": program_of(session.user_agent),
        "address": session.address,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
    }


def _app(consent: Consent, clients: Mapping[str, Client]) -> dict[str, object]:
    client = clients.get(consent.client_id)
    return {
        "client_id": consent.client_id,
        "name": consent.client_id if client is None else client.name,
        "vouched": client is not None and client.origin == "admin",
        "scopes": described(consent.scope),
        "resources": consent.resources,
        "granted_at": consent.granted_at,
    }
