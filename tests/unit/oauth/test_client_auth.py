"""Client authentication: every method, every way to get it wrong (RFC 6749 section 2.3)."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from typing import get_args
from urllib.parse import quote_plus

import pytest

from authserver.model.client import AuthMethod, Client, ClientSecret
from authserver.oauth.client_auth import METHODS, SECRETS_ONLY, ClientAuthenticator, PresentedCredentials
from authserver.oauth.errors import InvalidClient, InvalidRequest, OAuthError
from authserver.oauth.form import Form

NOON = 1_800_000_000_000
SECRET = "kept well: +%/ü"


@dataclasses.dataclass
class Registered:
    """The clients of one test."""

    clients: dict[str, Client]

    async def get(self, client_id: str) -> Client | None:
        return self.clients.get(client_id)

    async def issuer_version(self) -> int:
        return 0


def a_secret(text: str = SECRET, **different: object) -> ClientSecret:
    digest = hashlib.sha256(text.encode()).digest()
    return ClientSecret(**{"id": "s1", "sha256": digest, "created_at": NOON, **different})


def a_client(**different: object) -> Client:
    return Client(
        **{"id": "app", "name": "App", "auth_method": "client_secret_basic", "secrets": (a_secret(),), **different}
    )


def basic(client_id: str = "app", secret: str = SECRET) -> str:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


async def authenticate(*clients: Client, authorization: str | None = None, **form: str) -> Client:
    registered = Registered({client.id: client for client in clients})
    authenticator = ClientAuthenticator(registered, lambda: NOON, registered)
    return await authenticator.authenticate(PresentedCredentials(authorization, Form(form)))


async def refusal(*clients: Client, authorization: str | None = None, **form: str) -> OAuthError:
    with pytest.raises(OAuthError) as refused:
        await authenticate(*clients, authorization=authorization, **form)
    return refused.value


async def test_basic_credentials_are_form_decoded_after_base64():
    assert (await authenticate(a_client(id="a b+c"), authorization=basic("a b+c"))).id == "a b+c"


async def test_the_scheme_is_not_case_sensitive_and_the_own_id_may_be_repeated_in_the_form():
    assert await authenticate(a_client(), authorization=basic().replace("Basic", "bAsIC "), client_id="app")


async def test_a_secret_in_the_body_is_accepted_from_a_client_registered_for_it():
    assert await authenticate(a_client(auth_method="client_secret_post"), client_id="app", client_secret=SECRET)


async def test_a_public_client_needs_only_its_id():
    assert await authenticate(a_client(auth_method="none", secrets=()), client_id="app")


async def test_each_of_several_secrets_is_good_until_it_expires():
    secrets = (a_secret("old", expires_at=NOON + 1), a_secret("new"), a_secret("gone", expires_at=NOON))
    client = a_client(secrets=secrets)
    assert await authenticate(client, authorization=basic(secret="old"))
    assert await authenticate(client, authorization=basic(secret="new"))
    assert isinstance(await refusal(client, authorization=basic(secret="gone")), InvalidClient)


async def test_unknown_wrong_and_disabled_are_told_apart_by_nobody_but_the_log():
    unknown = await refusal(authorization=basic())
    wrong = await refusal(a_client(), authorization=basic(secret="guess"))
    disabled = await refusal(a_client(enabled=False), authorization=basic())
    answers = {(e.code, e.status, e.description, tuple(e.headers.items())) for e in (unknown, wrong, disabled)}
    assert len(answers) == 1
    assert len({unknown.detail, wrong.detail, disabled.detail}) == 3


async def test_only_a_caller_that_used_the_header_is_challenged():
    with_header = await refusal(a_client(), authorization=basic(secret="guess"))
    without = await refusal(a_client(auth_method="client_secret_post"), client_id="app", client_secret="guess")
    assert with_header.headers["WWW-Authenticate"].startswith("Basic ")
    assert without.headers == {}


async def test_a_right_secret_by_the_wrong_method_is_refused_and_the_method_named():
    refused = await refusal(a_client(), client_id="app", client_secret=SECRET)
    assert isinstance(refused, InvalidClient)
    assert "client_secret_basic" in refused.description


async def test_a_wrong_secret_by_the_wrong_method_learns_nothing():
    refused = await refusal(a_client(), client_id="app", client_secret="guess")
    assert "client_secret_basic" not in refused.description


async def test_a_confidential_client_cannot_pose_as_a_public_one():
    refused = await refusal(a_client(), client_id="app")
    assert isinstance(refused, InvalidClient)
    assert "client_secret_basic" not in refused.description
    assert isinstance(await refusal(a_client(secrets=()), client_id="app"), InvalidClient)


async def test_a_public_client_with_a_secret_is_refused():
    public = a_client(auth_method="none", secrets=())
    assert isinstance(await refusal(public, client_id="app", client_secret="x"), InvalidClient)
    assert isinstance(await refusal(public, authorization=basic(secret="x")), InvalidClient)


async def test_a_client_without_any_secret_cannot_authenticate_by_one():
    assert isinstance(await refusal(a_client(secrets=()), authorization=basic(secret="")), InvalidClient)
    assert isinstance(await refusal(a_client(secrets=()), authorization=basic(secret="x")), InvalidClient)


async def test_two_methods_in_one_request_are_refused():
    both = await refusal(a_client(), authorization=basic(), client_id="app", client_secret=SECRET)
    two_names = await refusal(a_client(), authorization=basic(), client_id="other")
    assert isinstance(both, InvalidRequest)
    assert isinstance(two_names, InvalidRequest)


async def test_no_credentials_at_all_are_refused():
    assert (await refusal(a_client())).status == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YXBw",
        "Basic Og==",
        "Basic /w==",
        "Bearer abc",
        "Basic " + "A" * 10_001,
        "Basic " + base64.b64encode(b"app%ff:x").decode(),
        "Basic " + base64.b64encode(b"app\0:x").decode(),
        "Basic " + base64.b64encode(b"app%00:x").decode(),
    ],
)
async def test_a_malformed_header_is_a_failed_authentication_with_a_challenge(header: str):
    refused = await refusal(a_client(), authorization=header)
    assert isinstance(refused, InvalidClient)
    assert "WWW-Authenticate" in refused.headers


async def test_a_secret_that_is_newer_than_the_copy_in_memory_is_good_at_once():
    behind, stored = Registered({"app": a_client()}), Registered({"app": a_client(secrets=(a_secret("new"),))})
    authenticator = ClientAuthenticator(behind, lambda: NOON, stored)
    assert await authenticator.authenticate(PresentedCredentials(basic(secret="new"), Form()))


def test_every_registrable_method_is_in_the_table():
    assert set(METHODS) == set(get_args(AuthMethod))
    assert set(SECRETS_ONLY) <= set(METHODS)


async def test_no_secret_is_in_what_the_log_may_print():
    refused = await refusal(a_client(), authorization=basic(secret="guess-me"))
    assert "guess-me" not in f"{refused!r} {refused.detail} {refused.extra} {Form({'client_secret': 'guess-me'})!r}"
