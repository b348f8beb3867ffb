"""From a checked request to the answer that goes back to the client: the one owner of requests under way.

A request waits in its own browser: sealed into the `flow` parameter of our pages and bound to a cookie of that browser,
so that a link to a page of it is worth nothing anywhere else. A pushed request is kept in its row, and only named.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.ids import uuid7
from authserver.model.audit import Caller
from authserver.model.authorization import AuthorizationCode, AuthorizationRequest, Grantor, ResponseMode
from authserver.model.client import Client
from authserver.model.errors import Refused
from authserver.model.session import Session
from authserver.model.time import MINUTE, SECOND, Duration
from authserver.oauth.consent import Consents
from authserver.oauth.errors import AccessDenied, InvalidRequest, InvalidRequestUri, OAuthError, ToldLater
from authserver.oauth.flow import Approval, PendingRequest, Step, next_step
from authserver.oauth.redirect_uris import is_registered
from authserver.storage.interface import AuthorizationStore, ClientLookup, OnceStore
from authserver.tokens.handles import References
from authserver.tokens.sealed import NotSealed, Sealed, SealTooLong

CODE_LIFE: Final[Duration] = 60 * SECOND
"""As FAPI 2.0 Security Profile section 5.3.2.1 wants it for all."""
FLOW_LIFE: Final[Duration] = 30 * MINUTE
"""How long a user may take to log in and to agree."""
USED: Final = "this request_uri was used already"
ANSWERED: Final = "this request was answered already; start again at the application"


class FlowOver(Refused):
    """There is no such request under way in this browser: an error page, nothing to redirect to."""


class Addressed(Protocol):
    """Says where its answer goes: a request, or what was right of one that is refused."""

    @property
    def redirect_uri(self) -> str: ...

    @property
    def response_mode(self) -> ResponseMode: ...

    @property
    def state(self) -> str | None: ...


class SubjectOf(Protocol):
    def of(self, client: Client, user_id: str) -> str:
        """The `sub` by which this client knows the user."""
        ...


@dataclass(frozen=True, slots=True)
class AuthorizationAnswer:
    """An authorization response, success or error (RFC 6749 section 4.1.2, RFC 9207)."""

    redirect_uri: str
    response_mode: ResponseMode
    parameters: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthorizationFlow:
    sealed: Sealed
    codes: References
    clients: ClientLookup
    authorizations: AuthorizationStore
    once: OnceStore
    consents: Consents
    subjects: SubjectOf
    audit: AuditLog
    issuer: str
    now: Clock

    # -- between two pages --------------------------------------------------------------------

    def seal(self, pending: PendingRequest) -> str:
        """The `flow` parameter for our own pages; raises InvalidRequest when the request is too long for a URL."""
        value: dict[str, Any] = {"started_at": pending.started_at, "id": pending.id or secrets.token_urlsafe(12)}
        if pending.pushed is None:
            value["request"] = pending.request.as_json()
        else:
            value["pushed"] = base64.b64encode(pending.pushed).decode("ascii")
        if pending.refusal is not None:
            value["refusal"] = [pending.refusal.code, pending.refusal.description]
        if pending.approval is not None:
            value["approval"] = _approval_value(pending.approval, pending.request)
        try:
            return self.sealed.seal(value, bound_to=pending.browser, until=pending.started_at + FLOW_LIFE)
        except SealTooLong:
            raise InvalidRequest("the request is too long for a URL: push it first (RFC 9126)") from None

    async def open(self, flow: str, flow_cookie: str | None) -> PendingRequest:
        """The request under way in this browser; raises FlowOver."""
        try:
            value = self.sealed.open(flow, bound_to=flow_cookie or "", now=self.now())
        except NotSealed as error:
            raise FlowOver(
                "this page belongs to another browser, or was left open for too long; start again at the application",
                detail=str(error),
            ) from None
        if not flow_cookie:  # nothing is ever sealed for no browser
            raise FlowOver("this browser does not keep our cookie; allow it, and start again at the application")
        pushed = base64.b64decode(value["pushed"]) if "pushed" in value else None
        request = await self._request(value, pushed)
        return PendingRequest(
            request=request,
            client=await self._client(request),
            started_at=int(value["started_at"]),
            approval=_approval(value.get("approval"), request),
            pushed=pushed,
            refusal=ToldLater(*value["refusal"]) if "refusal" in value else None,
            browser=flow_cookie,
            id=value["id"],
        )

    async def _request(self, value: Mapping[str, Any], pushed: bytes | None) -> AuthorizationRequest:
        if pushed is None:
            return AuthorizationRequest.from_json(value["request"])
        kept = await self.authorizations.pushed(pushed, now=self.now())
        if kept is None:
            raise FlowOver(ANSWERED)
        return kept.request

    async def _client(self, request: AuthorizationRequest) -> Client:
        client = await self.clients.get(request.client_id)
        if client is None or not client.enabled or not still_stands(request, client):
            raise FlowOver("this application may not ask for authorization any more")
        return client

    # -- what comes next ----------------------------------------------------------------------

    async def decide(self, pending: PendingRequest, session: Session | None) -> Step:
        """`session`: the living browser session, if there is one."""
        if session is None:
            return next_step(pending, None, None, now=self.now())
        consent = await self.consents.of(session.user_id, pending.client.id)
        subject = self.subjects.of(pending.client, session.user_id)
        return next_step(pending, session, consent, subject=subject, now=self.now())

    async def consent(
        self, pending: PendingRequest, session: Session, granted_scopes: tuple[str, ...], caller: Caller
    ) -> str:
        """The user said yes to these of the scopes asked for. Returns the `flow` to continue with: it carries the yes.

        Raises FlowOver when that is not what the page had asked.
        """
        if not set(granted_scopes) <= set(pending.request.scope):
            raise FlowOver("more was allowed than was asked for; start again at the application")
        await self.consents.remember(pending, session, granted_scopes, caller)
        approval = Approval(user_id=session.user_id, scope=granted_scopes)
        return self.seal(replace(pending, approval=approval))

    # -- the answer ---------------------------------------------------------------------------

    async def issue(
        self, pending: PendingRequest, session: Session, scope: tuple[str, ...], caller: Caller
    ) -> AuthorizationAnswer:
        """Answer with a code, good for one minute and once; raises FlowOver if this request was answered before."""
        await self._use_up(pending)
        now, (text, sha256) = self.now(), self.codes.new()
        code = AuthorizationCode(
            handle_hash=sha256,
            family_id=uuid7(now),
            request=replace(pending.request, scope=scope),
            grantor=Grantor.of(session),
            client_version=pending.client.version,
            created_at=now,
            expires_at=now + CODE_LIFE,
        )
        event = self.audit.event(
            EventType.CODE_ISSUED,
            caller.acting_as(f"user:{session.user_id}"),
            user_id=session.user_id,
            client_id=pending.client.id,
            session_id=session.id,
            family_id=code.family_id,
            scope=list(scope),
        )
        consented = pending.needs_consent
        if not await self.authorizations.add_code(code, pushed=pending.pushed, consented=consented, event=event):
            raise AccessDenied("withdrawn meanwhile") if pending.pushed is None else InvalidRequestUri(USED)
        return self._answer(pending.request, {"code": text})

    async def _use_up(self, pending: PendingRequest) -> None:
        """A page sent twice, or found again in the browser's history, gives no second code."""
        until = pending.started_at + FLOW_LIFE
        if pending.id and not await self.once.use("flow", pending.id, expires_at=until, now=self.now()):
            raise FlowOver(ANSWERED)

    def deny(self, pending: PendingRequest) -> AuthorizationAnswer:
        """The user said no."""
        return self.refuse(pending.request, AccessDenied("the user said no"))

    def refuse(self, to: Addressed, error: OAuthError) -> AuthorizationAnswer:
        return self._answer(to, {"error": error.code, "error_description": error.description})

    def _answer(self, to: Addressed, members: Mapping[str, str]) -> AuthorizationAnswer:
        """RFC 9207: `iss` in every one."""
        state = {} if to.state is None else {"state": to.state}
        return AuthorizationAnswer(to.redirect_uri, to.response_mode, {**members, **state, "iss": self.issuer})


def still_stands(request: AuthorizationRequest, client: Client) -> bool:
    """What was checked when the request came has not been taken from its client since."""
    return "authorization_code" in client.grant_types and is_registered(client, request.redirect_uri)


def _approval_value(approval: Approval, request: AuthorizationRequest) -> dict[str, Any]:
    """All of the scope is not said twice: a URL has only so much room."""
    whole = approval.scope == request.scope
    return {"user_id": approval.user_id} if whole else {"user_id": approval.user_id, "scope": approval.scope}


def _approval(value: Mapping[str, Any] | None, request: AuthorizationRequest) -> Approval | None:
    if value is None:
        return None
    return Approval(user_id=value["user_id"], scope=tuple(value.get("scope", request.scope)))
