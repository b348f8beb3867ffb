"""In which form an access token is written: as its client has them, unless its resource wants another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from authserver.model.client import FAPI_ALGORITHMS, AccessTokenFormat, AccessTokenTyp, Client
from authserver.model.resource_tokens import ResourceTokens
from authserver.tokens.algorithms import RS256


class TokenForm(NamedTuple):
    format: AccessTokenFormat
    typ: AccessTokenTyp
    algorithm: str


class TokenForms:
    """Always has an answer: a token that could be refused for its form would be refused after a code or a refresh
    token was spent on it."""

    def __init__(self, resources: Iterable[ResourceTokens] = ()) -> None:
        self._wanted = {wanted.resource: wanted for wanted in resources}

    def of(self, client: Client, audience: Iterable[str]) -> TokenForm:
        """Of a token for these resources.

        Opaque as soon as one side wants that, client or resource: it is wanted to keep something secret. Else as the
        first of the resources that cares wants it, then as the client does. The algorithms of a profile stay in
        force.
        """
        own = TokenForm(
            client.access_token_format, client.access_token_typ, client.access_token_signed_response_alg or RS256
        )
        if not self._wanted:
            return own
        wanted = [self._wanted[resource] for resource in audience if resource in self._wanted]
        opaque = "opaque" in (own.format, *(each.format for each in wanted))
        algorithm = next((each.signed_response_alg for each in wanted if each.signed_response_alg), own.algorithm)
        return TokenForm(
            "opaque" if opaque else "jwt",
            next((each.typ for each in wanted if each.typ), own.typ),
            algorithm if client.profile != "fapi2" or algorithm in FAPI_ALGORITHMS else own.algorithm,
        )

    def algorithms(self, client: Client, resources: Iterable[str]) -> frozenset[str]:
        """What may have to sign a token for some of these resources."""
        caring = (resource for resource in resources if resource in self._wanted)
        forms = [self.of(client, ()), *(self.of(client, (resource,)) for resource in caring)]
        return frozenset(form.algorithm for form in forms if form.format == "jwt")
