"""Request objects: authorization requests that the client signed (RFC 9101)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from authserver.clock import Clock
from authserver.model.client import Client
from authserver.model.errors import Refused
from authserver.model.time import HOUR, SECOND, Duration, Instant
from authserver.oauth.errors import InvalidRequest, InvalidRequestObject, OAuthError
from authserver.oauth.form import Form
from authserver.storage.interface import OnceStore

TYPES: Final[tuple[str | None, ...]] = ("oauth-authz-req+jwt", "JWT", None)
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
MAX_LIFE: Duration = HOUR
"""Of one with a jti, which is remembered for as long (FAPI 2.0 Message Signing section 5.3.1)."""
_OF_THE_JWT: Final = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})


class ClientJwts(Protocol):
    async def verify(
        self,
        token: str,
        client: Client,
        *,
        audience: Collection[str],
        issuer: str,
        typ: Collection[str | None],
        algorithms: Collection[str],
        now: Instant,
    ) -> Mapping[str, Any]:
        """The claims of a JWT that the client signed for us; raises Refused."""
        ...


@dataclass(frozen=True, slots=True)
class RequestObjects:
    jwts: ClientJwts
    once: OnceStore
    issuer: str
    now: Clock

    async def parameters(self, token: str, client: Client) -> Form:
        """What the client signed, and nothing else (section 6.3); raises InvalidRequestObject, InvalidRequest."""
        chosen = client.request_object_signing_alg
        try:
            claims = await self.jwts.verify(
                token,
                client,
                audience=(self.issuer,),
                issuer=client.id,
                typ=TYPES,
                algorithms=ALGORITHMS if chosen is None else (chosen,),
                now=self.now(),
            )
        except Refused as refused:
            raise _not_acceptable(refused) from None
        _check_members(claims, client)
        await self._use_once(claims, client)
        return _as_form(claims)

    async def _use_once(self, claims: Mapping[str, Any], client: Client) -> None:
        """A `jti` counts once (RFC 7519 section 4.1.7); an object without one may come again until it expires."""
        jti, now = claims.get("jti"), self.now()
        if jti is None:
            return
        if not isinstance(jti, str):
            raise InvalidRequestObject("jti of the request object is not a string")
        expires = int(claims["exp"]) * SECOND if "exp" in claims else now + MAX_LIFE
        if expires > now + MAX_LIFE:
            raise InvalidRequestObject("a request object with a jti may live for an hour at most")
        if not await self.once.use(f"request object {client.id}", jti, expires_at=expires, now=now):
            raise InvalidRequestObject("this request object was used before")


def _not_acceptable(refused: Refused) -> OAuthError:
    return InvalidRequestObject("the request object is not acceptable", detail=refused.detail or refused.description)


def _check_members(claims: Mapping[str, Any], client: Client) -> None:
    if "request" in claims or "request_uri" in claims:
        raise InvalidRequestObject("a request object may not hold another one (RFC 9101 section 4)")
    if claims.get("client_id") != client.id:
        raise InvalidRequestObject("client_id of the request object is not the one of the request")


def _as_form(claims: Mapping[str, Any]) -> Form:
    """The same parameters as a query would have; JSON members, such as `claims`, become their text."""
    first: dict[str, str] = {}
    others: dict[str, list[str]] = {}
    for name, value in claims.items():
        if name in _OF_THE_JWT:
            continue
        values = [item for item in map(_text, _several(name, value)) if item]
        if values:
            first[name] = values[0]
        if len(values) > 1:
            others[name] = values[1:]
    return Form(first, others)


def _several(name: str, value: object) -> list[object]:
    """`resource` is the one parameter that may be repeated (RFC 8707 section 2)."""
    return value if name == "resource" and isinstance(value, list) else [value]


def _text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidRequest("the request object contains what is no text")
    return text
