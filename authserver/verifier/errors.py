"""Why a request was refused: a class and a stable code for each reason, and what to answer it with.

Three rules (RFC 6750 section 3, RFC 9110 section 15): who shows no token is asked for one (401), who shows one that
is not good is told so (401 `invalid_token`), and what this service could not find out is *its* fault (503): a client
that is told 401 throws its session away, so 401 is never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar

from .dpop_key import ALGORITHMS

Headers = tuple[tuple[str, str], ...]


class Refusal(Exception):
    """A request that is not let in. Catch this one; tell reasons apart by class or by `code`."""

    code: str = "refused"
    """Stable, for programs, metrics and tests; never shown to the client."""
    status: ClassVar[int] = 401
    error: ClassVar[str | None] = None
    """The code of RFC 6750 section 3.1, if there is one for it."""
    scheme: str = "Bearer"
    """In which a token would be let in: "Bearer", or "DPoP" (RFC 9449 section 7.1)."""
    parameters: Mapping[str, str] = MappingProxyType({})
    """What else the challenge says, such as `acr_values` (RFC 9470 section 3)."""
    headers: Headers = ()
    """What else goes with the answer."""
    default_description: ClassVar[str] = "The request was refused."

    def __init__(
        self, description: str | None = None, *, detail: str | None = None, retry_after: int | None = None
    ) -> None:
        self.description = self.default_description if description is None else description
        """Public: goes to the client."""
        self.detail = detail
        """For the log alone. Neither of the two ever holds (parts of) a token."""
        self.retry_after = retry_after
        """Seconds, for `Retry-After`; set with every 503 and with nothing else."""
        super().__init__(self.description)

    def www_authenticate(
        self,
        *,
        resource_metadata: str | None = None,
        realm: str | None = None,
        scope: str | Iterable[str] | None = None,
    ) -> str | None:
        """The value of `WWW-Authenticate`, or None for answers that have none (503).

        `resource_metadata` is the URL of RFC 9728 section 5.1, `scope` what the resource needs (RFC 6750 section 3).
        """
        if self.status == 503:
            return None
        needed = scope if scope is None or isinstance(scope, str) else " ".join(scope)
        parameters = {
            "realm": realm,
            "error": self.error,
            "error_description": self.description if self.error else None,
            "scope": needed,
            **self.parameters,
            "resource_metadata": resource_metadata,
            "algs": " ".join(ALGORITHMS) if self.scheme == "DPoP" else None,
        }
        written = ", ".join(f'{name}="{_quoted(value)}"' for name, value in parameters.items() if value)
        return f"{self.scheme} {written}" if written else self.scheme


def _quoted(value: str) -> str:
    """The inside of a quoted-string; RFC 6750 section 3 knows no escapes there and nothing outside printable ASCII."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in value)


# -- the request ------------------------------------------------------------------------------


class MissingToken(Refusal):
    """No bearer token at all: the answer has no error code (RFC 6750 section 3.1, last paragraph)."""

    code = "missing_token"
    default_description = "A bearer token is required."


class MalformedRequest(Refusal):
    """The token was sent in more than one place, twice, or in a way that is not understood (400)."""

    code = "malformed_request"
    status = 400
    error = "invalid_request"
    default_description = "The request does not carry one bearer token in the Authorization header."


# -- the token --------------------------------------------------------------------------------


class InvalidToken(Refusal):
    """The token is certainly not good (401); its subclasses say why."""

    code = "invalid_token"
    error = "invalid_token"
    default_description = "The token is not valid."


class MalformedToken(InvalidToken):
    """Not three canonical base64url segments of strict JSON, or too long."""

    code = "malformed_token"
    default_description = "The token is malformed."


class HeaderNotAcceptable(InvalidToken):
    """A header member too many or too few, another `typ`, another `alg` than the key's."""

    code = "header_not_acceptable"
    default_description = "The token's header is not acceptable."


class UnknownKey(InvalidToken):
    """Its `kid` is not among the issuer's keys, which were looked at lately."""

    code = "unknown_key"
    default_description = "The token's key is not known."


class BadSignature(InvalidToken):
    code = "bad_signature"
    default_description = "The token's signature is not valid."


class WrongIssuer(InvalidToken):
    code = "wrong_issuer"
    default_description = "The token is not from this issuer."


class WrongAudience(InvalidToken):
    code = "wrong_audience"
    default_description = "The token is not for this resource."


class Expired(InvalidToken):
    code = "expired"
    default_description = "The token has expired."


class NotYetValid(InvalidToken):
    """`nbf` or `iat` lies in the future, by more than the leeway."""

    code = "not_yet_valid"
    default_description = "The token is not valid yet."


class ClaimMissing(InvalidToken):
    """A claim that RFC 9068 section 2.2 or revocation needs is missing or of the wrong form."""

    code = "claim_missing"
    default_description = "A claim of the token is missing or malformed."


class ProofRequired(InvalidToken):
    """Bound to a key (`cnf`, RFC 7800) that a bearer does not prove to have."""

    code = "proof_required"
    default_description = "The token is bound to a key and cannot be used as a bearer token."

    def __init__(self, description: str | None = None, *, scheme: str = "Bearer", detail: str | None = None) -> None:
        super().__init__(description, detail=detail)
        self.scheme = scheme


class Revoked(InvalidToken):
    """Listed in the revocation feed; `kind` says as what: kid, jti, sid, sub, cli or iss."""

    code = "revoked"
    default_description = "The token was revoked."
    kinds: ClassVar[tuple[str, ...]] = ("kid", "jti", "sid", "sub", "cli", "iss")

    def __init__(self, kind: str, *, detail: str | None = None) -> None:
        super().__init__(detail=detail)
        self.kind = kind
        self.code = f"revoked_{kind}"


class Inactive(InvalidToken):
    """Introspection says that the token is not active (RFC 7662 section 2.2)."""

    code = "inactive"
    default_description = "The token is not active."


class InsufficientScope(Refusal):
    """A good token without the scope asked for (403)."""

    code = "insufficient_scope"
    status = 403
    error = "insufficient_scope"
    default_description = "The token lacks a scope that is needed here."


# -- this service -----------------------------------------------------------------------------


class Undecided(Refusal):
    """Whether the token is good could not be found out (503 with `Retry-After`); the client should ask again."""

    code = "undecided"
    status = 503
    default_description = "It cannot be found out right now whether the token is good."

    def __init__(self, description: str | None = None, *, detail: str | None = None, retry_after: int = 1) -> None:
        super().__init__(description, detail=detail, retry_after=max(1, retry_after))


class Stale(Undecided):
    """The copy of the revocations is older than allowed, and the policy knows no way out."""

    code = "stale"


class NotReady(Undecided):
    """No revocations were received yet."""

    code = "not_ready"


class KeysUnavailable(Undecided):
    """The issuer's keys cannot be had, or not lately enough to say that one is unknown."""

    code = "keys_unavailable"


class Overloaded(Undecided):
    """Too many requests are waiting for an answer about their tokens already."""

    code = "overloaded"


def descriptions() -> dict[str, str]:
    """What the client is told, by code, unless a refusal says more."""
    told = {each.code: each.default_description for each in _below(Refusal) if not each.__subclasses__()}
    text = told.pop(Revoked.code)
    return {**told, **{f"{Revoked.code}_{kind}": text for kind in Revoked.kinds}}


def every_code() -> tuple[str, ...]:
    """Of the refusals that happen; classes that only gather others have none of their own."""
    return tuple(descriptions())


def _below(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
