"""What an access token says (RFC 9068 section 2.2, and `sid` and `rv` for revocation)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any, NoReturn

from authserver.model.errors import InvalidToken
from authserver.model.grant import Confirmation, Versions
from authserver.model.revocation import TokenFacts
from authserver.model.time import SECOND, Instant

ACCESS_TOKEN_TYP = "at+jwt"  # noqa: S105 (a media type)
ACCESS_TOKEN_TYPES = (ACCESS_TOKEN_TYP, "JWT")
"""The second is what some clients' resource servers want; `client_id` and `rv`, which no other JWT of ours has, tell
it from an id token."""
MAX_AUDIENCES = 64
MAX_VERSION = 1 << 63


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokenClaims:
    iss: str
    sub: str
    aud: tuple[str, ...]
    client_id: str
    scope: tuple[str, ...]
    iat: Instant
    """Milliseconds, as everywhere in this program; the claim itself is in seconds."""
    exp: Instant
    jti: str
    sid: str | None
    """The refresh family; None for a client's own token."""
    rv: Versions
    auth_time: Instant | None
    acr: str | None
    amr: tuple[str, ...]
    kid: str | None
    """Of the key that signed it; None for an opaque token, which nobody signs."""
    confirmation: Confirmation | None = None
    """The key without whose proof the token is worth nothing: whoever admits the bearer has to ask for it."""
    act: Mapping[str, object] | None = None
    """Who acts for the subject (RFC 8693 section 4.1)."""
    authorization_details: tuple[Mapping[str, object], ...] = ()

    @property
    def facts(self) -> TokenFacts:
        """What the database needs to say whether the token was taken back."""
        return TokenFacts(
            kid=self.kid,
            jti=self.jti,
            subject=self.sub,
            client_id=self.client_id,
            family_id=self.sid,
            versions=self.rv,
        )


def read_claims(claims: Mapping[str, Any], kid: str | None) -> AccessTokenClaims:
    """The claims of a verified JWT, or of an opaque token (no `kid`), as a record.

    Raises InvalidToken when one is missing or of the wrong type. Texts that many tokens share are kept once: a third of
    the memory of those that are remembered.
    """
    return AccessTokenClaims(
        iss=intern(_text(claims, "iss")),
        sub=_text(claims, "sub"),
        aud=tuple(map(intern, _audience(claims))),
        client_id=intern(_text(claims, "client_id")),
        scope=tuple(map(intern, _scope(claims))),
        iat=_time(claims, "iat"),
        exp=_time(claims, "exp"),
        jti=_text(claims, "jti"),
        sid=_optional_text(claims, "sid"),
        rv=_versions(claims),
        auth_time=_time(claims, "auth_time") if "auth_time" in claims else None,
        acr=_optional_text(claims, "acr"),
        amr=tuple(map(intern, _texts(claims, "amr"))) if "amr" in claims else (),
        kid=None if kid is None else intern(kid),
        confirmation=_confirmation(claims) if "cnf" in claims else None,
        act=_object(claims, "act") if "act" in claims else None,
        authorization_details=_objects(claims, "authorization_details") if "authorization_details" in claims else (),
    )


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        _refuse(name)
    return value


def _optional_text(claims: Mapping[str, Any], name: str) -> str | None:
    return _text(claims, name) if name in claims else None


def _texts(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = claims.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        _refuse(name)
    return tuple(value)


def _audience(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """One text, or a list of them (RFC 7519 section 4.1.3)."""
    if isinstance(claims.get("aud"), str):
        return (_text(claims, "aud"),)
    audience = _texts(claims, "aud")
    if len(audience) > MAX_AUDIENCES:
        _refuse("aud")
    return audience


def _scope(claims: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_text(claims, "scope").split(" ")) if "scope" in claims else ()


def _time(claims: Mapping[str, Any], name: str) -> Instant:
    value = claims.get(name)
    if type(value) is not int or value < 0:
        _refuse(name)
    return value * SECOND


def _versions(claims: Mapping[str, Any]) -> Versions:
    text = _text(claims, "rv")
    try:
        versions = Versions.parse(text)
    except ValueError:
        _refuse("rv")
    # One spelling each, and nothing that a database's integer cannot hold.
    if str(versions) != text or max(versions) >= MAX_VERSION:
        _refuse("rv")
    return versions


def _object(claims: Mapping[str, Any], name: str) -> Mapping[str, object]:
    value = claims.get(name)
    if not isinstance(value, dict):
        _refuse(name)
    return value


def _objects(claims: Mapping[str, Any], name: str) -> tuple[Mapping[str, object], ...]:
    value = claims.get(name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        _refuse(name)
    return tuple(value)


def _confirmation(claims: Mapping[str, Any]) -> Confirmation:
    """Exactly one method, and one that is known here: what cannot be checked must not be passed over."""
    match _object(claims, "cnf"):
        case {"jkt": str() as thumbprint, **rest} if thumbprint and not rest:
            confirmation = Confirmation("jkt", thumbprint)
        case {"x5t#S256": str() as thumbprint, **rest} if thumbprint and not rest:
            confirmation = Confirmation("x5t#S256", thumbprint)
        case _:
            _refuse("cnf")
    return confirmation


def _refuse(name: str) -> NoReturn:
    raise InvalidToken(f"The token's {name} claim is missing or malformed.")
