"""DPoP proofs (RFC 9449): a short JWT by which whoever sends a request shows to hold a key.

`check_proof` makes all checks of section 4.3 but two, which need a memory or a token: that the same proof has not been
shown before (`DpopProof.jti`, to be remembered until `until`), and that the key is the one that the token is bound to
(`jkt`). The server and resource servers use the same function.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from .dpop_key import ALGORITHMS, HeldKey, KeyRefused, read_key
from .dpop_nonce import Nonces
from .strict import MAX_NUMERIC_DATE, Malformed, decoded, json_object
from .target_uri import NoTarget, target_of

__all__ = ["ALGORITHMS", "DpopProof", "NonceNeeded", "ProofRefused", "Window", "check_proof", "the_proof"]

MAX_PROOF_CHARS = 8192
MAX_JTI_CHARS = 256
TYP = "dpop+jwt"
_HEADER = frozenset({"typ", "alg", "jwk"})


class ProofRefused(ValueError):
    """The text says why, for the caller; it holds nothing of the proof."""


class NonceNeeded(ProofRefused):
    """No nonce, or not one that was given out a moment ago."""


class Window(NamedTuple):
    """How far `iat` may be from now, in seconds."""

    back: float = 60.0
    ahead: float = 10.0
    """Clocks of clients are not those of servers; FAPI 2.0 (section 5.3.2.1) asks for these ten."""


class DpopProof(NamedTuple):
    """A good proof, seen for itself."""

    jkt: str
    """SHA-256 thumbprint of its key (RFC 7638)."""
    jti: str
    iat: int
    """Seconds since the epoch, rounded down."""
    nonce: str | None
    until: float
    """Seconds since the epoch: from then on the same proof would be refused for its age."""


class _Form(NamedTuple):
    header: Mapping[str, Any]
    unverified_claims: Mapping[str, Any]
    signing_input: bytes
    signature: bytes


def the_proof(values: Sequence[str]) -> str | None:
    """The value of the DPoP header, or None without one; raises ProofRefused for more than one.

    `values`: those of all headers of that name. Servers that join them leave a comma, which no proof has.
    """
    if len(values) > 1 or any("," in value for value in values):
        raise ProofRefused("more than one DPoP header")
    return values[0].strip(" \t") if values else None


def check_proof(
    proof: str,
    *,
    method: str,
    url: str,
    now: float,
    access_token: str | None = None,
    nonces: Nonces | None = None,
    window: Window = Window(),  # noqa: B008 (immutable)
    algorithms: Collection[str] = ALGORITHMS,
) -> DpopProof:
    """`method` and `url` are the request's, the URL as the client knows it; `now` in seconds since the epoch.

    `access_token`: what is shown with it, so `ath` is asked for. `nonces`: one of these is asked for, and stands for
    the time: `iat` may then be anything, so that a client whose clock is wrong gets in. `algorithms`: of ALGORITHMS,
    those that are accepted. Raises ProofRefused.
    """
    try:
        form = _read(proof)
        key = _key(form.header, algorithms)
        claims = form.unverified_claims
        jti = _jti(claims)
        _check_request(claims, method, url)
        if access_token is not None:
            _check_token(claims, access_token)
        iat, nonce = _iat(claims), _nonce(claims)
        until = _checked_time(iat, nonce, now, nonces, window)
    except (Malformed, KeyRefused) as error:
        raise ProofRefused(f"the DPoP proof is refused: {error}") from None
    if not key.verify(form.signing_input, form.signature):
        raise ProofRefused("the signature of the DPoP proof is not valid")
    return DpopProof(key.jkt, jti, int(iat), nonce, until)


def _read(proof: str) -> _Form:
    if len(proof) > MAX_PROOF_CHARS:
        raise Malformed("it is too long")
    segments = proof.split(".", 3)
    if len(segments) != 3:
        raise Malformed("not three segments")
    head, payload, signature = segments
    return _Form(
        json_object(decoded(head)),
        json_object(decoded(payload)),
        f"{head}.{payload}".encode("ascii"),
        decoded(signature),
    )


def _key(header: Mapping[str, Any], algorithms: Collection[str]) -> HeldKey:
    # `kid` says nothing beside `jwk`; whatever else there is (crit, jku, x5u, b64 ...) is refused unread.
    if header.keys() - {"kid"} != _HEADER:
        raise Malformed("a header member is missing or not expected")
    if header["typ"] != TYP:
        raise Malformed(f"its typ is not {TYP}")
    return read_key(header["jwk"], header["alg"], algorithms)


def _jti(claims: Mapping[str, Any]) -> str:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_CHARS or not jti.isprintable():
        raise Malformed("jti is missing or malformed")
    return jti


def _check_request(claims: Mapping[str, Any], method: str, url: str) -> None:
    if claims.get("htm") != method:
        raise Malformed("htm is not the method of this request")
    htu = claims.get("htu")
    try:
        matches = isinstance(htu, str) and target_of(htu) == target_of(url)
    except NoTarget:
        matches = False
    if not matches:
        raise Malformed("htu is not the URL of this request")


def _check_token(claims: Mapping[str, Any], access_token: str) -> None:
    ath = claims.get("ath")
    digest = sha256(access_token.encode("utf-8", "surrogatepass")).digest()
    expected = urlsafe_b64encode(digest).rstrip(b"=")
    if not isinstance(ath, str) or not hmac.compare_digest(ath.encode("utf-8", "surrogatepass"), expected):
        raise Malformed("ath is not the hash of the access token")


def _iat(claims: Mapping[str, Any]) -> float:
    """A fraction is allowed (RFC 7519 section 2): the clock is somebody else's."""
    iat = claims.get("iat")
    if isinstance(iat, bool) or not isinstance(iat, int | float) or not 0 <= iat < MAX_NUMERIC_DATE:
        raise Malformed("iat is missing or malformed")
    return iat


def _nonce(claims: Mapping[str, Any]) -> str | None:
    nonce = claims.get("nonce")
    if nonce is not None and not isinstance(nonce, str):
        raise Malformed("nonce is malformed")
    return nonce


def _checked_time(iat: float, nonce: str | None, now: float, nonces: Nonces | None, window: Window) -> float:
    """Until when this proof could be shown again."""
    if nonces is not None:
        if nonce is None or not nonces.accepts(nonce, now):
            raise NonceNeeded("the DPoP proof needs the nonce that comes with this answer")
        return nonces.ends(now)
    if not now - window.back <= iat <= now + window.ahead:
        raise Malformed("iat is too far from now")
    return iat + window.back + 1  # the limit itself is still in time
