"""Proof key for code exchange, with S256 alone (RFC 7636, RFC 9700 section 2.1.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

from authserver.oauth.errors import InvalidRequest

METHODS: Final = ("S256",)
"""`plain` protects from nobody who sees the request (RFC 9700 section 2.1.1)."""

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""A SHA-256 in base64url without padding."""
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""RFC 7636 section 4.1."""


def read_challenge(challenge: str | None, method: str | None) -> str | None:
    """The challenge of an authorization request, None if there is none; raises InvalidRequest."""
    if challenge is None:
        if method is not None:
            raise InvalidRequest("code_challenge_method without code_challenge")
        return None
    if method not in METHODS:  # left out it would mean plain (RFC 7636 section 4.3)
        raise InvalidRequest("code_challenge_method must be S256")
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidRequest("code_challenge must be the 43 base64url characters of a SHA-256")
    return challenge


def challenge_of(verifier: str) -> str:
    """RFC 7636 section 4.2."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def proves(verifier: str, challenge: str) -> bool:
    """Whether `verifier` is well formed and the one that the challenge was made from (RFC 7636 section 4.6)."""
    return _VERIFIER.fullmatch(verifier) is not None and hmac.compare_digest(challenge_of(verifier), challenge)
