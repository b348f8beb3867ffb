"""ID tokens: what they say, by which key, and that nothing else passes for one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jwt as pyjwt
import pytest

from authserver.model.client import Client
from authserver.model.errors import InvalidToken
from authserver.model.grant import Authorization, OpenIdFacts, Terms
from authserver.model.time import DAY, MINUTE, SECOND
from authserver.tokens import jwt
from authserver.tokens.id_token import OWN_CLAIMS, IdTokens
from authserver.tokens.issuer import TokenIssuer
from authserver.tokens.keyring import NoSigningKey
from authserver.tokens.rotation import KeyRotation
from tests.unit.tokens.builders import (
    ISSUER,
    NOON,
    POLICY,
    FakeClock,
    a_client,
    a_rotation,
    a_signing_server,
    an_authorization,
    base64url,
    parts,
)

ACCESS_TOKEN = "an.access.token"
ADA = {"email": "ada@example.com", "email_verified": True, "name": "Ada"}


@dataclass
class Known:
    """What there is to tell, and what was asked."""

    claims: Mapping[str, object] = field(default_factory=lambda: ADA)
    asked: list[tuple[str, str, frozenset[str]]] = field(default_factory=list)

    async def claims_for(self, client: Client, user_id: str, names: Collection[str]) -> Mapping[str, object]:
        self.asked.append((client.id, user_id, frozenset(names)))
        return self.claims


@dataclass
class Scene:
    clock: FakeClock
    rotation: KeyRotation
    id_tokens: IdTokens
    known: Known

    async def claims(self, authorization: Authorization) -> dict[str, Any]:
        return parts(await self.id_tokens.token(authorization, ACCESS_TOKEN))[1]


@pytest.fixture
async def scene(sqlite_stores: Any) -> Scene:
    clock, known = FakeClock(NOON + 900), Known()
    rotation = await a_signing_server(sqlite_stores.keys, clock)
    return Scene(clock, rotation, IdTokens(ISSUER, rotation.ring, 5 * MINUTE, clock, known), known)


def a_log_in(**differs: Any) -> Authorization:
    return an_authorization(**{"openid": OpenIdFacts("n-0S6"), **differs})


async def test_it_says_what_openid_connect_asks_for_and_nothing_more(scene: Scene) -> None:
    authorization = a_log_in()
    header, claims, _ = parts(await scene.id_tokens.token(authorization, ACCESS_TOKEN))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": scene.rotation.ring.signing.kid}
    assert claims == {
        "iss": ISSUER,
        "sub": authorization.subject,
        "aud": "web-app",
        "iat": NOON // SECOND,
        "exp": NOON // SECOND + 300,
        "auth_time": (NOON - MINUTE) // SECOND,
        "nonce": "n-0S6",
        "acr": "1",
        "amr": ["pwd"],
        "sid": authorization.family_id,
        "at_hash": base64url(hashlib.sha256(ACCESS_TOKEN.encode()).digest()[:16]),
    }


async def test_what_is_not_known_is_not_said(scene: Scene) -> None:
    claims = await scene.claims(a_log_in(openid=OpenIdFacts(), acr=None, amr=()))
    assert claims.keys().isdisjoint({"nonce", "acr", "amr", "azp", "c_hash"})
    assert "at_hash" not in parts(await scene.id_tokens.token(a_log_in(), None))[1]


async def test_the_sid_is_that_of_the_log_in_also_where_offline_access_outlives_it(scene: Scene) -> None:
    assert (await scene.claims(a_log_in(terms=Terms(sid="the-log-in"))))["sid"] == "the-log-in"


async def test_each_client_may_know_the_user_by_another_name(scene: Scene) -> None:
    pairwise = replace(scene.id_tokens, subject_of=lambda client, user_id: f"{client.id}|{user_id[:4]}")
    authorization = a_log_in()
    claims = parts(await pairwise.token(authorization, ACCESS_TOKEN))[1]
    assert claims["sub"] == f"web-app|{authorization.subject[:4]}"


async def test_claims_that_were_asked_for_by_name_are_told_and_no_others(scene: Scene) -> None:
    authorization = a_log_in(terms=Terms(claims={"id_token": {"email": None, "picture": {"essential": True}}}))
    claims = await scene.claims(authorization)
    assert claims["email"] == "ada@example.com"
    assert "name" not in claims
    assert scene.known.asked == [("web-app", authorization.subject, {"email", "picture"})]


async def test_nobody_is_asked_where_nothing_was_asked_for(scene: Scene) -> None:
    await scene.claims(a_log_in(terms=Terms(claims={"userinfo": {"email": None}})))
    assert scene.known.asked == []


@pytest.mark.parametrize("name", sorted(OWN_CLAIMS))
async def test_no_claim_about_a_user_takes_the_place_of_the_tokens_own(scene: Scene, name: str) -> None:
    plain = await scene.claims(a_log_in(family_id="sid", subject="ada"))
    scene.known.claims = {name: "evil", "email": "ada@example.com"}
    asked = Terms(claims={"id_token": {name: None, "email": None}})
    claims = await scene.claims(a_log_in(family_id="sid", subject="ada", terms=asked))
    assert claims == plain | {"email": "ada@example.com"}


@pytest.mark.parametrize(
    ("algorithm", "hashed", "half"), [("PS256", "sha256", 16), ("ES256", "sha256", 16), ("EdDSA", "sha512", 32)]
)
async def test_a_client_may_want_another_algorithm(sqlite_stores: Any, algorithm: str, hashed: str, half: int) -> None:
    clock = FakeClock()
    rotation = a_rotation(sqlite_stores.keys, clock, policy=replace(POLICY, algorithms=("RS256", algorithm)))
    await rotation.ensure_keys()
    id_tokens = IdTokens(ISSUER, rotation.ring, 5 * MINUTE, clock)
    client = a_client(id_token_signed_response_alg=algorithm)
    token = await id_tokens.token(a_log_in(client=client), ACCESS_TOKEN)
    keys = pyjwt.PyJWKSet.from_json(rotation.ring.jwks.body.decode())
    options = {"verify_exp": False, "verify_iat": False}
    claims = pyjwt.decode(
        token, keys[parts(token)[0]["kid"]], algorithms=[algorithm], audience="web-app", options=options
    )
    assert claims["at_hash"] == base64url(hashlib.new(hashed, ACCESS_TOKEN.encode()).digest()[:half])


async def test_an_algorithm_without_a_key_is_found_out_before_anything_is_spent(scene: Scene) -> None:
    with pytest.raises(NoSigningKey):
        scene.id_tokens.require_signing_key(a_client(id_token_signed_response_alg="ES256"))
    scene.id_tokens.require_signing_key(a_client())


# -- coming back ------------------------------------------------------------------------------


async def test_an_id_token_is_read_long_after_its_time(scene: Scene) -> None:
    token = await scene.id_tokens.token(a_log_in(), ACCESS_TOKEN)
    scene.clock.advance(80 * DAY)
    assert scene.id_tokens.read_past(token) == parts(token)[1]


async def test_not_under_a_key_that_was_withdrawn(scene: Scene) -> None:
    token = await scene.id_tokens.token(a_log_in(), ACCESS_TOKEN)
    await scene.rotation.withdraw(scene.rotation.ring.signing.kid, caller=scene.rotation.caller)
    with pytest.raises(InvalidToken, match="key is not known"):
        scene.id_tokens.read_past(token)


async def test_an_access_token_of_the_same_type_is_no_id_token(scene: Scene) -> None:
    issuer = TokenIssuer(ISSUER, scene.rotation.ring, 5 * MINUTE, scene.clock)
    client = a_client(access_token_typ="JWT")
    token = issuer.access_token(an_authorization(client=client, audience=("web-app",))).token
    assert parts(token)[0]["typ"] == "JWT"
    with pytest.raises(InvalidToken, match="not an ID token"):
        scene.id_tokens.read_past(token)


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "token-introspection+jwt", "rev-checkpoint+jwt"])
async def test_another_type_of_jwt_is_no_id_token(scene: Scene, typ: str) -> None:
    claims = await scene.claims(a_log_in())
    with pytest.raises(InvalidToken, match="type is not acceptable"):
        scene.id_tokens.read_past(jwt.sign(claims, scene.rotation.ring.signing, typ))


@pytest.mark.parametrize(
    "changes", [{"aud": None}, {"sub": 1}, {"aud": ["web-app"]}, {"events": {}}, {"iss": "https://evil.example"}]
)
async def test_what_is_not_quite_an_id_token_is_none(scene: Scene, changes: dict[str, Any]) -> None:
    claims = {**await scene.claims(a_log_in()), **changes}
    with pytest.raises(InvalidToken):
        scene.id_tokens.read_past(jwt.sign(claims, scene.rotation.ring.signing, "JWT"))
