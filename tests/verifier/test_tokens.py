"""Attacks on a resource server with tokens: every code of a refusal is reached, and by what was attacked."""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authserver.verifier import InsufficientScope, Revoked, Verifier
from tests.unit.tokens.builders import base64url, parts, signed
from tests.verifier.network import (
    AUDIENCE,
    CLAIMS,
    ISSUER,
    JWKS,
    METADATA,
    NOON,
    Service,
    a_service,
    a_token,
    jwk,
    private_key,
)


@pytest.fixture
def service() -> Service:
    made = a_service()
    assert made.refusal(a_token()) == "accepted"
    return made


def test_a_good_token_says_who_for_whom_and_what() -> None:
    token = a_service().verifier.verify(a_token(aud=["https://other.example", AUDIENCE], amr=["pwd", "otp"]))
    assert (token.subject, token.client_id, token.session_id) == (CLAIMS["sub"], "web-app", CLAIMS["sid"])
    assert token.audience == ("https://other.example", AUDIENCE)
    assert token.scopes == {"read", "write"}
    assert (token.issued_at, token.expires_at, token.token_id) == (NOON - 60, NOON + 240, CLAIMS["jti"])
    assert token.claims["amr"] == ("pwd", "otp")
    assert not token.is_client


def test_a_verified_token_cannot_be_changed_by_one_request_for_another() -> None:
    token: Any = a_service().verifier.verify(a_token(extra={"list": [1]}))
    for change in (
        lambda: token.claims.update(sub="x"),
        lambda: token.claims["extra"].update(list=2),
        lambda: token.claims["extra"]["list"].append(2),
        lambda: setattr(token, "subject", "x"),
    ):
        with pytest.raises((AttributeError, TypeError)):
            change()


def test_a_clients_own_token_has_no_session() -> None:
    token = a_service().verifier.verify(a_token(sid=None, sub="web-app", scope=None))
    assert token.is_client
    assert token.session_id is None
    assert token.scopes == frozenset()


# -- form and header ---------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "HS256", ["RS256"], {}, 256])
@pytest.mark.parametrize("signature", ["", "AAAA", "good"])
def test_alg_none_and_its_like(service: Service, alg: object, signature: str) -> None:
    head, payload, good = a_token({"alg": alg}).split(".")
    code = service.refusal(f"{head}.{payload}.{good if signature == 'good' else signature}")
    assert code == ("header_not_acceptable" if signature else "malformed_token")


@pytest.mark.parametrize("alg", ["HS256", "RS256"])
def test_hmac_with_any_form_of_the_public_key_or_with_none(service: Service, alg: str) -> None:
    public = private_key().public_key()
    pem, der = (public.public_bytes(form, PublicFormat.SubjectPublicKeyInfo) for form in (Encoding.PEM, Encoding.DER))
    pkcs1 = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    head, payload, _ = a_token({"alg": alg}).split(".")
    for secret in (pem, der, pkcs1, json.dumps(jwk()).encode(), b""):
        signature = base64url(hmac.digest(secret, f"{head}.{payload}".encode(), "sha256"))
        assert service.refusal(f"{head}.{payload}.{signature}") in ("header_not_acceptable", "bad_signature")


def test_no_configuration_brings_in_symmetric_algorithms_or_none() -> None:
    for algorithms in (["HS256"], ["none"], ["RS256", "HS512"], [], "RS256", ["RS1"]):
        with pytest.raises(ValueError):
            Verifier(ISSUER, audience=AUDIENCE, algorithms=algorithms)


def test_an_algorithm_that_is_allowed_but_not_the_keys() -> None:
    service = a_service(algorithms=["RS256", "RS512", "PS256"])
    assert service.refusal(a_token()) == "accepted"
    raw = [base64url(json.dumps(part).encode()) for part in ({"alg": "PS256", "typ": "at+jwt", "kid": "key-1"}, CLAIMS)]
    genuine = private_key().sign(".".join(raw).encode(), PSS(MGF1(SHA256()), 32), SHA256())
    assert service.refusal(f"{raw[0]}.{raw[1]}.{base64url(genuine)}") == "header_not_acceptable"


def test_a_signature_of_the_same_key_under_another_algorithm(service: Service) -> None:
    head, payload, _ = a_token().split(".")
    signing_input = f"{head}.{payload}".encode()
    for padding, digest in ((PSS(MGF1(SHA256()), 32), SHA256()), (PKCS1v15(), SHA512())):
        signature = base64url(private_key().sign(signing_input, padding, digest))
        assert service.refusal(f"{head}.{payload}.{signature}") == "bad_signature"


def test_a_strangers_key_under_a_known_name(service: Service) -> None:
    assert service.refusal(a_token(key=private_key(2))) == "bad_signature"


