"""From the headers of a request to a verified token, and from a refusal to an answer, for any framework.

The token is taken from the Authorization header and from nowhere else: URLs are logged and shared (RFC 9700
section 4.3.2).
Answers follow RFC 6750 section 3, RFC 9449 section 7.1 and RFC 9728 section 5.1.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, get_args

from .dpop_key import ALGORITHMS
from .errors import InsufficientScope, MissingToken, ProofRequired, Refusal
from .needs import Needs
from .possession import BEARER, Shown
from .request_facts import Presented, RequestFacts, credentials, url_of
from .resource import ProtectedResource
from .token import VerifiedToken

if TYPE_CHECKING:
    from .verifier import Verifier

Protect = Literal["all", "marked"]
Dpop = Literal["accepted", "announced", "required"]
"""Tokens that are bound to a DPoP key are let in with a proof; they are also asked for; no others are let in."""

logger = logging.getLogger("authserver.verifier")
_ERRORS_WITHOUT_CODE = {401: "unauthorized", 503: "temporarily_unavailable"}


class Answer(NamedTuple):
    """What to send to whoever is refused."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    """JSON."""


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

    dpop: Dpop = "accepted"
    public_url: str | None = None
    """Where clients find this service, for DPoP proofs: origin, and what a proxy takes off the path."""
    resource: ProtectedResource | None = None
    """Metadata that the middleware serves at its well-known path."""

    @classmethod
    def of(
        cls,
        verifier: Verifier,
        resource_metadata: str | ProtectedResource | None,
        protect: Protect,
        exempt: Collection[str],
        **options: Any,
    ) -> Self:
        """With the options of a BearerAuth as they were given; raises ValueError for what cannot work."""
        if protect not in get_args(Protect):
            raise ValueError(f'protect {protect!r}: must be "all" or "marked"')
        if isinstance(exempt, str):
            raise ValueError(f"exempt {exempt!r}: must be a list of paths")
        if options["dpop"] not in get_args(Dpop):
            raise ValueError(f"dpop {options['dpop']!r}: must be one of {', '.join(get_args(Dpop))}")
        told: dict[str, Any] = {"protect": protect, "exempt": frozenset(exempt), **options}
        if isinstance(resource_metadata, ProtectedResource):
            return cls(verifier, resource_metadata=resource_metadata.metadata_url, resource=resource_metadata, **told)
        return cls(verifier, resource_metadata=resource_metadata, **told)

    def presented(self, authorization: Sequence[str], request: RequestFacts | None = None) -> Presented:
        """The token in these Authorization headers, and with what the request proves it; raises Refusal.

        Without `request` only bearer tokens are let in. Make it once for each request: a proof counts once.
        """
        scheme, token = credentials(authorization)
        if scheme == "Bearer":
            if self.dpop == "required":
                raise ProofRequired("Only tokens that are bound to a DPoP key are let in here.", scheme="DPoP")
            certificate = None if request is None else request.certificate
            return Presented(token, BEARER if certificate is None else Shown(certificate=certificate))
        if request is None:
            raise MissingToken
        url = url_of(request, self.public_url, self.verifier.audiences)
        return Presented(token, Shown(scheme, request.method, url, request.proofs, request.certificate))

    def admit(self, presented: Presented, needs: Needs = Needs()) -> VerifiedToken:  # noqa: B008 - immutable
        """The verified token; raises Refusal."""
        with _in_its_scheme(presented.shown):
            token = self.verifier.verify(presented.token, **_told(needs, presented.shown))
            self.require(token, needs, scope=False)
        return token

    async def admit_async(self, presented: Presented, needs: Needs = Needs()) -> VerifiedToken:  # noqa: B008 - immutable
        with _in_its_scheme(presented.shown):
            token = await self.verifier.verify_async(presented.token, **_told(needs, presented.shown))
            self.require(token, needs, scope=False)
        return token

    def require(self, token: VerifiedToken, needs: Needs, *, scope: bool = True) -> None:
        """What can be asked of a token that was let in already; raises Refusal."""
        if scope and needs.scope is not None and not token.has_scope(needs.scope):
            raise InsufficientScope
        if needs.acr or needs.max_age is not None:
            self.verifier.require_authentication(token, acr=needs.acr, max_age=needs.max_age)

    def check(
        self,
        authorization: Sequence[str],
        needs: Needs = Needs(),  # noqa: B008 - immutable
        request: RequestFacts | None = None,
    ) -> VerifiedToken:
        """The verified token of a request with these Authorization headers; raises Refusal."""
        return self.admit(self.presented(authorization, request), needs)

    async def check_async(
        self,
        authorization: Sequence[str],
        needs: Needs = Needs(),  # noqa: B008 - immutable
        request: RequestFacts | None = None,
    ) -> VerifiedToken:
        return await self.admit_async(self.presented(authorization, request), needs)

    def nonce_header(self, shown: Shown | None) -> tuple[tuple[str, str], ...]:
        """For answers to whoever uses DPoP, where nonces are asked for (RFC 9449 section 8.2)."""
        nonce = self.verifier.dpop_nonce() if shown is not None and shown.scheme == "DPoP" else None
        return () if nonce is None else (("DPoP-Nonce", nonce),)

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
        challenge = self._challenge(refusal, scope)
        if challenge is not None:
            headers.append(("WWW-Authenticate", challenge))
        if refusal.retry_after is not None:
            headers.append(("Retry-After", str(refusal.retry_after)))
        return Answer(refusal.status, (*headers, *refusal.headers), body)

    def _challenge(self, refusal: Refusal, scope: str | Iterable[str] | None) -> str | None:
        """In the scheme that was used; where both are possible and one is to choose, the other one behind it."""
        if self.dpop == "required":
            refusal.scheme = "DPoP"
        own = refusal.www_authenticate(
            resource_metadata=self.resource_metadata,
            realm=self.realm,
            scope=scope if refusal.error in (None, "insufficient_scope") else None,
        )
        if own is None or self.dpop != "announced":
            return own
        return f"{own}, Bearer" if refusal.scheme == "DPoP" else f'{own}, DPoP algs="{" ".join(ALGORITHMS)}"'

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


@contextmanager
def _in_its_scheme(shown: Shown) -> Iterator[None]:
    """Who used DPoP is answered in DPoP (RFC 9449 section 7.1)."""
    try:
        yield
    except Refusal as refusal:
        if shown.scheme == "DPoP":
            refusal.scheme = "DPoP"
        raise


def _told(needs: Needs, shown: Shown) -> dict[str, Any]:
    options = {"scope": needs.scope, "max_staleness": needs.max_staleness, "on_stale": needs.on_stale}
    return options if shown is BEARER else {**options, "shown": shown}


def _is_plain(path: str) -> bool:
    segments = path.split("/")[1:]
    return "\\" not in path and "" not in segments[:-1] and not {".", ".."} & set(segments)
