"""What to do with a token when the copy of the revocations is older than allowed."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal


@dataclass(frozen=True, slots=True)
class AcceptUntil:
    """Go on accepting while the copy is no older than `seconds`; then 503."""

    seconds: float

    def __post_init__(self) -> None:
        if not is_seconds(self.seconds):
            raise ValueError(f"accept_until {self.seconds!r}: must be a number of seconds, 0 or more")


OnStale = Literal["introspect", "deny"] | AcceptUntil
"""`introspect` asks the issuer about this token (503 if that fails or there are no credentials), `deny` is 503."""


def accept_until(seconds: float) -> AcceptUntil:
    """The policy for services that would rather accept a revoked token than refuse good ones, up to a bound."""
    return AcceptUntil(seconds)


def checked_policy(policy: OnStale) -> OnStale:
    """Raises ValueError for what is no policy: a misspelt one must not be noticed when the feed is down."""
    if policy in ("introspect", "deny") or isinstance(policy, AcceptUntil):
        return policy
    raise ValueError(f"on_stale {policy!r}: must be 'introspect', 'deny' or accept_until(seconds)")


def checked_staleness(seconds: float) -> float:
    if not is_seconds(seconds):
        raise ValueError(f"max_staleness {seconds!r}: must be a number of seconds, 0 or more")
    return float(seconds)


def is_seconds(value: object) -> bool:
    """A finite number, 0 or more; texts and truth values are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0
