"""What a route asks of a token."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

from .policy import OnStale


class Needs(NamedTuple):
    """None is "what the verifier says"."""

    scope: str | Iterable[str] | None = None
    max_staleness: float | None = None
    on_stale: OnStale | None = None
    acr: tuple[str, ...] = ()
    """Classes of log-ins of which one is needed (RFC 9470)."""
    max_age: float | None = None
    """Seconds since the log-in, at most."""

    def same_policy(self, other: Needs) -> bool:
        """Whether what was verified for one need not be verified again for the other, but for scope and log-in."""
        return (self.max_staleness, self.on_stale) == (other.max_staleness, other.on_stale)

    @classmethod
    def of(
        cls,
        scope: str | Iterable[str] | None,
        max_staleness: float | None,
        on_stale: OnStale | None,
        acr: str | Iterable[str] | None,
        max_age: float | None,
    ) -> Self:
        """As `require` is given them."""
        fixed = scope if scope is None or isinstance(scope, str) else tuple(scope)
        classes = acr.split() if isinstance(acr, str) else acr or ()
        return cls(fixed, max_staleness, on_stale, tuple(classes), max_age)
