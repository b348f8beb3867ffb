"""Refusals about how a token was shown: bound tokens without their key, and tokens of too weak a log-in."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import InvalidToken, ProofRequired, Refusal

__all__ = [
    "InsufficientAuthentication",
    "InvalidProof",
    "NotBound",
    "ProofReplayed",
    "ProofRequired",
    "UseNonce",
    "WrongCertificate",
    "WrongKey",
]


class InvalidProof(InvalidToken):
    """The DPoP proof fails one of the checks of RFC 9449 section 4.3; the description says which."""

    code = "invalid_proof"
    error = "invalid_dpop_proof"
    scheme = "DPoP"
    default_description = "The DPoP proof is missing or not valid."


class ProofReplayed(InvalidToken):
    """The same proof was shown before (RFC 9449 section 11.1)."""

    code = "proof_replayed"
    error = "invalid_dpop_proof"
    scheme = "DPoP"
    default_description = "The DPoP proof was used before."


class UseNonce(InvalidToken):
    """The proof needs a nonce that was given out lately; the answer brings one (RFC 9449 section 9)."""

    code = "use_dpop_nonce"
    error = "use_dpop_nonce"
    scheme = "DPoP"
    default_description = "The DPoP proof needs the nonce that comes with this answer."

    def __init__(self, nonce: str = "") -> None:
        super().__init__()
        self.headers = (("DPoP-Nonce", nonce),)


class WrongKey(InvalidToken):
    """A good proof, of another key than the token is bound to."""

    code = "wrong_key"
    scheme = "DPoP"
    default_description = "The token is bound to another key."


class NotBound(InvalidToken):
    """A token that is bound to no DPoP key, shown with the scheme DPoP."""

    code = "not_bound"
    scheme = "DPoP"
    default_description = "The token is not bound to a DPoP key: it is a bearer token."


class WrongCertificate(InvalidToken):
    """Bound to a client certificate, shown with another or with none (RFC 8705 section 3)."""

    code = "wrong_certificate"
    default_description = "The token is bound to a client certificate that did not come with the request."


class InsufficientAuthentication(Refusal):
    """A good token of a log-in that is too weak or too long ago for this; the client is to ask for another one
    (RFC 9470 section 3)."""

    code = "insufficient_authentication"
    error = "insufficient_user_authentication"
    default_description = "A stronger or more recent log-in is needed here."

    def __init__(self, acr: Iterable[str] = (), max_age: float | None = None) -> None:
        super().__init__()
        if values := " ".join(acr):
            self.parameters = {**self.parameters, "acr_values": values}
        if max_age is not None:
            self.parameters = {**self.parameters, "max_age": f"{int(max_age)}"}
