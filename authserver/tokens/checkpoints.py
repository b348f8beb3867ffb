"""Checkpoints of the revocation log that came back to us: genuine, whatever their age."""

from __future__ import annotations

from typing import Any

from authserver.model.errors import InvalidToken
from authserver.model.time import SECOND
from authserver.tokens.jwt import PublicKeyFor, verify
from authserver.tokens.past import unverified_parts

CHECKPOINT_TYP = "rev-checkpoint+jwt"


def past_checkpoint(token: str, public_key_for: PublicKeyFor, issuer: str) -> dict[str, Any]:
    """The claims of a checkpoint that we signed, also of one that is over; raises InvalidToken for anything else.

    It says what the log was, and nothing about what it is.
    """
    issued_at = unverified_parts(token)[1].get("iat")
    then = issued_at * SECOND if type(issued_at) is int and 0 <= issued_at < 1 << 43 else 0
    claims = verify(token, public_key_for, typ=CHECKPOINT_TYP, issuer=issuer, now=then).claims
    if type(claims.get("log")) is not str or type(claims.get("seq")) is not int or type(claims.get("h")) is not str:
        raise InvalidToken("The checkpoint is incomplete.")
    return claims
