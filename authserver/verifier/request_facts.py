"""The token of a request, and what a proof of possession is about, for any framework."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol
from urllib.parse import quote

from .certificate import Certificate
from .errors import MalformedRequest, MissingToken
from .possession import Scheme, Shown
from .proof_errors import InvalidProof
from .target_uri import NoTarget, origin_of

_CREDENTIALS = re.compile(r"(?:bearer|dpop) +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_SCHEMES: dict[str, Scheme] = {"bearer": "Bearer", "dpop": "DPoP"}
_SAFE = "/:@!$&'()*+,;=~%"
"""What stands in paths as it is (RFC 3986 section 3.3); what is percent-encoded already stays so."""


class RequestFacts(Protocol):
    """Asked only when a proof is needed."""

    @property
    def method(self) -> str: ...

    @property
    def host(self) -> str:
        """The Host header. Whoever sends a request chooses it, so it only chooses among the names that are known."""
        ...

    @property
    def path(self) -> str:
        """As it was sent, percent-encoded, without query."""
        ...

    @property
    def proofs(self) -> Sequence[str]:
        """The values of all DPoP headers."""
        ...

    @property
    def certificate(self) -> Callable[[], Certificate | None] | None:
        """The client's certificate, asked for when a token needs it; None: there are none here."""
        ...


class Presented(NamedTuple):
    """A token, and how it came."""

    token: str
    shown: Shown


def credentials(authorization: Sequence[str]) -> tuple[Scheme, str]:
    """Scheme and token in the values of all Authorization headers of a request (RFC 6750 section 2.1, RFC 9449
    section 7.1).

    Raises MissingToken when there is none or it is of another scheme, MalformedRequest for more than one header and for
    what is no token.
    """
    if len(authorization) > 1:
        raise MalformedRequest("More than one Authorization header.")
    value = authorization[0].strip(" \t") if authorization else ""
    scheme = _SCHEMES.get(value.split(" ", 1)[0].lower())
    if scheme is None:
        raise MissingToken
    matched = _CREDENTIALS.fullmatch(value)
    if matched is None:
        raise MalformedRequest("The Authorization header is malformed.")
    return scheme, matched[1]


def url_of(request: RequestFacts, public_url: str | None, audiences: Collection[str]) -> str:
    """The URL by which the client has called, for the `htu` of its proof.

    Never built from the Host header: a proof made for somebody else's service would count here, if only whoever got
    hold of it and of the token sends that service's name along. Without `public_url` it is the origin of the audience
    that tokens are meant for. Raises InvalidProof when no audience is a URL.
    """
    path = quote(request.path, safe=_SAFE)
    if public_url is not None:
        return public_url.rstrip("/") + path
    origins = sorted({origin for name in audiences if (origin := _origin(name))})
    if not origins:
        raise InvalidProof(detail="no audience is a URL: say where clients find this service (public_url)")
    named = [origin for origin in origins if origin.partition("://")[2] == request.host.lower()]
    return (named or origins)[0] + path


def _origin(name: str) -> str | None:
    try:
        return origin_of(name)
    except NoTarget:
        return None
