"""In which form a token is written, and who decides."""

from __future__ import annotations

from typing import Any

import pytest

from authserver.model.client import Client
from authserver.model.resource_tokens import ResourceTokens
from authserver.tokens.forms import TokenForm, TokenForms

SECRETIVE, MODERN, OLD, PLAIN = "https://secretive", "https://modern", "https://old", "https://plain"
FORMS = TokenForms(
    [
        ResourceTokens(resource=SECRETIVE, format="opaque"),
        ResourceTokens(resource=MODERN, format="jwt", signed_response_alg="PS256"),
        ResourceTokens(resource=OLD, typ="JWT", signed_response_alg="RS256"),
    ]
)


def client(**fields: Any) -> Client:
    return Client(id="c", name="c", auth_method="none", **fields)


@pytest.mark.parametrize(
    ("fields", "audience", "form"),
    [
        ({}, (PLAIN,), ("jwt", "at+jwt", "RS256")),
        ({"access_token_signed_response_alg": "ES256"}, (PLAIN,), ("jwt", "at+jwt", "ES256")),
        ({}, (SECRETIVE,), ("opaque", "at+jwt", "RS256")),
        ({}, (PLAIN, SECRETIVE), ("opaque", "at+jwt", "RS256")),
        ({}, (MODERN,), ("jwt", "at+jwt", "PS256")),
        ({"access_token_signed_response_alg": "ES256"}, (MODERN, PLAIN), ("jwt", "at+jwt", "PS256")),
        ({"access_token_typ": "JWT"}, (MODERN,), ("jwt", "JWT", "PS256")),
        ({}, (OLD,), ("jwt", "JWT", "RS256")),
        ({}, (SECRETIVE, OLD), ("opaque", "JWT", "RS256")),
        ({"profile": "fapi2", "access_token_signed_response_alg": "ES256"}, (MODERN,), ("jwt", "at+jwt", "PS256")),
        (
            {"profile": "fapi2", "access_token_signed_response_alg": "ES256"},
            (OLD,),
            ("jwt", "JWT", "ES256"),
        ),
        ({}, (SECRETIVE, MODERN), ("opaque", "at+jwt", "PS256")),
        ({}, (MODERN, OLD), ("jwt", "JWT", "PS256")),
        ({}, (OLD, MODERN), ("jwt", "JWT", "RS256")),
    ],
)
def test_the_resource_decides_and_where_it_is_silent_the_client(
    fields: dict[str, Any], audience: tuple[str, ...], form: tuple[str, str, str]
) -> None:
    assert FORMS.of(client(**fields), audience) == TokenForm(*form)  # type: ignore[arg-type]  # texts of a parameter


@pytest.mark.parametrize("audience", [(PLAIN,), (MODERN,), (OLD,), (SECRETIVE,), (MODERN, OLD)])
def test_who_has_opaque_tokens_gets_no_others(audience: tuple[str, ...]) -> None:
    assert FORMS.of(client(access_token_format="opaque"), audience).format == "opaque"


@pytest.mark.parametrize(
    ("fields", "resources", "algorithms"),
    [
        ({}, (PLAIN,), {"RS256"}),
        ({}, (PLAIN, MODERN), {"RS256", "PS256"}),
        ({"access_token_signed_response_alg": "ES256"}, (MODERN,), {"ES256", "PS256"}),
        ({"access_token_format": "opaque"}, (PLAIN, MODERN), set()),
    ],
)
def test_only_keys_that_a_client_may_need_are_asked_for(
    fields: dict[str, Any], resources: tuple[str, ...], algorithms: set[str]
) -> None:
    assert FORMS.algorithms(client(**fields), resources) == algorithms


def test_without_wishes_of_resources_it_is_the_client_alone() -> None:
    assert TokenForms().of(client(access_token_typ="JWT"), (OLD, MODERN)) == TokenForm("jwt", "JWT", "RS256")
