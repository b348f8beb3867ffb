"""GET and POST /userinfo: who the token is about (OpenID Connect Core section 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from starlette.requests import Request
from starlette.responses import Response

from authserver.model.errors import InsufficientScope, InvalidToken
from authserver.oauth.errors import InvalidRequest
from authserver.oauth.userinfo import UserInfo
from authserver.tokens.claims import AccessTokenClaims
from authserver.tokens.validation import AccessTokens
from authserver.web.answers import NO_STORE, NoStoreJson
from authserver.web.forms import FORM, read_form

SCHEMES: Final = ("bearer", "dpop")


class Possession(Protocol):
    async def require(self, request: Request, token: str, scheme: str, claims: AccessTokenClaims) -> None:
        """Raises unless whoever sent the request holds the key that the token is bound to, and used the scheme (in
        lower case, "bearer" or "dpop") that goes with it."""
        ...


class BearerOnly:
    async def require(self, request: Request, token: str, scheme: str, claims: AccessTokenClaims) -> None:
        if claims.confirmation is not None or scheme != "bearer":
            raise InvalidToken("this token is bound to a key")


@dataclass(frozen=True, slots=True)
class UserInfoEndpoint:
    tokens: AccessTokens
    possession: Possession
    userinfo: UserInfo

    async def get(self, request: Request) -> Response:
        return await self._answer(request, _header_token(request))

    async def post(self, request: Request) -> Response:
        """The token in the header, or in the body of a form (RFC 6750 section 2.2)."""
        presented, in_body = _header_token(request), await _body_token(request)
        if presented is not None and in_body is not None:
            raise InvalidRequest("use one way to present the access token, not several")
        return await self._answer(request, presented or (None if in_body is None else ("bearer", in_body)))

    async def _answer(self, request: Request, presented: tuple[str, str] | None) -> Response:
        if presented is None:
            # RFC 6750 section 3.1: no error code for a request without any credentials.
            raise InvalidToken("this needs an access token", headers={"WWW-Authenticate": "Bearer"})
        scheme, token = presented
        try:
            claims, _ = await self.tokens.authenticate(token)
            await self.possession.require(request, token, scheme, claims)
            told = await self.userinfo.about(claims)
        except (InvalidToken, InsufficientScope) as refused:
            _challenged(refused, scheme)
        if isinstance(told, str):
            return Response(told, media_type="application/jwt", headers=NO_STORE)
        return NoStoreJson(told)


def _header_token(request: Request) -> tuple[str, str] | None:
    """Scheme in lower case and token. Raises InvalidToken when it is not the only credential."""
    values = [value.partition(" ") for value in request.headers.getlist("authorization")]
    found = [(scheme.lower(), token.strip()) for scheme, _, token in values if scheme.lower() in SCHEMES]
    if found and len(values) > 1:
        raise InvalidToken("more than one Authorization header")
    return found[0] if found else None


async def _body_token(request: Request) -> str | None:
    """A POST without a body has none; one with another body than a form is refused as everywhere."""
    if not request.headers.get("content-type"):
        return None
    if request.headers["content-type"].partition(";")[0].strip().lower() != FORM:
        return None
    return (await read_form(request)).get("access_token")


def _challenged(refused: InvalidToken | InsufficientScope, scheme: str) -> NoReturn:
    """RFC 6750 section 3, however the token came; RFC 9449 section 7.1 for the other scheme."""
    name = "DPoP" if scheme == "dpop" else "Bearer"
    scope = ', scope="openid"' if isinstance(refused, InsufficientScope) else ""
    refused.headers.setdefault("WWW-Authenticate", f'{name} error="{refused.code}"{scope}')
    raise refused
