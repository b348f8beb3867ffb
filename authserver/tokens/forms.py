"""In which form an access token is written: as its client has them, unless its resource wants another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from authserver.model.client import FAPI_ALGORITHMS, AccessTokenFormat, AccessTokenTyp, Client
from authserver.model.errors import Refused
from authserver.model.resource_tokens import ResourceTokens
from authserver.tokens.algorithms import RS256

T = TypeVar("T")


class TokenForm(NamedTuple):
    format: AccessTokenFormat
    typ: AccessTokenTyp
    algorithm: str


class NoCommonForm(Refused):
    """No token can be what all sides ask of it."""

    code = "invalid_target"


class TokenForms:
    def __init__(self, resources: Iterable[ResourceTokens] = ()) -> None:
        self._wanted = {wanted.resource: wanted for wanted in resources}

    def of(self, client: Client, audience: tuple[str, ...]) -> TokenForm:
        """Of a token for these resources. What the resources say counts before what the client says, with two
        exceptions: who has opaque tokens gets no others, as their claims may be nobody's business (pairwise
        subjects), and a profile's algorithms are kept to.

        Raises NoCommonForm.
        """
        own = TokenForm(
            client.access_token_format, client.access_token_typ, client.access_token_signed_response_alg or RS256
        )
        if not self._wanted:
            return own
        wanted = [self._wanted[resource] for resource in audience if resource in self._wanted]
        return self._agreed(client, own, wanted) if wanted else own

    def algorithms(self) -> frozenset[str]:
        """Those that some resource wants."""
        return frozenset(each.signed_response_alg for each in self._wanted.values() if each.signed_response_alg)

    def _agreed(self, client: Client, own: TokenForm, wanted: list[ResourceTokens]) -> TokenForm:
        form = TokenForm(
            _one("format", (each.format for each in wanted)) or own.format,
            _one("typ", (each.typ for each in wanted)) or own.typ,
            _one("signed_response_alg", (each.signed_response_alg for each in wanted)) or own.algorithm,
        )
        if own.format == "opaque":
            return form._replace(format="opaque")
        if client.profile == "fapi2" and form.format == "jwt" and form.algorithm not in FAPI_ALGORITHMS:
            raise NoCommonForm(f"the resource takes {form.algorithm} alone, which the profile of this client forbids")
        return form


def _one(name: str, wanted: Iterable[T | None]) -> T | None:
    """What those who care agree on; None: nobody does."""
    said = {each for each in wanted if each is not None}
    if len(said) > 1:
        raise NoCommonForm(f"these resources take tokens in different forms ({name}): ask for one at a time")
    return next(iter(said), None)
