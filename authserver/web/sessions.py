"""A user's own sessions: who am I, where am I logged in, end it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from authserver.model.errors import NotAuthenticated, NotFound, Refused
from authserver.model.inputs import is_uuid
from authserver.sessions.birth import LiveSession
from authserver.sessions.facts import session_facts
from authserver.sessions.lifecycle import Sessions
from authserver.storage.interface import UserStore
from authserver.web import cookies
from authserver.web.answers import NO_STORE
from authserver.web.caller import caller_of
from authserver.web.current import CurrentSession
from authserver.web.published import Publishes, published
from authserver.web.query import PAGING, Query, next_cursor

LISTING: Final = "own sessions"


@dataclass(frozen=True, slots=True)
class SessionEndpoint:
    """GET /session."""

    current: CurrentSession
    users: UserStore

    async def get(self, request: Request) -> Response:
        live = await self.current.of(request)
        user = await self.users.get(live.user_id)
        if user is None:
            raise NotAuthenticated("the session has ended")
        body: dict[str, object] = {
            "session": session_facts(live.session) | {"current": True},
            "user": {"user_id": user.id, "username": user.username},
        }
        if live.csrf_token is not None:
            body["csrf_token"] = live.csrf_token
        return JSONResponse(body, headers=NO_STORE)


@dataclass(frozen=True, slots=True)
class SessionsEndpoint:
    """GET /sessions?limit&cursor and DELETE /sessions?except=current."""

    current: CurrentSession
    sessions: Sessions
    publication: Publishes

    async def get(self, request: Request) -> Response:
        live = await self.current.of(request)
        page = await self.sessions.list(live.user_id, Query(request, PAGING).page(LISTING))
        shown = [session_facts(session) | {"current": session.id == live.session.id} for session in page.items]
        body = {"sessions": shown, "next_cursor": next_cursor(LISTING, page)}
        return JSONResponse(body, headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        """Refused without `except=current`: nobody ends every session by leaving something out."""
        live = await self.current.of(request)
        if request.query_params.multi_items() != [("except", "current")]:
            raise Refused("say which: DELETE /sessions?except=current, or DELETE /sessions/{id}")
        outcome = await self.sessions.end_others(
            live, reason="ended from another session", caller=caller_of(request, f"user:{live.user_id}")
        )
        body = {"sessions": outcome.sessions, "families": outcome.families}
        return JSONResponse(body, headers=NO_STORE | (await published(self.publication, request, outcome)).headers)


@dataclass(frozen=True, slots=True)
class SessionItemEndpoint:
    """DELETE /sessions/{session_id}."""

    current: CurrentSession
    sessions: Sessions
    publication: Publishes

    async def delete(self, request: Request) -> Response:
        """204; 404 alike for a session that is unknown, ended or another user's."""
        live = await self.current.of(request)
        session_id = request.path_params["session_id"]
        if not is_uuid(session_id):
            raise NotFound("there is no such session")
        caller = caller_of(request, f"user:{live.user_id}")
        reason = _reason(live, session_id)
        outcome = await self.sessions.end_one(live.user_id, session_id, reason=reason, caller=caller)
        response = Response(
            status_code=204, headers=NO_STORE | (await published(self.publication, request, outcome)).headers
        )
        if session_id == live.session.id and live.via == "cookie":
            cookies.clear_session(response)
        return response


def _reason(live: LiveSession, session_id: str) -> str:
    return "logged out" if session_id == live.session.id else "ended from another session"
