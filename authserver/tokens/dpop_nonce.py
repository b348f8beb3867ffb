"""The nonces of this site for DPoP proofs: the same on all its servers, because made of the time and the master key."""

from __future__ import annotations

from authserver.tokens.masterkey import MasterKey
from authserver.verifier.dpop_nonce import Nonces

__all__ = ["Nonces", "dpop_nonces"]


def dpop_nonces(master: MasterKey) -> Nonces:
    """One a minute; each is good until the end of the minute after it."""
    return Nonces(master.derive("dpop nonce"))
