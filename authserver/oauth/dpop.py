"""DPoP at this server (RFC 9449): that a request comes from whoever holds a key, and comes once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from authserver.clock import Clock
from authserver.model.time import SECOND
from authserver.oauth.errors import OAuthError
from authserver.storage.interface import OnceStore
from authserver.verifier.dpop import ALGORITHMS, NonceNeeded, ProofRefused, check_proof, the_proof
from authserver.verifier.dpop_nonce import Nonces

__all__ = ["ALGORITHMS", "DpopGate", "InvalidDpopProof", "UseDpopNonce"]

NONCE_HEADER = "DPoP-Nonce"


class InvalidDpopProof(OAuthError):
    """The proof fails one of the checks of RFC 9449 section 4.3, or is missing where one is needed (section 5)."""

    code = "invalid_dpop_proof"


class UseDpopNonce(OAuthError):
    """The proof needs a nonce that was given out lately; the answer brings one (RFC 9449 section 8)."""

    code = "use_dpop_nonce"

    def __init__(self, nonce: str) -> None:
        super().__init__("the DPoP proof needs the nonce that comes with this answer", headers={NONCE_HEADER: nonce})


@dataclass(frozen=True, slots=True)
class DpopGate:
    once: OnceStore
    nonces: Nonces | None
    """None: no nonce is asked for."""
    now: Clock

    def nonce(self) -> str | None:
        """For the header DPoP-Nonce of answers to those who use DPoP; None where none is asked for."""
        return None if self.nonces is None else self.nonces.current(self.now() / SECOND)

    async def prove(
        self,
        proofs: Sequence[str],
        *,
        method: str,
        url: str,
        access_token: str | None = None,
        algorithms: Collection[str] = ALGORITHMS,
    ) -> str | None:
        """The thumbprint of the key that the sender of this request holds; None without a proof.

        `proofs`: the values of all DPoP headers; `url` as clients know it; `access_token` if one comes with the proof.
        Raises InvalidDpopProof, UseDpopNonce, and StorageUnavailable when it cannot be known whether the proof is new.
        """
        now = self.now()
        try:
            proof = the_proof(proofs)
            if proof is None:
                return None
            proven = check_proof(
                proof,
                method=method,
                url=url,
                now=now / SECOND,
                access_token=access_token,
                nonces=self.nonces,
                algorithms=algorithms,
            )
        except NonceNeeded:
            raise UseDpopNonce(self.nonce() or "") from None
        except ProofRefused as error:
            raise InvalidDpopProof(str(error)) from None
        # Last, because it cannot be taken back. Of its key alone: nobody can use up the proofs of somebody else.
        until = int(proven.until * SECOND)
        if not await self.once.use(f"dpop {proven.jkt}", proven.jti, expires_at=until, now=now):
            raise InvalidDpopProof("the DPoP proof was used before")
        return proven.jkt
