"""POST /login: a user's name and password for tokens, or for a session cookie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from authserver.accounts.login import LoggedIn, Login, PasswordAttempt
from authserver.clock import Clock
from authserver.model.client import Client
from authserver.model.grant import Confirmation
from authserver.model.inputs import InvalidField, shown
from authserver.oauth.client_auth import ClientAuthenticator
from authserver.oauth.errors import UnauthorizedClient
from authserver.oauth.form import Form
from authserver.oauth.issuance import TokenIssuance
from authserver.oauth.scopes import audience, grant_scope
from authserver.sessions.facts import session_facts
from authserver.telemetry import TOKENS_ISSUED
from authserver.web import cookies
from authserver.web.answers import NO_STORE
from authserver.web.caller import caller_of
from authserver.web.csrf import refuse_other_sites
from authserver.web.forms import read_json
from authserver.web.presented import presented
from authserver.web.proof import ProofOfPossession


@dataclass(frozen=True, slots=True)
class LoginEndpoint:
    login: Login
    clients: ClientAuthenticator
    issuance: TokenIssuance
    proof: ProofOfPossession
    issuer: str
    now: Clock

    async def post(self, request: Request) -> Response:
        refuse_other_sites(request, self.issuer)
        body = LoginBody.read(await read_json(request))
        if body.mode == "session":
            cookies.require_https(request)
        client = await self._client(request, body)
        confirmation = await self.proof.confirm(request, client) if body.mode == "token" else None
        attempt = self._attempt(body, client, request, confirmation)
        if body.mode == "token":
            self.issuance.require_ready(client)  # before a session is opened that has no token
        logged_in = await self.login.with_password(attempt, caller_of(request))
        response = self._session(logged_in) if body.mode == "session" else await self._tokens(logged_in, attempt)
        if cookies.takes_cookies(request):
            cookies.set_device(response, logged_in.device_cookie)
        return response

    async def _client(self, request: Request, body: LoginBody) -> Client:
        """The application that sends the password: one of our own, proven by its secret if it has one."""
        if not body.client_parameters.first and request.headers.get("authorization") is None:
            raise InvalidField("client_id", "is required")
        client = await self.clients.authenticate(presented(request, body.client_parameters))
        if not client.first_party:
            raise UnauthorizedClient("only a first-party client may send a user's password here")
        return client

    def _attempt(
        self, body: LoginBody, client: Client, request: Request, confirmation: Confirmation | None
    ) -> PasswordAttempt:
        return PasswordAttempt(
            username=body.username,
            password=body.password,
            client=client,
            mode=body.mode,
            scope=grant_scope(client, body.scope),
            resources=audience(client, body.resources, self.issuer),
            scope_asked=None if body.scope is None else tuple(body.scope.split()),
            confirmation=confirmation,
            device_cookie=cookies.device_cookie(request),
            session_cookie=cookies.session_cookie(request),
        )

    async def _tokens(self, logged_in: LoggedIn, attempt: PasswordAttempt) -> Response:
        answer = await self.issuance.answer(logged_in.authorization(attempt))
        TOKENS_ISSUED.inc("login")
        return JSONResponse(answer, headers=NO_STORE)

    def _session(self, logged_in: LoggedIn) -> Response:
        session = logged_in.session
        body = {"session": session_facts(session) | {"current": True}, "csrf_token": logged_in.csrf_token}
        response = JSONResponse(body, headers=NO_STORE)
        cookies.set_session(response, logged_in.session_cookie or "", now=self.now(), until=session.abs_until)
        return response


# -- the body ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoginBody:
    """The members of the request, each of the right type; raises InvalidField naming the first that is not."""

    username: str
    password: str
    client_parameters: Form
    """The client's part of the body, as the one place that authenticates clients knows it."""
    scope: str | None
    resources: tuple[str, ...]
    mode: Literal["token", "session"]

    @classmethod
    def read(cls, body: Mapping[str, object]) -> LoginBody:
        for name in body:
            if name not in _READERS:
                raise InvalidField(shown(name), f"is not known here; known are: {', '.join(_READERS)}")
        for name in ("username", "password"):
            if name not in body:
                raise InvalidField(name, "is required")
        values = {name: read(name, body[name]) if name in body else None for name, read in _READERS.items()}
        return cls(
            username=str(values["username"]),
            password=str(values["password"]),
            client_parameters=Form({name: str(body[name]) for name in _CLIENT if name in body}),
            scope=_optional(values["scope"]),
            resources=_resources("resource", body.get("resource", [])),
            mode="session" if values["mode"] == "session" else "token",
        )


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidField(name, "must be a string")
    if not value:
        raise InvalidField(name, "must not be empty")
    return value


def _resources(name: str, value: object) -> tuple[str, ...]:
    """One resource (RFC 8707) or several."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list):
        raise InvalidField(name, "must be a string or a list of strings")
    return tuple(_text(name, item) for item in values)


def _mode(name: str, value: object) -> str:
    if value not in ("token", "session"):
        raise InvalidField(name, "must be token or session")
    return str(value)


_READERS: Final[Mapping[str, Callable[[str, object], object]]] = {
    "username": _text,
    "password": _text,
    "client_id": _text,
    "client_secret": _text,
    "client_assertion": _text,
    "client_assertion_type": _text,
    "scope": _text,
    "resource": _resources,
    "mode": _mode,
}
_CLIENT: Final = ("client_id", "client_secret", "client_assertion", "client_assertion_type")


def _optional(value: object) -> str | None:
    return None if value is None else str(value)
