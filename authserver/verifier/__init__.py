"""For resource servers: validating tokens locally and following revocations.

    verifier = Verifier("https://auth.example.com", audience="https://api.example.com")
    token = verifier.verify(bearer, scope="orders:read")      # raises a Refusal

It imports nothing else of this project, and from outside only PyJWT (with cryptography).
"""

from __future__ import annotations

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
