"""The key that a token is bound to: its `cnf` claim (RFC 7800)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
"""SHA-256 in base64url, in its one spelling."""
_MEMBERS = {"jkt": "jkt", "x5t#S256": "certificate"}


class UnknownConfirmation(ValueError):
    """Bound in a way that is not known here, and so cannot be proven here."""


class Confirmation(NamedTuple):
    """Whoever shows the token must prove to hold all that is named here."""

    jkt: str | None = None
    """Thumbprint of a DPoP key (RFC 9449 section 6.1)."""
    certificate: str | None = None
    """SHA-256 of a client certificate's DER in base64url, `x5t#S256` (RFC 8705 section 3.1)."""


def confirmation_of(claims: Mapping[str, Any]) -> Confirmation | None:
    """None for a bearer token; raises UnknownConfirmation for a `cnf` with anything that cannot be checked here."""
    if "cnf" not in claims:
        return None
    members = claims["cnf"]
    if not isinstance(members, Mapping) or not members or not members.keys() <= _MEMBERS.keys():
        raise UnknownConfirmation
    if not all(isinstance(value, str) and _THUMBPRINT.fullmatch(value) for value in members.values()):
        raise UnknownConfirmation
    return Confirmation(**{_MEMBERS[name]: value for name, value in members.items()})
