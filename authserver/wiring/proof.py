"""Proof of possession: what DPoP proofs need of this server."""

from __future__ import annotations

from authserver.oauth.dpop import DpopGate
from authserver.tokens.dpop_nonce import dpop_nonces
from authserver.wiring.parts import Ground


def dpop_gate(ground: Ground) -> DpopGate:
    required = ground.settings.dpop_nonce == "required"
    return DpopGate(ground.stores.once, dpop_nonces(ground.master) if required else None, ground.now)