@pytest.mark.parametrize("kid", ["../../dev/null", "' OR 1=1 --", "k" * 10_000, "\x00", "", "é", 1, True, [], {}, None])
def test_a_name_of_a_key_that_is_a_path_a_query_long_or_no_text(service: Service, kid: object) -> None:
    code = service.refusal(a_token({"kid": kid}))
    assert code in ("unknown_key", "header_not_acceptable", "malformed_token")


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c", "x5t#S256", "crit", "cty", "zip", "enc", "b64", "iss"])
def test_anything_else_in_the_header_is_refused_and_nothing_is_fetched(service: Service, name: str) -> None:
    before = list(service.network.requests)
    brought = {"jwk": jwk(2), "crit": ["b64"], "b64": False}.get(name, "https://evil.example/keys")
    for key in (private_key(), private_key(2)):
        assert service.refusal(a_token({name: brought}, key=key)) == "header_not_acceptable"
    assert service.network.requests == before


@pytest.mark.parametrize(
    "typ", ["JWT", "AT+JWT", "logout+jwt", "secevent+jwt", "rev-checkpoint+jwt", "id_token+jwt", "", 1, ["at+jwt"]]
)
def test_another_kind_of_jwt(service: Service, typ: object) -> None:
    assert service.refusal(a_token({"typ": typ})) == "header_not_acceptable"


def test_the_media_type_may_be_spelled_out(service: Service) -> None:
    assert service.refusal(a_token({"typ": "application/at+jwt"})) == "accepted"


def test_other_forms_of_jose(service: Service) -> None:
    head, payload, signature = a_token().split(".")
    bomb = zlib.compress(b"\x00" * 5_000_000)
    encrypted = json.dumps({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2_000_000_000, "zip": "DEF"})
    for token in (
        json.dumps({"payload": payload, "protected": head, "signature": signature}),
        json.dumps({"payload": payload, "signatures": [{"protected": head, "signature": signature}]}),
        ".".join(map(base64url, (encrypted.encode(), b"key", b"iv", bomb[:3000], b"tag"))),
        f"{head}..{signature}",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature}.",
        f"{head}.{payload}.{signature}=",
        f" {head}.{payload}.{signature}",
        f"{head}.{payload}.{signature}\n",
        "",
        "é" * 10,
        a_token(x="y" * 9000),
        None,
        b"token",
    ):
        assert service.refusal(token) == "malformed_token"


def test_of_an_endless_token_nothing_is_read(service: Service) -> None:
    class Endless(str):
        def encode(self, *args: Any) -> bytes:
            raise AssertionError("it was read")

    assert service.refusal(Endless("x" * 8193)) == "malformed_token"


def test_a_token_has_one_spelling(service: Service) -> None:
    """The last character of a segment may have bits that are not used: they must be zero."""
    head, payload, signature = a_token().split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spellings = {f"{head}.{payload}.{signature[:-1]}{last}" for last in alphabet}
    assert [service.refusal(token) for token in spellings].count("accepted") == 1


@pytest.mark.parametrize(
    "payload", [b"[]", b"1", b'"x"', b"{", b'{"sub":1,"sub":2}', b'{"exp":NaN}', b"\xff", b"[" * 2000, b"{}\x00"]
)
def test_a_signed_payload_that_is_no_strict_json_object(service: Service, payload: bytes) -> None:
    token = signed({"alg": "RS256", "typ": "at+jwt", "kid": "key-1"}, payload, private_key())
    assert service.refusal(token) == "malformed_token"


# -- claims ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "iss", [None, "", f"{ISSUER}.evil.example", ISSUER[:-1], f"{ISSUER}/", [ISSUER], ISSUER.upper(), True, {}]
)
def test_another_issuer(service: Service, iss: object) -> None:
    assert service.refusal(a_token(iss=iss)) == "wrong_issuer"


@pytest.mark.parametrize("aud", ["https://other.example", AUDIENCE[:-1], f"{AUDIENCE}/", [f"{AUDIENCE}.evil.example"]])
def test_another_audience(service: Service, aud: object) -> None:
    assert service.refusal(a_token(aud=aud)) == "wrong_audience"


@pytest.mark.parametrize("aud", [None, "", [], [""], [1], [AUDIENCE, None], {}, 1, ["x"] * 65, [AUDIENCE] * 1000])
def test_an_absent_malformed_or_endless_audience(service: Service, aud: object) -> None:
    assert service.refusal(a_token(aud=aud)) in ("claim_missing", "malformed_token")


@pytest.mark.parametrize("name", ["sub", "client_id", "jti", "iat", "exp", "rv"])
@pytest.mark.parametrize("value", [None, "", [], {}, True, 1.5, -1, "\ud800"])
def test_a_required_claim_left_out_or_of_another_kind(service: Service, name: str, value: object) -> None:
    assert service.refusal(a_token(**{name: value})) == "claim_missing"


