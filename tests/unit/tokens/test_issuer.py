"""Minting: what an access token says, how long it lives."""

from __future__ import annotations

from typing import Any

import jwt as pyjwt
import pytest

from authserver.model.errors import Refused
from authserver.model.grant import Versions
from authserver.model.time import HOUR, MINUTE, SECOND
from authserver.tokens.issuer import SessionOver, TokenIssuer, TokenTooLarge
from authserver.tokens.keyring import KeyRing, NoSigningKey
from tests.unit.tokens.builders import (
    ISSUER,
    MASTER,
    NOON,
    FakeClock,
    a_client,
    a_signing_server,
    an_authorization,
    parts,
)


@pytest.fixture
async def issuer(sqlite_stores: Any) -> TokenIssuer:
    clock = FakeClock(NOON + 900)  # in the middle of a second
    rotation = await a_signing_server(sqlite_stores.keys, clock)
    return TokenIssuer(ISSUER, rotation.ring, 5 * MINUTE, clock)


def _claims(issuer: TokenIssuer, **differs: Any) -> dict[str, Any]:
    return parts(issuer.access_token(an_authorization(**differs)).token)[1]


async def test_an_access_token_says_what_rfc_9068_asks_for(issuer: TokenIssuer) -> None:
    authorization = an_authorization(versions=Versions(3, 2, 1))
    minted = issuer.access_token(authorization)
    header, claims, _ = parts(minted.token)
    assert header == {"alg": "RS256", "typ": "at+jwt", "kid": issuer.ring.signing.kid}
    assert claims == {
        "iss": ISSUER,
        "sub": authorization.subject,
        "aud": "https://api.example.com",
        "client_id": "web-app",
        "scope": "read write",
        "iat": NOON // SECOND,
        "exp": NOON // SECOND + 300,
        "jti": minted.jti,
        "sid": authorization.family_id,
        "rv": "3.2.1",
        "auth_time": (NOON - MINUTE) // SECOND,
        "acr": "1",
        "amr": ["pwd"],
    }


async def test_it_validates_with_nothing_but_the_published_keys(issuer: TokenIssuer) -> None:
    token = issuer.access_token(an_authorization()).token
    keys = pyjwt.PyJWKSet.from_json(issuer.ring.jwks.body.decode())
    claims = pyjwt.decode(
        token,
        keys[pyjwt.get_unverified_header(token)["kid"]],
        algorithms=["RS256"],
        issuer=ISSUER,
        audience="https://api.example.com",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["client_id"] == "web-app"


async def test_a_clients_own_token_names_the_client_as_its_subject(issuer: TokenIssuer) -> None:
    claims = _claims(issuer, subject="web-app", family_id=None, auth_time=None, acr=None, amr=(), not_after=None)
    assert claims["sub"] == claims["client_id"] == "web-app"
    assert claims.keys().isdisjoint({"sid", "auth_time", "acr", "amr"})


async def test_several_audiences_are_a_list_and_one_is_a_text(issuer: TokenIssuer) -> None:
    assert _claims(issuer, audience=("https://a", "https://b"))["aud"] == ["https://a", "https://b"]
    assert _claims(issuer, audience=("https://a",))["aud"] == "https://a"


async def test_a_token_without_scope_has_no_scope_claim(issuer: TokenIssuer) -> None:
    assert "scope" not in _claims(issuer, scope=())


async def test_no_two_tokens_share_their_id(issuer: TokenIssuer) -> None:
    assert len({issuer.access_token(an_authorization()).jti for _ in range(20)}) == 20


async def test_the_answer_tells_the_lifetime(issuer: TokenIssuer) -> None:
    minted = issuer.access_token(an_authorization())
    assert (minted.expires_in, minted.expires_at) == (300, NOON + 5 * MINUTE)


async def test_a_client_may_have_shorter_lived_tokens_but_no_longer_lived_ones(issuer: TokenIssuer) -> None:
    for ttl, lived in ((MINUTE, 60), (HOUR, 300), (None, 300)):
        minted = issuer.access_token(an_authorization(client=a_client(access_token_ttl=ttl)))
        assert minted.expires_in == lived


@pytest.mark.parametrize("rest", [1100, 1999, 2000, 60_000, 299_000])
async def test_no_token_outlives_its_session(issuer: TokenIssuer, rest: int) -> None:
    minted = issuer.access_token(an_authorization(not_after=NOON + rest))
    assert NOON + rest - SECOND < minted.expires_at <= NOON + rest


@pytest.mark.parametrize("rest", [-HOUR, -1, 0, 900, 950, 999])
async def test_a_session_with_nothing_left_gets_no_token(issuer: TokenIssuer, rest: int) -> None:
    with pytest.raises(SessionOver) as refused:
        issuer.access_token(an_authorization(not_after=NOON + rest))
    assert (refused.value.code, refused.value.status) == ("invalid_grant", 400)
    assert refused.value.extra == {"error_reason": "expired"}


@pytest.mark.parametrize(
    "differs",
    [{"scope": tuple(f"scope-{n}" for n in range(1000))}, {"audience": tuple(f"https://{n}" for n in range(65))}],
)
async def test_a_token_that_no_verifier_would_take_is_not_issued(issuer: TokenIssuer, differs: dict[str, Any]) -> None:
    with pytest.raises(TokenTooLarge):
        issuer.access_token(an_authorization(**differs))


async def test_without_a_signing_key_nothing_is_issued(sqlite_stores: Any) -> None:
    ring = KeyRing(sqlite_stores.keys, MASTER, FakeClock())
    await ring.load()
    with pytest.raises(NoSigningKey) as refused:
        TokenIssuer(ISSUER, ring, 5 * MINUTE, FakeClock()).access_token(an_authorization())
    assert isinstance(refused.value, Refused)
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})


async def test_the_token_does_not_print(issuer: TokenIssuer) -> None:
    minted = issuer.access_token(an_authorization())
    assert minted.token[:20] not in repr(minted)
