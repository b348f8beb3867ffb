"""What an access token must say (RFC 9068 section 2.2, and `rv` for revocation), and for whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NoReturn

from .confirmation import Confirmation, UnknownConfirmation, confirmation_of
from .errors import ClaimMissing, NotYetValid, ProofRequired, WrongAudience, WrongIssuer
from .policy import is_seconds
from .records import key_of
from .strict import numeric_date
from .token import TokenKeys, VerifiedToken

ACCESS_TOKEN_TYP = "at+jwt"  # noqa: S105 (a media type)
MAX_AUDIENCES = 64
MAX_LEEWAY = 60.0
MAX_VERSION = 1 << 63

_CONTAINERS = (list, dict)
_VERSIONS = re.compile(r"(0|[1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose tokens, for whom."""

    issuer: str
    audiences: frozenset[str]
    leeway: float
    """Seconds."""

    def read(self, claims: Mapping[str, Any], *, latest_now: float) -> VerifiedToken:
        """The claims of a JWT whose signature is good; raises the Refusal that fits.

        `exp` is only read here: whether it is over is asked again at each use. `latest_now` is the latest time that it
        may be.
        """
        if claims.get("iss") != self.issuer:
            raise WrongIssuer
        audience = _audience(claims)
        if self.audiences.isdisjoint(audience):
            raise WrongAudience
        issued_at, expires_at = _time(claims, "iat"), _time(claims, "exp")
        starts = _time(claims, "nbf") if "nbf" in claims else issued_at
        if max(issued_at, starts) > latest_now + self.leeway:
            raise NotYetValid
        confirmation = _confirmation(claims)
        return VerifiedToken(
            subject=_text(claims, "sub"),
            client_id=_text(claims, "client_id"),
            scopes=_scopes(claims),
            session_id=_text(claims, "sid") if "sid" in claims else None,
            token_id=_text(claims, "jti"),
            issuer=self.issuer,
            audience=audience,
            issued_at=issued_at,
            expires_at=expires_at,
            claims=_read_only(claims),
            confirmation=confirmation,
        )


def expected(issuer: str, audience: str | Iterable[str], leeway: float) -> Expected:
    """Raises ValueError for what would let everything or nothing in."""
    try:
        audiences = frozenset({audience} if isinstance(audience, str) else audience)
    except TypeError:
        audiences = frozenset()
    if not audiences or not all(isinstance(name, str) and name for name in audiences):
        raise ValueError(f"audience {audience!r}: must be a text that is not empty, or several")
    if not is_seconds(leeway) or leeway > MAX_LEEWAY:
        raise ValueError(f"leeway {leeway!r}: must be a number of seconds from 0 to {MAX_LEEWAY:g}")
    return Expected(issuer, audiences, float(leeway))


def token_keys(token: VerifiedToken, kid_key: bytes) -> TokenKeys:
    """What the revocations are asked about this token; raises ClaimMissing without versions (`rv`)."""
    issuer = token.issuer
    subject, client, realm = _versions(token.claims)
    return TokenKeys(
        kid=kid_key,
        jti=key_of("jti", issuer, token.token_id),
        sid=None if token.session_id is None else key_of("sid", issuer, token.session_id),
        sub=key_of("sub", issuer, token.subject),
        cli=_client_key(issuer, token.client_id),
        s=subject,
        c=client,
        i=realm,
    )


@lru_cache(maxsize=256)
def _client_key(issuer: str, client_id: str) -> bytes:
    """Few clients, many tokens."""
    return key_of("cli", issuer, client_id)


def _versions(claims: Mapping[str, Any]) -> tuple[int, int, int]:
    """`rv`, "s.c.i". A token of this issuer without it could not be told apart from one that was revoked."""
    match = _VERSIONS.fullmatch(_text(claims, "rv"))
    if match is None:
        _refuse("rv")
    subject, client, realm = map(int, match.groups())
    if max(subject, client, realm) >= MAX_VERSION:
        _refuse("rv")
    return subject, client, realm


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        _refuse(name)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:  # half a surrogate pair: JSON can spell it, nothing can hash it
            _refuse(name)
    return value


def _confirmation(claims: Mapping[str, Any]) -> Confirmation | None:
    try:
        return confirmation_of(claims)
    except UnknownConfirmation:
        raise ProofRequired(detail="bound in a way that is not known here") from None


def _audience(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """One text, or a list of them (RFC 7519 section 4.1.3)."""
    value = claims.get("aud")
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not 0 < len(names) <= MAX_AUDIENCES:
        _refuse("aud")
    if not all(isinstance(name, str) and name for name in names):
        _refuse("aud")
    return tuple(names)


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    if "scope" not in claims:
        return frozenset()
    return frozenset(_text(claims, "scope").split(" ")) - {""}


def _time(claims: Mapping[str, Any], name: str) -> int:
    seconds = numeric_date(claims.get(name))
    if seconds is None:
        _refuse(name)
    return seconds


def _read_only(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(
        {name: _frozen(item) if type(item) in _CONTAINERS else item for name, item in value.items()}
    )


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return _read_only(value) if isinstance(value, dict) else value


def _refuse(name: str) -> NoReturn:
    raise ClaimMissing(f"The token's {name} claim is missing or malformed.")