@pytest.mark.parametrize("rv", ["0.0", "0.0.0.0", "-1.0.0", "01.0.0", "٣.0.0", "0.0.0\n", "9" * 19 + ".0.0", "1e3.0.0"])
def test_versions_that_are_no_counters(service: Service, rv: str) -> None:
    assert service.refusal(a_token(rv=rv)) == "claim_missing"


@pytest.mark.parametrize(("name", "value"), [("sid", ""), ("sid", 1), ("scope", ["read"]), ("nbf", "1"), ("nbf", True)])
def test_an_optional_claim_of_another_kind(service: Service, name: str, value: object) -> None:
    assert service.refusal(a_token(**{name: value})) == "claim_missing"


def test_a_bound_token_is_no_bearer_token(service: Service) -> None:
    for cnf in ({"jkt": "x"}, {"x5t#S256": "x"}, {}, "x", False):
        assert service.refusal(a_token(cnf=cnf)) == "proof_required"


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_token_from_the_future(service: Service, name: str) -> None:
    assert service.refusal(a_token(**{name: NOON + 5})) == "accepted"
    assert service.refusal(a_token(**{name: NOON + 6})) == "not_yet_valid"


def test_an_issue_in_the_future_is_not_made_good_by_an_earlier_start(service: Service) -> None:
    assert service.refusal(a_token(iat=NOON + 6, nbf=NOON)) == "not_yet_valid"


def test_the_leeway_is_at_most_a_minute() -> None:
    assert a_service(leeway=60).refusal(a_token(iat=NOON + 60)) == "accepted"
    for leeway in (61, -1, float("nan"), float("inf"), True):
        with pytest.raises(ValueError):
            a_service(leeway=leeway)


def test_a_token_lives_until_exp_and_the_leeway_also_one_that_was_seen_before(service: Service) -> None:
    token = a_token()
    service.time.pass_(244.9)
    service.feed.tell()
    assert service.refusal(token) == "accepted"
    service.time.pass_(0.1)
    assert service.refusal(token) == "expired"
    assert service.refusal(a_token(jti="never seen")) == "expired"


# -- scope and revocation ------------------------------------------------------------------------


def test_scopes_that_are_needed(service: Service) -> None:
    for scope in ("read", "read write", ["write"], (), ""):
        assert service.refusal(a_token(), scope=scope) == "accepted"
    for scope in ("admin", "read admin", ["rea"], "READ"):
        assert service.refusal(a_token(), scope=scope) == "insufficient_scope"
    with pytest.raises(InsufficientScope) as refused:
        service.verifier.verify(a_token(), scope="admin")
    assert refused.value.status == 403


@pytest.mark.parametrize("kind", ["kid", "jti", "sid", "sub", "cli", "iss"])
def test_a_revoked_token_is_refused_at_the_next_request_though_its_signature_is_remembered(
    service: Service, kind: str
) -> None:
    token = a_token()
    assert [service.refusal(token) for _ in range(3)] == ["accepted"] * 3
    service.feed.revocations.denies = lambda keys: kind
    assert service.refusal(token) == f"revoked_{kind}"
    with pytest.raises(Revoked) as refused:
        service.verifier.verify(token, scope="admin")
    assert (refused.value.kind, refused.value.status, refused.value.error) == (kind, 401, "invalid_token")


def test_what_is_looked_up_are_the_keys_that_the_feed_names(service: Service) -> None:
    asked: list[Any] = []
    service.feed.revocations.denies = lambda keys: asked.append(keys)  # type: ignore[func-returns-value]  # None: alive
    service.verifier.verify(a_token())
    names = {"kid": "key-1", "jti": CLAIMS["jti"], "sid": CLAIMS["sid"], "sub": CLAIMS["sub"], "cli": "web-app"}
    for kind, value in names.items():
        assert getattr(asked[0], kind) == hashlib.sha256(f"{kind}|{ISSUER}|{value}".encode()).digest()[:16]
    assert (asked[0].s, asked[0].c, asked[0].i) == (3, 2, 1)


def test_nothing_of_a_token_is_in_a_refusal(service: Service) -> None:
    for token in (a_token(aud="x"), a_token({"kid": "secret-kid"}), a_token(key=private_key(2)), "secret-token"):
        with pytest.raises(Exception) as refused:
            service.verifier.verify(token)
        said = f"{refused.value!r} {vars(refused.value)}"
        assert "secret" not in said
        assert token.split(".")[-1] not in said


def test_a_verifier_opens_no_connection_before_it_is_needed() -> None:
    service = a_service()
    assert service.network.requests == []
    service.refusal("no token")
    service.refusal(a_token({"alg": "none"}))
    assert service.network.requests == []
    service.refusal(a_token())
    assert service.network.requests == [METADATA, JWKS]


def test_the_token_of_a_good_header_is_what_its_parts_say() -> None:
    header, claims, _ = parts(a_token())
    assert header == {"alg": "RS256", "typ": "at+jwt", "kid": "key-1"}
    assert claims == CLAIMS
