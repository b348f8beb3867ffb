"""JWTs that clients sign: which are taken, with which keys, and how often those are asked for."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Mapping
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from authserver.model.client import Client
from authserver.outgoing import Fetched, OutgoingFailed
from authserver.tokens import client_keys
from authserver.tokens.client_jwt import AudienceRefused, ClientJwtRefused, Expected, verify_client_jwt, verify_hmac
from authserver.tokens.client_keys import ClientKeys, KeySource, UnusableClientKeys
from tests.signers import LEFT_OUT, Signer, assertion_claims, b64, jwks, rsa_key, signer

NOW = 1_800_000_000_000
ISSUER = "https://as.example"
URI = "https://client.example/jwks.json"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
EXPECTED: Mapping[str, Any] = {"issuer": "app", "audience": (ISSUER,), "sole_audience": True}


class Site:
    """What would be asked over the network, and how often it was."""

    def __init__(self, body: str = "", *, seconds: float = 0) -> None:
        self.body = body
        self.asked = 0
        self.time = 1000.0
        self.seconds = seconds
        self.fails = False
        self.media_type = "application/jwk-set+json"

    async def get(self, url: str, **options: Any) -> Fetched:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.fails:
            raise OutgoingFailed("cannot be connected to")
        return Fetched(200, {"content-type": self.media_type}, self.body.encode())

    def keys(self) -> ClientKeys:
        return ClientKeys(self, lambda: self.time)  # type: ignore[arg-type]  # a fetcher of tests


def a_client(**different: Any) -> Client:
    return Client(**{"id": "app", "name": "App", "auth_method": "private_key_jwt", **different})


async def verified(token: str, *, client: Client, keys: ClientKeys | None = None, **different: Any) -> dict[str, Any]:
    expected = Expected(**{**EXPECTED, **different})
    return await verify_client_jwt(keys or Site().keys(), token, client, expected, NOW)


async def refused(token: str, *, client: Client, **different: Any) -> ClientJwtRefused:
    with pytest.raises(ClientJwtRefused) as caught:
        await verified(token, client=client, **different)
    assert token[-20:] not in caught.value.why or len(token) < 20
    return caught.value


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_each_algorithm_with_its_key_is_taken(alg: str) -> None:
    who = signer(alg)
    claims = await verified(who.assertion("app", ISSUER, NOW), client=a_client(jwks=who.jwks()))
    assert claims["sub"] == "app"


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_a_signature_of_another_key_is_refused_whatever_its_kid(alg: str) -> None:
    registered, other = signer(alg), signer(alg, 1)
    token = other.assertion("app", ISSUER, NOW, {"kid": registered.kid})
    assert not (await refused(token, client=a_client(jwks=registered.jwks()))).genuine


async def test_an_rsa_key_without_alg_does_both_and_one_with_alg_only_that() -> None:
    who = signer("RS256")
    token = who.sign(assertion_claims("app", ISSUER, NOW), alg="PS256")
    assert await verified(token, client=a_client(jwks=who.jwks()))
    assert await refused(token, client=a_client(jwks=who.jwks(alg="RS256")))


async def test_only_the_algorithms_of_the_use_are_taken() -> None:
    who = signer("RS256")
    client = a_client(jwks=who.jwks())
    assert "alg" in (await refused(who.assertion("app", ISSUER, NOW), client=client, algorithms=("ES256",))).why


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS512", "RS1", "ES384", "", 5, None, ["RS256"]])
async def test_no_other_algorithm_is_known(alg: object) -> None:
    who = signer("RS256")
    head, payload, signature = who.assertion("app", ISSUER, NOW).split(".")
    head = b64(json.dumps({"alg": alg, "kid": who.kid}).encode())
    assert "alg" in (await refused(f"{head}.{payload}.{signature}", client=a_client(jwks=who.jwks()))).why


async def test_the_public_key_is_no_hmac_secret() -> None:
    who = signer("RS256")
    head, payload = b64(b'{"alg":"HS256"}'), b64(json.dumps(assertion_claims("app", ISSUER, NOW)).encode())
    for secret in (who.spki, who.jwks().encode(), b""):
        tag = b64(hmac.digest(secret or b"\0", f"{head}.{payload}".encode(), "sha256"))
        assert await refused(f"{head}.{payload}.{tag}", client=a_client(jwks=who.jwks()))


async def test_without_kid_the_only_key_that_fits_is_taken_and_two_are_ambiguous() -> None:
    one, other, edwards = signer("ES256"), signer("ES256", 1), signer("EdDSA")
    token = one.assertion("app", ISSUER, NOW, {"kid": LEFT_OUT})
    assert await verified(token, client=a_client(jwks=jwks(one.jwk(), edwards.jwk())))
    assert await refused(token, client=a_client(jwks=jwks(one.jwk(), other.jwk())))
    assert await verified(one.assertion("app", ISSUER, NOW), client=a_client(jwks=jwks(one.jwk(), other.jwk())))


async def test_two_keys_of_one_name_and_type_sign_nothing() -> None:
    one, other = signer("ES256"), signer("ES256", 1)
    twice = jwks(one.jwk(kid="same"), other.jwk(kid="same"))
    assert await refused(one.assertion("app", ISSUER, NOW, {"kid": "same"}), client=a_client(jwks=twice))


@pytest.mark.parametrize(
    "member",
    [
        {"jwk": {"kty": "RSA"}},
        {"jku": "https://evil.example/"},
        {"x5u": "https://evil.example/"},
        {"x5c": ["MII"]},
        {"crit": ["exp"]},
        {"b64": False},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"kid": 5},
        {"kid": ["RS256-0"]},
        {"typ": "at+jwt"},
        {"typ": "logout+jwt"},
        {"typ": 5},
        {"typ": ["JWT"]},
    ],
    ids=str,
)
async def test_a_header_with_anything_of_its_own_is_refused(member: dict[str, Any]) -> None:
    who = signer("RS256")
    site = Site(who.jwks())
    token = who.assertion("app", ISSUER, NOW, member)
    assert await refused(token, client=a_client(jwks_uri=URI), keys=site.keys())
    assert site.asked == 0


async def test_types_are_compared_as_media_types_and_hints_of_certificates_ignored() -> None:
    who = signer("RS256")
    client, typ = a_client(jwks=who.jwks()), ("client-authentication+jwt",)
    for name in ("client-authentication+jwt", "application/client-authentication+jwt", "Client-Authentication+JWT"):
        header = {"typ": name, "x5t": "x", "x5t#S256": "y"}
        assert await verified(who.assertion("app", ISSUER, NOW, header), client=client, typ=typ)
    assert "typ" in (await refused(who.assertion("app", ISSUER, NOW), client=client, typ=typ)).why


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"exp": LEFT_OUT}, "exp"),
        ({"exp": NOW // 1000 - 60}, "expired"),
        ({"exp": NOW // 1000 + 300 + 61}, "ahead"),
        ({"exp": "1800000060"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"exp": -1}, "exp"),
        ({"nbf": NOW // 1000 + 61}, "nbf"),
        ({"iat": NOW // 1000 + 61}, "iat"),
        ({"iat": "now"}, "iat"),
        ({"iss": "other"}, "iss"),
        ({"iss": LEFT_OUT}, "iss"),
        ({"iss": ["app"]}, "iss"),
        ({"aud": LEFT_OUT}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": ["https://other.example"]}, "aud"),
        ({"aud": [ISSUER, ISSUER]}, "alone"),
        ({"aud": [ISSUER, "https://other.example"]}, "alone"),
        ({"aud": f"{ISSUER}/"}, "aud"),
        ({"aud": f"{ISSUER}.evil"}, "aud"),
        ({"aud": {"x": 1}}, "aud"),
        ({"aud": [5]}, "aud"),
    ],
    ids=str,
)
async def test_claims_that_are_wrong_are_refused_and_named_to_who_holds_the_key(
    claims: dict[str, Any], word: str
) -> None:
    who = signer("ES256")
    refusal = await refused(who.assertion("app", ISSUER, NOW, **claims), client=a_client(jwks=who.jwks()))
    assert refusal.genuine
    assert word in refusal.why


async def test_a_minute_of_difference_between_clocks_is_borne() -> None:
    who = signer("ES256")
    seconds = NOW // 1000
    for claims in ({"exp": seconds - 59}, {"exp": seconds + 360}, {"iat": seconds + 60}, {"nbf": seconds + 59.5}):
        assert await verified(who.assertion("app", ISSUER, NOW, **claims), client=a_client(jwks=who.jwks()))


async def test_the_issuer_alone_may_stand_in_an_array() -> None:
    who = signer("ES256")
    assert await verified(who.assertion("app", [ISSUER], NOW), client=a_client(jwks=who.jwks()))


async def test_where_several_are_allowed_one_that_is_this_server_suffices() -> None:
    who = signer("ES256")
    token = who.assertion("app", ["https://other.example", f"{ISSUER}/token"], NOW)
    options: dict[str, Any] = {"sole_audience": False, "audience": (ISSUER, f"{ISSUER}/token")}
    assert await verified(token, client=a_client(jwks=who.jwks()), **options)
    other = who.assertion("app", "https://other.example", NOW)
    assert isinstance(await refused(other, client=a_client(jwks=who.jwks()), **options), AudienceRefused)


async def test_what_is_no_jwt_is_refused_before_a_key_is_looked_for() -> None:
    site, token = Site(), signer("RS256").assertion("app", ISSUER, NOW)
    head, payload, signature = token.split(".")
    repeated = b64(b'{"alg":"RS256","alg":"none"}')
    for bad in (".", "a", "a.b", "a.b.c.d", f"{head}.{payload}.", f"{head}.{payload}=.{signature}", token + "=" * 4):
        assert await refused(bad, client=a_client(jwks_uri=URI), keys=site.keys())
    assert await refused(f"{repeated}.{payload}.{signature}", client=a_client(jwks_uri=URI), keys=site.keys())
    assert await refused(f"{head}.{'A' * 20_000}.{signature}", client=a_client(jwks_uri=URI), keys=site.keys())
    assert site.asked == 0


async def test_claims_with_two_readings_are_refused() -> None:
    who = signer("ES256")
    head = b64(json.dumps({"alg": "ES256"}).encode())
    for payload in (b'{"sub":"app","sub":"other"}', b"[]", b'{"exp":NaN}', b"[" * 5000):
        signing_input = f"{head}.{b64(payload)}"
        signature = pyjwt.get_algorithm_by_name("ES256").sign(signing_input.encode(), who.private)
        assert "JSON" in (await refused(f"{signing_input}.{b64(signature)}", client=a_client(jwks=who.jwks()))).why


# -- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "member",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"alg": "RS512"},
        {"alg": "ES256"},
        {"d": "AQAB"},
        {"k": "AQAB"},
        {"kty": "oct"},
        {"n": "AQAB"},
        {"e": "AQ"},
        {"e": "AgAB" + "AA"},
        {"kid": 5},
        {"x5c": ["!"]},
    ],
    ids=str,
)
async def test_a_key_that_may_not_verify_is_left_out(member: dict[str, Any]) -> None:
    who = signer("RS256")
    assert "no key" in (await refused(who.assertion("app", ISSUER, NOW), client=a_client(jwks=who.jwks(**member)))).why


async def test_a_short_rsa_key_is_left_out() -> None:
    short = Signer("RS256", rsa_key(7, 1024), "short")
    assert await refused(short.assertion("app", ISSUER, NOW), client=a_client(jwks=short.jwks()))


async def test_a_key_on_another_curve_is_left_out() -> None:
    other = Signer("ES384", ec.generate_private_key(ec.SECP384R1()), "k")
    assert await refused(other.assertion("app", ISSUER, NOW), client=a_client(jwks=other.jwks()))
    claimed = other.jwks(crv="P-256")
    assert await refused(other.assertion("app", ISSUER, NOW, {"alg": "ES256"}), client=a_client(jwks=claimed))


async def test_a_client_without_keys_signs_nothing() -> None:
    assert await refused(signer("RS256").assertion("app", ISSUER, NOW), client=a_client())


# -- keys behind an address -----------------------------------------------------------------------


async def test_keys_are_fetched_once_for_ten_minutes() -> None:
    who, site = signer("ES256"), Site(signer("ES256").jwks())
    client, keys = a_client(jwks_uri=URI), site.keys()
    for passed in (0, 300, 599):
        site.time = 1000.0 + passed
        assert await verified(who.assertion("app", ISSUER, NOW), client=client, keys=keys)
    assert site.asked == 1
    site.time = 1600.0
    assert await verified(who.assertion("app", ISSUER, NOW), client=client, keys=keys)
    assert site.asked == 2


async def test_many_who_come_at_once_wait_for_one_fetch() -> None:
    who, site = signer("ES256"), Site(signer("ES256").jwks(), seconds=0.05)
    client, keys = a_client(jwks_uri=URI), site.keys()
    tokens = [who.assertion("app", ISSUER, NOW) for _ in range(20)]
    assert len(await asyncio.gather(*(verified(token, client=client, keys=keys) for token in tokens))) == 20
    assert site.asked == 1


async def test_a_new_key_is_looked_for_when_it_is_named_and_not_more_often_than_each_half_minute() -> None:
    old, new, site = signer("ES256"), signer("ES256", 1), Site(signer("ES256").jwks())
    client, keys = a_client(jwks_uri=URI), site.keys()
    assert await verified(old.assertion("app", ISSUER, NOW), client=client, keys=keys)
    site.body = jwks(old.jwk(), new.jwk())
    for passed in (1, 10, 29.9):
        site.time = 1000.0 + passed
        assert await refused(new.assertion("app", ISSUER, NOW), client=client, keys=keys)
    assert site.asked == 1
    site.time = 1030.0
    assert await verified(new.assertion("app", ISSUER, NOW), client=client, keys=keys)
    for _ in range(50):
        assert await refused(signer("ES256", 2).assertion("app", ISSUER, NOW), client=client, keys=keys)
    assert site.asked == 2


async def test_a_flood_of_unknown_keys_does_not_hold_up_who_has_a_known_one() -> None:
    who, site = signer("ES256"), Site(signer("ES256").jwks())
    client, keys = a_client(jwks_uri=URI), site.keys()
    assert await verified(who.assertion("app", ISSUER, NOW), client=client, keys=keys)
    site.time, site.seconds = 1100.0, 5
    flood = asyncio.create_task(refused(signer("ES256", 2).assertion("app", ISSUER, NOW), client=client, keys=keys))
    await asyncio.sleep(0.01)
    assert await asyncio.wait_for(verified(who.assertion("app", ISSUER, NOW), client=client, keys=keys), 1)
    flood.cancel()


async def test_strangers_whose_servers_never_answer_keep_nobody_elses_keys_from_being_fetched() -> None:
    who, site = signer("ES256"), Site(signer("ES256").jwks(), seconds=60)
    keys, assertion = site.keys(), who.assertion("app", ISSUER, NOW)
    strangers = [a_client(origin="document", jwks_uri=f"{URI}?{number}") for number in range(40)]
    waiting = [asyncio.create_task(refused(assertion, client=stranger, keys=keys)) for stranger in strangers]
    await asyncio.sleep(0.01)
    assert site.asked == client_keys.STRANGERS_AT_ONCE
    assert "wait" in str((await waiting[-1]).detail)
    site.seconds = 0
    assert await verified(assertion, client=a_client(jwks_uri=URI), keys=keys)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await verified(assertion, client=strangers[-1], keys=keys), "it was not held against it"


async def test_an_address_that_fails_is_left_alone_for_half_a_minute() -> None:
    who, site = signer("ES256"), Site(signer("ES256").jwks())
    site.fails = True
    client, keys = a_client(jwks_uri=URI), site.keys()
    for _ in range(5):
        refusal = await refused(who.assertion("app", ISSUER, NOW), client=client, keys=keys)
        assert "connected" in (refusal.detail or "")
    assert site.asked == 1
    site.fails, site.time = False, 1030.0
    assert await verified(who.assertion("app", ISSUER, NOW), client=client, keys=keys)


async def test_known_keys_stand_while_a_fetch_fails_and_until_their_time_is_up() -> None:
    who, site = signer("ES256"), Site(signer("ES256").jwks())
    client, keys = a_client(jwks_uri=URI), site.keys()
    assert await verified(who.assertion("app", ISSUER, NOW), client=client, keys=keys)
    site.fails, site.time = True, 1500.0
    assert await refused(signer("ES256", 1).assertion("app", ISSUER, NOW), client=client, keys=keys)
    assert await verified(who.assertion("app", ISSUER, NOW), client=client, keys=keys)
    site.time = 1600.0
    assert await refused(who.assertion("app", ISSUER, NOW), client=client, keys=keys)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        ("", "application/json"),
        ("[]", "application/json"),
        ('{"keys":5}', "application/json"),
        ('{"keys":[]}', "application/json"),
        ('{"keys":[' + ",".join(["{}"] * 65) + "]}", "application/json"),
        ('{"keys":[[[[[[[]]]]]]]}', "application/json"),
        (signer("ES256").jwks(), "text/html"),
    ],
    ids=["empty", "list", "number", "no keys", "too many", "nested", "html"],
)
async def test_what_is_no_key_set_gives_no_keys(body: str, media_type: str) -> None:
    site = Site(body)
    site.media_type = media_type
    with pytest.raises(UnusableClientKeys):
        await site.keys().of(KeySource(None, URI))


async def test_the_number_of_addresses_that_are_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_keys, "MAX_URIS", 3)
    site = Site(signer("ES256").jwks())
    keys = site.keys()
    for number in range(5):
        await keys.of(KeySource(None, f"{URI}?{number}"))
    await keys.of(KeySource(None, f"{URI}?4"))
    assert site.asked == 5
    await keys.of(KeySource(None, f"{URI}?0"))
    assert site.asked == 6


# -- secrets as keys ------------------------------------------------------------------------------


def hs256(secret: str, header: dict[str, Any] | None = None, **claims: Any) -> str:
    parts = [{"alg": "HS256", **(header or {})}, assertion_claims("app", ISSUER, NOW, **claims)]
    signing_input = ".".join(b64(json.dumps(part).encode()) for part in parts)
    return f"{signing_input}.{b64(hmac.digest(secret.encode(), signing_input.encode(), 'sha256'))}"


def test_hs256_with_one_of_the_secrets_is_taken_and_with_none_of_them_refused() -> None:
    expected = Expected(**EXPECTED, algorithms=("HS256",))
    assert verify_hmac(hs256("second"), ["first", "second"], expected, NOW)["sub"] == "app"
    for secrets in (["first"], []):
        with pytest.raises(ClientJwtRefused, match="signature"):
            verify_hmac(hs256("second"), secrets, expected, NOW)
    with pytest.raises(ClientJwtRefused, match="expired"):
        verify_hmac(hs256("first", exp=1), ["first"], expected, NOW)
