"""How strong and how recent a log-in must have been for this (RFC 9470)."""

from __future__ import annotations

from collections.abc import Iterable

from .proof_errors import InsufficientAuthentication
from .strict import numeric_date
from .token import VerifiedToken

LEEWAY = 5.0
"""Seconds that clocks may differ."""


def check_authentication(
    token: VerifiedToken, acr: str | Iterable[str] | None, max_age: float | None, now: float
) -> None:
    """`acr`: classes of which one is enough; `max_age` in seconds, `now` in seconds since the epoch.

    Raises InsufficientAuthentication, also for a token that does not say how its user has logged in.
    """
    wanted = tuple(acr.split()) if isinstance(acr, str) else tuple(acr or ())
    if wanted and token.claims.get("acr") not in wanted:
        raise InsufficientAuthentication(wanted, max_age)
    if max_age is not None:
        auth_time = numeric_date(token.claims.get("auth_time"))
        if auth_time is None or now > auth_time + max_age + LEEWAY:
            raise InsufficientAuthentication(wanted, max_age)
