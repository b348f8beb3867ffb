"""Logging in through an application's own screens, by the standard's draft (OAuth 2.0 for First-Party Applications).

The application sends what the user typed and gets an authorization code. What may be sent is what POST /login takes,
and the same throttle, the same timing and the same audit stand before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from authserver.accounts.errors import InvalidCredentials
from authserver.accounts.login import Login, PasswordAttempt
from authserver.clock import Clock
from authserver.model.audit import Caller
from authserver.model.authorization import AuthorizationRequest
from authserver.model.client import Client
from authserver.model.time import MINUTE, Duration
from authserver.oauth.authorization import AuthorizationFlow
from authserver.oauth.errors import InvalidRequest, OAuthError, UnauthorizedClient
from authserver.oauth.flow import PASSWORD_ACR, PendingRequest, essential_acrs
from authserver.oauth.form import Form
from authserver.tokens.sealed import NotSealed, Sealed, SealTooLong

SESSION_LIFE: Final[Duration] = 10 * MINUTE
"""From the first request to the code."""
CREDENTIALS: Final = ("username", "password")


class InsufficientAuthorization(OAuthError):
    """More is needed of the user; `auth_session` goes on with this very request (section 5.2.2)."""

    code = "insufficient_authorization"

    def __init__(self, description: str, *, auth_session: str) -> None:
        super().__init__(description, extra={"auth_session": auth_session, "methods": ["password"]})


class InvalidSession(OAuthError):
    """The `auth_session` is not ours, another client's, or too old."""

    code = "invalid_session"


class RedirectToWeb(OAuthError):
    """What is asked for can be had in a browser only, if at all (section 5.2.2.1)."""

    code = "redirect_to_web"


@dataclass(frozen=True, slots=True)
class AuthorizationChallenge:
    login: Login
    flow: AuthorizationFlow
    sealed: Sealed
    now: Clock

    async def code(
        self,
        client: Client,
        form: Form,
        request: AuthorizationRequest | None,
        caller: Caller,
        *,
        dpop_jkt: str | None,
        device_cookie: str | None,
    ) -> str:
        """An authorization code. `request` is what the form asks for, None when it goes on with an `auth_session`,
        which then needs the same `dpop_jkt` that it began with.

        Raises InsufficientAuthorization, InvalidRequest, InvalidSession, RedirectToWeb, UnauthorizedClient,
        LoginThrottled.
        """
        if not client.first_party:
            raise UnauthorizedClient("only a first-party client may send a user's password here")
        request = request or self._open(client, form.require("auth_session"), dpop_jkt)
        if essential_acrs(request.claims) - {PASSWORD_ACR}:
            raise RedirectToWeb("what this request asks of the log-in needs a browser")
        username, password = (form.get(name) for name in CREDENTIALS)
        if username is None or password is None:
            raise InsufficientAuthorization("send username and password", auth_session=self._seal(client, request))
        attempt = PasswordAttempt(
            username=username, password=password, client=client, mode="headless", device_cookie=device_cookie
        )
        try:
            logged_in = await self.login.with_password(attempt, caller)
        except InvalidCredentials as wrong:
            raise InsufficientAuthorization(wrong.description, auth_session=self._seal(client, request)) from None
        pending = PendingRequest(request=request, client=client, started_at=logged_in.session.auth_time)
        answer = await self.flow.issue(pending, logged_in.session, request.scope, caller)
        return answer.parameters["code"]

    def _seal(self, client: Client, request: AuthorizationRequest) -> str:
        try:
            return self.sealed.seal(request.as_json(), bound_to=client.id, until=self.now() + SESSION_LIFE)
        except SealTooLong:
            raise InvalidRequest("the request is too long for an auth_session") from None

    def _open(self, client: Client, auth_session: str, dpop_jkt: str | None) -> AuthorizationRequest:
        try:
            values = self.sealed.open(auth_session, bound_to=client.id, now=self.now())
        except NotSealed as error:
            raise InvalidSession("auth_session is not valid for this client; start again", detail=str(error)) from None
        request = AuthorizationRequest.from_json(values)
        if request.dpop_jkt != dpop_jkt:
            raise InvalidSession("auth_session is bound to the DPoP key that it began with")
        return request


def refuse_both(form: Form) -> None:
    """A request that goes on says nothing new about what it is for."""
    if form.get("auth_session") is not None and any(form.get(name) for name in ("scope", "code_challenge", "nonce")):
        raise InvalidRequest("auth_session goes on with the first request: leave out what that one said")
