"""/account/login: name and password, for a request that is under way in this browser or for one's own account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from authserver.accounts.login import LoggedIn, Login, PasswordAttempt
from authserver.clock import Clock
from authserver.model.errors import Forbidden, Refused, TemporarilyUnavailable
from authserver.oauth.authorization import AuthorizationFlow
from authserver.oauth.flow import PendingRequest
from authserver.oauth.form import Form
from authserver.sessions.birth import LiveSession
from authserver.storage.interface import StorageUnavailable
from authserver.tokens.form_tokens import FormTokens
from authserver.web import cookies
from authserver.web.authorization_response import authorization_response
from authserver.web.caller import caller_of
from authserver.web.csrf import refuse_other_sites, require_form_token
from authserver.web.display import leads_to
from authserver.web.forms import read_form
from authserver.web.html import page
from authserver.web.pages.asking import Asking
from authserver.web.pages.visitor import ACCOUNT, CONTINUE, LOGIN, Visitors, go, return_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What the page is about."""

    browser: str
    """The value of the flow cookie."""
    flow: str | None
    pending: PendingRequest | None
    leads_to: str
    """A path of ours."""


@dataclass(frozen=True, slots=True)
class LoginPage:
    login: Login
    flows: AuthorizationFlow
    visitors: Visitors
    tokens: FormTokens
    now: Clock

    async def get(self, request: Request) -> Response:
        """Somebody who is logged in and is wanted by no client goes straight on."""
        cookies.require_https(request)
        asked = request.query_params
        visit = await self._visit(request, asked.get("flow"), asked.get("next"))
        live = await self.visitors.of(request)
        if live is not None and visit.pending is None:
            return go(request, visit.leads_to)
        return await self._page(request, visit, live, username=await self._expected(visit, live))

    async def post(self, request: Request) -> Response:
        cookies.require_https(request)
        refuse_other_sites(request, self.visitors.issuer, own_form=True)
        form = await read_form(request)
        self._require_token(request, form)
        visit = await self._visit(request, form.get("flow"), form.get("next"))
        if form.get("decision") == "cancel":
            return self._cancelled(request, visit)
        try:
            logged_in = await self.login.with_password(_attempt(request, form), caller_of(request))
        except (Refused, StorageUnavailable) as error:
            return await self._refused(request, visit, form, error)
        return self._welcome(request, visit, logged_in)

    def _require_token(self, request: Request, form: Form) -> None:
        """Log-in can be forged too: a victim logged in as the attacker leaves traces in the attacker's account."""
        browser = cookies.flow_cookie(request)
        if browser is None:
            raise Forbidden("this browser did not send our cookie: allow it, then open the page again")
        require_form_token(form.get("csrf"), self.tokens.of("login", browser))

    async def _visit(self, request: Request, flow: str | None, next_page: str | None) -> Visit:
        """Raises FlowOver."""
        browser = cookies.flow_cookie(request)
        pending = None if not flow else await self.flows.open(flow, browser)
        leads_to = return_path(next_page) if pending is None else f"{CONTINUE}?{urlencode({'flow': flow})}"
        return Visit(browser=browser or cookies.new_flow_value(), flow=flow, pending=pending, leads_to=leads_to)

    async def _expected(self, visit: Visit, live: LiveSession | None) -> str:
        """Whose name stands in the field: who is logged in, else whom the client expects."""
        if live is not None:
            return await self.visitors.name_of(live)
        return "" if visit.pending is None else visit.pending.request.login_hint or ""

    def _cancelled(self, request: Request, visit: Visit) -> Response:
        """A session that this browser has stays as it is."""
        if visit.pending is None:
            return go(request, ACCOUNT)
        return authorization_response(self.flows.deny(visit.pending))

    def _welcome(self, request: Request, visit: Visit, logged_in: LoggedIn) -> Response:
        response = go(request, visit.leads_to)
        until = logged_in.session.abs_until
        cookies.set_session(response, logged_in.session_cookie or "", now=self.now(), until=until)
        cookies.set_device(response, logged_in.device_cookie)
        return response

    async def _refused(
        self, request: Request, visit: Visit, form: Form, error: Refused | StorageUnavailable
    ) -> Response:
        """The page once more, with what was typed except the password."""
        refused = error if isinstance(error, Refused) else _silent(error)
        return await self._page(
            request,
            visit,
            await self._maybe_live(request, refused),
            username=form.get("username") or "",
            problem=_words(refused),
            status=refused.status,
            headers=refused.headers,
        )

    async def _maybe_live(self, request: Request, refused: Refused) -> LiveSession | None:
        return None if refused.status >= 500 else await self.visitors.of(request)

    async def _page(
        self,
        request: Request,
        visit: Visit,
        live: LiveSession | None,
        *,
        username: str,
        problem: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        pending = visit.pending
        uri = None if pending is None else pending.request.redirect_uri
        context = {
            "action": LOGIN,
            "csrf": self.tokens.of("login", visit.browser),
            "flow": visit.flow or "",
            "next": "" if pending is not None else visit.leads_to,
            "asking": None if pending is None else Asking.by(pending.client, uri),
            "again": live is not None,
            "username": username,
            "problem": problem,
        }
        sources = () if uri is None else leads_to(uri)
        response = page(request, "login.html", context, status=status, headers=headers, form_action=sources)
        if cookies.flow_cookie(request) is None:
            cookies.set_flow(response, visit.browser)
        return response


def _attempt(request: Request, form: Form) -> PasswordAttempt:
    """Raises Refused for an empty field."""
    username, password = form.get("username"), form.get("password")
    if username is None or password is None:
        raise Refused("enter your user name and your password")
    return PasswordAttempt(
        username=username,
        password=password,
        client=None,
        mode="session",
        device_cookie=cookies.device_cookie(request),
        session_cookie=cookies.session_cookie(request),
    )


def _silent(error: StorageUnavailable) -> Refused:
    return TemporarilyUnavailable("the server cannot check this at the moment", detail=str(error))


def _words(refused: Refused) -> str:
    """A sentence for people."""
    text = refused.description
    after = refused.headers.get("Retry-After")
    wait = f" (in {after} seconds)" if after is not None and refused.status == 429 else ""
    return f"{text[:1].upper()}{text[1:]}{wait}."
