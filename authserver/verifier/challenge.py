"""From the headers of a request to a verified token, and from a refusal to an answer, for any framework.

The token is taken from the Authorization header and from nowhere else: URLs are logged and shared (RFC 9700
section 4.3.2).
Answers follow RFC 6750 section 3 and RFC 9728 section 5.1.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Self, get_args

from .errors import MalformedRequest, MissingToken, Refusal
from .policy import OnStale
from .token import VerifiedToken

if TYPE_CHECKING:
    from .verifier import Verifier

Protect = Literal["all", "marked"]

logger = logging.getLogger("authserver.verifier")
_CREDENTIALS = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_ERRORS_WITHOUT_CODE = {401: "unauthorized", 503: "temporarily_unavailable"}


class Answer(NamedTuple):
    """What to send to whoever is refused."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    """JSON."""


class Needs(NamedTuple):
    """What a route asks of a token; None is "what the verifier says"."""

    scope: str | Iterable[str] | None = None
    max_staleness: float | None = None
    on_stale: OnStale | None = None

    def same_policy(self, other: Needs) -> bool:
        """Whether what was verified for one need not be verified again for the other, but for the scope."""
        return (self.max_staleness, self.on_stale) == (other.max_staleness, other.on_stale)


def bearer_token(authorization: Sequence[str]) -> str:
    """The token in the values of all Authorization headers of a request (RFC 6750 section 2.1).

    Raises MissingToken when there is none or it is of another scheme, MalformedRequest for more than one header and for
    what is no token.
    """
    if len(authorization) > 1:
        raise MalformedRequest("More than one Authorization header.")
    value = authorization[0].strip(" \t") if authorization else ""
    if value.split(" ", 1)[0].lower() != "bearer":
        raise MissingToken
    credentials = _CREDENTIALS.fullmatch(value)
    if credentials is None:
        raise MalformedRequest("The Authorization header is malformed.")
    return credentials[1]


@dataclass(frozen=True, slots=True)
class Guard:
    """A verifier with what its challenges say: the piece to build on where there is no middleware yet."""

    verifier: Verifier
    realm: str | None = None
    """Named in challenges (RFC 9110 section 11.5)."""
    resource_metadata: str | None = None
    """URL of this API's metadata, named in challenges (RFC 9728 section 5.1)."""
    exempt: Collection[str] = field(default=())
    """Paths that need no token: exactly these, and with a slash at the end all that is below."""
    protect: Protect = "all"
    """Paths but those, or only the routes that are "marked" with `require`."""

    @classmethod
    def of(
        cls,
        verifier: Verifier,
        realm: str | None,
        resource_metadata: str | None,
        exempt: Collection[str],
        protect: Protect,
    ) -> Self:
        """With the options of a BearerAuth as they were given; raises ValueError for what cannot work."""
        if protect not in get_args(Protect):
            raise ValueError(f'protect {protect!r}: must be "all" or "marked"')
        if isinstance(exempt, str):
            raise ValueError(f"exempt {exempt!r}: must be a list of paths")
        return cls(verifier, realm, resource_metadata, frozenset(exempt), protect)

    def check(self, authorization: Sequence[str], needs: Needs = Needs()) -> VerifiedToken:  # noqa: B008 - immutable
        """The verified token of a request with these Authorization headers; raises Refusal."""
        return self.verifier.verify(bearer_token(authorization), **needs._asdict())

    async def check_async(self, authorization: Sequence[str], needs: Needs = Needs()) -> VerifiedToken:  # noqa: B008
        return await self.verifier.verify_async(bearer_token(authorization), **needs._asdict())

    def answer(self, refusal: Refusal, scope: str | Iterable[str] | None = None) -> Answer:
        """Status, headers and JSON body; `scope` is what the route needs, said where a token with it would help.

        The log is told why, at level DEBUG: anybody can make this happen.
        """
        logger.debug(
            "answered %d: %s%s", refusal.status, refusal.code, f" ({refusal.detail})" if refusal.detail else ""
        )
        error = refusal.error or _ERRORS_WITHOUT_CODE.get(refusal.status, "refused")
        body = json.dumps({"error": error, "error_description": refusal.description}, separators=(",", ":")).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        challenge = refusal.www_authenticate(
            resource_metadata=self.resource_metadata,
            realm=self.realm,
            scope=scope if refusal.error in (None, "insufficient_scope") else None,
        )
        if challenge is not None:
            headers.append(("WWW-Authenticate", challenge))
        if refusal.retry_after is not None:
            headers.append(("Retry-After", str(refusal.retry_after)))
        return Answer(refusal.status, tuple(headers), body)

    def needs_token(self, path: str) -> bool:
        """Before the application is asked."""
        return self.protect == "all" and not self.is_exempt(path)

    def is_exempt(self, path: str) -> bool:
        """Whether `path` (decoded, as the framework routes it) needs no token.

        Below a folder only plain paths are: `/public/../orders` could be another route to whoever resolves the dots.
        """
        if path in self.exempt:
            return True
        folders = (folder for folder in self.exempt if folder.endswith("/"))
        return any(path.startswith(folder) for folder in folders) and _is_plain(path)


def _is_plain(path: str) -> bool:
    segments = path.split("/")[1:]
    return "\\" not in path and "" not in segments[:-1] and not {".", ".."} & set(segments)
