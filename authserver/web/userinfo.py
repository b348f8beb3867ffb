"""GET and POST /userinfo: who the token is about (OpenID Connect Core section 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from starlette.requests import Request
from starlette.responses import Response

from authserver.model.errors import InsufficientScope, InvalidToken
from authserver.oauth.errors import InvalidRequest
from authserver.oauth.userinfo import UserInfo
from authserver.tokens.validation import AccessTokens
from authserver.web.answers import NO_STORE, NoStoreJson
from authserver.web.forms import FORM, read_form
from authserver.web.possession import Possession, ShownToken, shown_token


@dataclass(frozen=True, slots=True)
class UserInfoEndpoint:
    tokens: AccessTokens
    possession: Possession
    userinfo: UserInfo

    async def get(self, request: Request) -> Response:
        return await self._answer(request, shown_token(request))

    async def post(self, request: Request) -> Response:
        """The token in the header, or in the body of a form (RFC 6750 section 2.2)."""
        shown, in_body = shown_token(request), await _body_token(request)
        if shown is not None and in_body is not None:
            raise InvalidRequest("use one way to present the access token, not several")
        return await self._answer(request, shown or in_body)

    async def _answer(self, request: Request, shown: ShownToken | None) -> Response:
        if shown is None:
            # RFC 6750 section 3.1: no error code for a request without any credentials.
            raise InvalidToken("this needs an access token", headers={"WWW-Authenticate": "Bearer"})
        try:
            claims, _ = await self.tokens.authenticate(shown.token)
            await self.possession.require(request, shown.token, shown.scheme, claims)
            told = await self.userinfo.about(claims)
        except (InvalidToken, InsufficientScope) as refused:
            _challenged(refused, shown.scheme)
        if isinstance(told, str):
            return Response(told, media_type="application/jwt", headers=NO_STORE)
        return NoStoreJson(told)


async def _body_token(request: Request) -> ShownToken | None:
    """Of a form; any other body, or none, has no token."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return None
    token = (await read_form(request)).get("access_token")
    return None if token is None else ShownToken("bearer", token)


def _challenged(refused: InvalidToken | InsufficientScope, scheme: str) -> NoReturn:
    """RFC 6750 section 3, however the token came; RFC 9449 section 7.1 for the other scheme."""
    name = "DPoP" if scheme == "dpop" else "Bearer"
    scope = ', scope="openid"' if isinstance(refused, InsufficientScope) else ""
    refused.headers.setdefault("WWW-Authenticate", f'{name} error="{refused.code}"{scope}')
    raise refused
