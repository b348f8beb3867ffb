"""For resource servers: validating tokens locally and following revocations.

    verifier = Verifier("https://auth.example.com", audience="https://api.example.com")
    token = verifier.verify(bearer, scope="orders:read")      # raises a Refusal

It imports nothing else of this project, and from outside only PyJWT (with cryptography). What is named here is loaded
when it is asked for: the server reads tokens by `strict` and proofs by `dpop`, and 40 other modules stay out of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .certificate import certificate_in
    from .errors import InsufficientScope, InvalidToken, Refusal, Revoked, Undecided
    from .introspection import IntrospectionLimits
    from .metrics import Metrics
    from .policy import AcceptUntil, OnStale, accept_until
    from .possession import DpopLimits, Shown
    from .proof_errors import InsufficientAuthentication, InvalidProof
    from .resource import ProtectedResource
    from .token import VerifiedToken
    from .verifier import Verifier

__all__ = [
    "AcceptUntil",
    "DpopLimits",
    "InsufficientAuthentication",
    "InsufficientScope",
    "IntrospectionLimits",
    "InvalidProof",
    "InvalidToken",
    "Metrics",
    "OnStale",
    "ProtectedResource",
    "Refusal",
    "Revoked",
    "Shown",
    "Undecided",
    "VerifiedToken",
    "Verifier",
    "accept_until",
    "certificate_in",
]

_HOMES = {
    "certificate_in": "certificate",
    "InsufficientScope": "errors",
    "InvalidToken": "errors",
    "Refusal": "errors",
    "Revoked": "errors",
    "Undecided": "errors",
    "IntrospectionLimits": "introspection",
    "Metrics": "metrics",
    "AcceptUntil": "policy",
    "OnStale": "policy",
    "accept_until": "policy",
    "DpopLimits": "possession",
    "Shown": "possession",
    "InsufficientAuthentication": "proof_errors",
    "InvalidProof": "proof_errors",
    "ProtectedResource": "resource",
    "VerifiedToken": "token",
    "Verifier": "verifier",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value
