"""Request objects: authorization requests that the client signed (RFC 9101)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from authserver.clock import Clock
from authserver.model.client import Client
from authserver.model.time import HOUR, SECOND, Duration
from authserver.oauth.client_proofs import client_algorithms
from authserver.oauth.errors import InvalidRequestObject
from authserver.oauth.form import Form
from authserver.storage.interface import OnceStore
from authserver.tokens.client_jwt import (
    LEEWAY,
    ClientJwtRefused,
    Expected,
    verify_client_jwt,
)
from authserver.tokens.client_keys import ClientKeys

TYPES: Final[tuple[str | None, ...]] = ("oauth-authz-req+jwt", "JWT", None)
"""Untyped ones are what OpenID Connect libraries send (RFC 9101 section 10.8)."""
MAX_LIFE: Duration = HOUR
"""FAPI 2.0 Message Signing section 5.3.1."""
_OF_THE_JWT: Final = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})


@dataclass(frozen=True, slots=True)
class RequestObjects:
    keys: ClientKeys
    once: OnceStore
    issuer: str
    now: Clock

    async def parameters(self, token: str, client: Client) -> Form:
        """What the client signed, and nothing else (section 6.3); raises InvalidRequestObject."""
        expected = Expected(
            issuer=client.id,
            audience=(self.issuer,),
            typ=TYPES,
            algorithms=client_algorithms(client, client.request_object_signing_alg),
            max_lifetime=MAX_LIFE,
        )
        try:
            claims = await verify_client_jwt(self.keys, token, client, expected, self.now())
        except ClientJwtRefused as refused:
            raise InvalidRequestObject(f"request object: {refused.why}", detail=refused.detail) from None
        _check_members(claims, client)
        await self._use_once(claims, client)
        return _as_form(claims)

    async def _use_once(self, claims: Mapping[str, Any], client: Client) -> None:
        """A `jti` counts once (RFC 7519 section 4.1.7); an object without one may come again until it expires."""
        jti = claims.get("jti")
        if jti is None:
            return
        if not isinstance(jti, str):
            raise InvalidRequestObject("jti of the request object is not a string")
        expires_at = int(claims["exp"] * SECOND) + LEEWAY
        if not await self.once.use(f"request object {client.id}", jti, expires_at=expires_at, now=self.now()):
            raise InvalidRequestObject("this request object was used before")


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
        raise InvalidRequestObject("the request object contains what is no text")
    return text
