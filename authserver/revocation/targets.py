"""What an administrator asks to revoke, read from the body of POST /admin/revocations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from authserver.model.errors import Refused
from authserver.model.inputs import InvalidField, moment, text, truth, uuid
from authserver.model.revocation import RevocationKind, RevocationTarget
from authserver.model.time import DAY, Duration, Instant

LONGEST_REASON = 200
LONGEST_TOKEN = 8192
_LONGEST_NAME = 256
_FURTHEST_EXPIRY: Duration = 366 * DAY
"""No access token lives so long; a larger number is a mistake in the unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationRequest:
    """Exactly one of `target` and `token` is set; a token still has to be resolved to a target."""

    target: RevocationTarget | None = None
    token: str | None = field(default=None, repr=False)
    reason: str = ""


def _named(kind: RevocationKind, longest: int = _LONGEST_NAME) -> Callable[[str, object], RevocationTarget]:
    def read(name: str, value: object) -> RevocationTarget:
        return RevocationTarget(kind=kind, value=text(name, value, longest=longest))

    return read


def _identified(kind: RevocationKind) -> Callable[[str, object], RevocationTarget]:
    def read(name: str, value: object) -> RevocationTarget:
        return RevocationTarget(kind=kind, value=uuid(name, value))

    return read


def _everything(name: str, value: object) -> RevocationTarget:
    if not truth(name, value):
        raise InvalidField(name, "can only be true")
    return RevocationTarget(kind="all")


LEVELS: Mapping[str, Callable[[str, object], RevocationTarget]] = {
    "jti": _named("jti"),
    "family_id": _identified("family"),
    "session_id": _identified("session"),
    "user_id": _identified("user"),
    "client_id": _named("client"),
    "kid": _named("kid"),
    "all": _everything,
}
"""The field of a request, and how its value becomes a target. "token" is apart: it must be resolved."""

_FIELDS = frozenset({"token", "expires_at", "reason", *LEVELS})


def parse_request(body: Mapping[str, object], *, now: Instant, longest_token: Duration) -> RevocationRequest:
    """Raises `InvalidField`, or `Refused` when not exactly one thing is named.

    `longest_token` is the longest life of an access token: how long a bare `jti` is remembered.
    """
    for name in body:
        if name not in _FIELDS:
            raise InvalidField(name, "is not a field of this request")
    level = _only_level(body)
    if "expires_at" in body and level != "jti":
        raise InvalidField("expires_at", "goes with jti only")
    reason = text("reason", body["reason"], longest=LONGEST_REASON) if "reason" in body else ""
    if level == "token":
        return RevocationRequest(token=text("token", body["token"], longest=LONGEST_TOKEN), reason=reason)
    target = LEVELS[level](level, body[level])
    if target.kind == "jti":
        expires_at = _expiry(body, now, longest_token)
        target = RevocationTarget(kind="jti", value=target.value, expires_at=expires_at)
    return RevocationRequest(target=target, reason=reason)


def _only_level(body: Mapping[str, object]) -> str:
    named = [name for name in ("token", *LEVELS) if name in body]
    if len(named) != 1:
        raise Refused(f"name exactly one of {', '.join(('token', *LEVELS))}", extra={"fields": named})
    return named[0]


def _expiry(body: Mapping[str, object], now: Instant, longest_token: Duration) -> Instant:
    if "expires_at" not in body:
        return now + longest_token
    expires_at = moment("expires_at", body["expires_at"])
    if expires_at <= now:
        raise InvalidField("expires_at", "has passed: an expired token needs no revocation")
    if expires_at > now + _FURTHEST_EXPIRY:
        raise InvalidField("expires_at", "is more than a year away; it is the token's exp, in seconds")
    return expires_at
