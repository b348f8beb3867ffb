"""Whether who shows a token holds the key that it is bound to: a DPoP key (RFC 9449) or a certificate (RFC 8705)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Literal, NoReturn

from .certificate import Certificate, certificate_thumbprint
from .clock import Clock
from .confirmation import Confirmation
from .dpop import DpopProof, NonceNeeded, ProofRefused, Window, check_proof, the_proof
from .dpop_nonce import Nonces
from .errors import Overloaded
from .policy import is_seconds
from .proof_errors import InvalidProof, NotBound, ProofReplayed, ProofRequired, UseNonce, WrongCertificate, WrongKey
from .replay import Replays, TooMany

Scheme = Literal["Bearer", "DPoP"]
MAX_WINDOW = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DpopLimits:
    """What DPoP proofs a verifier accepts."""

    max_age: float = 60.0
    """Seconds that a proof may be old …"""
    ahead: float = 10.0
    """… and by which the clock of its maker may be ahead."""
    remembered: int = 200_000
    """Proofs of the last minute that a process remembers, 150 bytes each; beyond it DPoP is answered 503."""
    nonce_key: bytes | None = field(default=None, repr=False)
    """Ask for nonces, made with this key: 32 bytes or more, the same in all processes of the service. A nonce then
    stands for the time, whatever the client's clock says."""

    def __post_init__(self) -> None:
        for seconds in (self.max_age, self.ahead):
            if not is_seconds(seconds) or seconds > MAX_WINDOW:
                raise ValueError(f"DpopLimits: {seconds!r} is not a number of seconds from 0 to {MAX_WINDOW:g}")
        if not isinstance(self.remembered, int) or self.remembered < 1:
            raise ValueError(f"DpopLimits: remembered {self.remembered!r} must be a whole number, 1 or more")
        if self.nonce_key is not None:
            Nonces(self.nonce_key)


@dataclass(slots=True, eq=False)
class Shown:
    """How a token came. One for each request: what has been proven for it counts until its end."""

    scheme: Scheme = "Bearer"
    """Of the Authorization header."""
    method: str = ""
    url: str = ""
    """As the client knows it: absolute, of the service's public name, never of whatever the Host header says."""
    proofs: Sequence[str] = ()
    """The values of all DPoP headers."""
    certificate: Certificate | Callable[[], Certificate | None] | None = None
    """The client's, as TLS or a trusted proxy has verified it; or what to ask for it if the token needs one."""
    _proven: bytes | None = field(default=None, init=False, repr=False)


BEARER = Shown()


class Possession:
    """Asked for each token that is bound, or shown as if it were."""

    def __init__(self, limits: DpopLimits, wall: Clock, monotonic: Clock) -> None:
        self._window = Window(limits.max_age, limits.ahead)
        self._wall = wall
        self.replays = Replays(limits.remembered, monotonic)
        self.nonces = None if limits.nonce_key is None else Nonces(limits.nonce_key)

    def current_nonce(self) -> str | None:
        """For the header DPoP-Nonce of answers; None where none is asked for."""
        return None if self.nonces is None else self.nonces.current(self._wall())

    def require(self, token: str, digest: bytes, confirmation: Confirmation | None, shown: Shown) -> None:
        """Raises a Refusal unless all is proven that `confirmation` asks for. `digest` is the token's."""
        bound = Confirmation() if confirmation is None else confirmation
        if shown.scheme == "DPoP" and bound.jkt is None:
            raise NotBound
        if shown.scheme == "Bearer" and bound.jkt is not None:
            raise ProofRequired(scheme="DPoP")
        if shown._proven == digest:
            return
        if bound.certificate is not None:
            _require_certificate(bound.certificate, shown)
        if bound.jkt is not None:
            self._require_proof(bound.jkt, token, shown)
        if shown is not BEARER:
            shown._proven = digest

    def _require_proof(self, jkt: str, token: str, shown: Shown) -> None:
        now = self._wall()
        proof = self._checked(token, shown, now)
        if not compare_digest(proof.jkt, jkt):
            raise WrongKey
        # Last, because it cannot be taken back.
        try:
            if not self.replays.use(proof.jkt, proof.jti, proof.until - now):
                raise ProofReplayed
        except TooMany:
            raise Overloaded(detail="more DPoP proofs than can be remembered") from None

    def _checked(self, token: str, shown: Shown, now: float) -> DpopProof:
        try:
            text = the_proof(shown.proofs)
            if text is None:
                raise ProofRefused("the DPoP header is missing")
            return check_proof(
                text,
                method=shown.method,
                url=shown.url,
                now=now,
                access_token=token,
                nonces=self.nonces,
                window=self._window,
            )
        except NonceNeeded:
            raise UseNonce(self.current_nonce() or "") from None
        except ProofRefused as error:
            self._refuse(error)

    def _refuse(self, error: ProofRefused) -> NoReturn:
        text = str(error)
        raise InvalidProof(f"{text[0].upper()}{text[1:]}.") from None


def _require_certificate(thumbprint: str, shown: Shown) -> None:
    given = shown.certificate() if callable(shown.certificate) else shown.certificate
    if given is None or not compare_digest(certificate_thumbprint(given), thumbprint):
        raise WrongCertificate
