"""DPoP proofs: the checks of RFC 9449 section 4.3, with the examples of the RFC and with whatever is not quite one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm

from authserver.verifier.dpop import DpopProof, NonceNeeded, ProofRefused, Window, check_proof, the_proof
from authserver.verifier.dpop_key import thumbprint
from authserver.verifier.dpop_nonce import Nonces
from authserver.verifier.target_uri import NoTarget, origin_of, target_of
from authserver.verifier.testing import ProofKey

NOON = 1_800_000_000
URL = "https://api.test/orders"
KEY = ProofKey(now=lambda: NOON)
RFC_TOKEN_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0Rs"
    "cEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2"
    "In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2Vu"
    "IiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZ"
    "T3Lg"
)
"""Section 5, to the token endpoint."""
RFC_RESOURCE_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0Rs"
    "cEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2"
    "In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90"
    "ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFF"
    "byJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
"""Section 7, to a resource."""
RFC_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RFC_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def checked(proof: str, **different: Any) -> DpopProof:
    asked: dict[str, Any] = {"method": "GET", "url": URL, "now": NOON, **different}
    return check_proof(proof, **asked)


def why(proof: str, **different: Any) -> str:
    """In the words for the caller; "accepted" if it was."""
    try:
        checked(proof, **different)
    except ProofRefused as error:
        return str(error)
    return "accepted"


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


# -- what is one ----------------------------------------------------------------------------------


def test_the_examples_of_the_rfc() -> None:
    first = check_proof(RFC_TOKEN_PROOF, method="POST", url="https://server.example.com/token", now=1562262616)
    assert (first.jkt, first.jti, first.iat) == (RFC_JKT, "-BwC3ESc6acc2lTc", 1562262616)
    url, now = "https://resource.example.org/protectedresource", 1562262618
    second = check_proof(RFC_RESOURCE_PROOF, method="GET", url=url, now=now, access_token=RFC_TOKEN)
    assert second.jkt == RFC_JKT
    with pytest.raises(ProofRefused, match="ath"):
        check_proof(RFC_RESOURCE_PROOF, method="GET", url=url, now=now, access_token=RFC_TOKEN + "x")


def test_the_example_of_a_thumbprint() -> None:
    """RFC 7638 section 3.1; members that are not required do not count."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
        "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
        "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
        "kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "PS256", "RS256"])
def test_keys_of_each_kind_are_accepted(alg: str) -> None:
    key = ProofKey(alg, now=lambda: NOON)
    proof = checked(key.proof("GET", URL, jti="one", nonce="told"))
    assert proof == DpopProof(key.jkt, "one", NOON, "told", NOON + 61)


def test_the_other_name_of_eddsa_is_known() -> None:
    """RFC 9864: what browsers call Ed25519."""
    key = ProofKey("EdDSA", now=lambda: NOON)
    assert why(key.proof("GET", URL, header={"alg": "Ed25519"})) == "accepted"


def test_members_of_a_public_key_that_say_nothing_are_ignored() -> None:
    """As WebCrypto exports keys."""
    jwk = {**KEY.jwk, "ext": True, "key_ops": ["verify"], "kid": "mine", "alg": "ES256", "use": "sig"}
    assert checked(KEY.proof("GET", URL, header={"jwk": jwk, "kid": "mine"})).jkt == KEY.jkt


# -- the header -----------------------------------------------------------------------------------


def test_one_header_and_one_proof_in_it() -> None:
    one = KEY.proof("GET", URL)
    assert the_proof([]) is None
    assert the_proof([f" {one} "]) == one
    for values in ([one, one], [f"{one}, {one}"], ["", one]):
        with pytest.raises(ProofRefused, match="more than one"):
            the_proof(values)


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt", "DPOP+JWT", "application/dpop+jwt", "", 1])
def test_another_typ_is_no_proof(typ: object) -> None:
    assert "refused" in why(KEY.proof("GET", URL, header={"typ": typ}))


@pytest.mark.parametrize("alg", [None, "none", "None", "HS256", "ES384", "ES256K", "RS512", "RS1", "", 1, ["ES256"]])
def test_another_alg_is_refused(alg: object) -> None:
    assert "refused" in why(KEY.proof("GET", URL, header={"alg": alg}))


@pytest.mark.parametrize("alg", ["RS256", "PS256", "EdDSA", "Ed25519"])
def test_an_alg_of_another_kind_of_key_is_refused(alg: str) -> None:
    assert why(KEY.proof("GET", URL, header={"alg": alg})) == (
        "the DPoP proof is refused: its key is not one for its algorithm"
    )


def test_a_symmetric_proof_under_the_public_key_is_refused() -> None:
    """The mistake that JWT libraries used to make: the text of the public key as the secret."""
    header = {"typ": "dpop+jwt", "alg": "HS256", "jwk": KEY.jwk}
    claims = {"jti": "1", "htm": "GET", "htu": URL, "iat": NOON}
    signed = f"{part(header)}.{part(claims)}"
    mac = HMACAlgorithm(HMACAlgorithm.SHA256).sign(signed.encode(), json.dumps(KEY.jwk).encode())
    assert "algorithm" in why(f"{signed}.{part(mac)}")


def test_a_symmetric_key_in_the_header_is_refused() -> None:
    jwk = {"kty": "oct", "k": "AAAA"}
    assert "refused" in why(KEY.proof("GET", URL, header={"jwk": jwk, "alg": "HS256"}))
    assert "refused" in why(KEY.proof("GET", URL, header={"jwk": jwk}))


def test_a_private_key_in_the_header_is_refused() -> None:
    """It is nobody's any more."""
    private = json.loads(ECAlgorithm(ECAlgorithm.SHA256).to_jwk(KEY.private))
    assert "public" in why(KEY.proof("GET", URL, header={"jwk": private}))
    for name in ("d", "p", "q", "dp", "dq", "qi", "oth", "k"):
        assert "public" in why(KEY.proof("GET", URL, header={"jwk": {**KEY.jwk, name: "AA"}}))


@pytest.mark.parametrize("more", ["crit", "jku", "x5u", "x5c", "x5t", "b64", "zip", "cty", "iss", "nonce"])
def test_other_members_of_the_header_are_refused_unread(more: str) -> None:
    assert "header member" in why(KEY.proof("GET", URL, header={more: "x"}))


@pytest.mark.parametrize("missing", ["typ", "alg", "jwk"])
def test_a_member_of_the_header_that_is_missing(missing: str) -> None:
    assert "header member" in why(KEY.proof("GET", URL, header={missing: None}))


@pytest.mark.parametrize("jwk", [None, "x", [], {}, {"kty": "EC"}, {"kty": "EC", "crv": "P-256", "x": 1, "y": 2}])
def test_a_key_that_is_none(jwk: object) -> None:
    assert "refused" in why(KEY.proof("GET", URL, header={"jwk": jwk}))


def test_a_point_that_is_not_on_the_curve() -> None:
    assert "malformed" in why(KEY.proof("GET", URL, header={"jwk": {**KEY.jwk, "x": part(b"\x01" * 32)}}))


def test_a_curve_of_another_name() -> None:
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    jwk = json.loads(ECAlgorithm(ECAlgorithm.SHA384).to_jwk(other))
    assert "not one for its algorithm" in why(KEY.proof("GET", URL, header={"jwk": jwk}))
    assert "not one for its algorithm" in why(KEY.proof("GET", URL, header={"jwk": {**KEY.jwk, "crv": "secp256k1"}}))


@pytest.mark.parametrize(("bits", "exponent"), [(1024, 65537), (2048, 3)])
def test_a_weak_rsa_key_is_refused(bits: int, exponent: int) -> None:
    key = ProofKey("RS256", now=lambda: NOON)
    key.private = rsa.generate_private_key(exponent, bits)
    members = json.loads(RSAAlgorithm(RSAAlgorithm.SHA256).to_jwk(key.private.public_key()))
    key.jwk = {name: members[name] for name in ("kty", "n", "e")}
    assert "RSA key" in why(key.proof("GET", URL))


def test_a_key_has_one_spelling() -> None:
    """Otherwise one key would have several thumbprints."""
    rsa_key = ProofKey("RS256", now=lambda: NOON)
    padded = {**rsa_key.jwk, "e": rsa_key.jwk["e"] + "=="}
    zeros = {**rsa_key.jwk, "e": part(b"\x00\x01\x00\x01")}
    longer = {**KEY.jwk, "x": part(b"\x00" + base64.urlsafe_b64decode(KEY.jwk["x"] + "="))}
    for key, jwk in ((rsa_key, padded), (rsa_key, zeros), (KEY, longer)):
        assert "malformed" in why(key.proof("GET", URL, header={"jwk": jwk}))


def test_a_key_for_something_else_is_refused() -> None:
    for other in ({"use": "enc"}, {"alg": "ES384"}):
        assert "something else" in why(KEY.proof("GET", URL, header={"jwk": {**KEY.jwk, **other}}))


# -- form and signature -------------------------------------------------------------------------------


def test_a_signature_of_another_key_or_of_something_else() -> None:
    head, payload, signature = KEY.proof("GET", URL).split(".")
    stranger = ProofKey(now=lambda: NOON)
    for proof in (
        stranger.proof("GET", URL, header={"jwk": KEY.jwk}),
        f"{head}.{payload}.{KEY.proof('GET', URL).split('.')[2]}",
        f"{head}.{payload}.{'A' * 86}",
    ):
        assert why(proof) == "the signature of the DPoP proof is not valid"
    assert "refused" in why(f"{head}.{payload}.")
    assert why(f"{head}.{payload}.{signature}") == "accepted"


def test_a_proof_has_one_spelling() -> None:
    head, payload, signature = KEY.proof("GET", URL).split(".")
    for proof in (
        f"{head}=.{payload}.{signature}",
        f"{head}.{payload}.{signature}==",
        f"{head}\n.{payload}.{signature}",
        f"{head}.{payload}.{signature}.",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature}.x",
        "",
        "é",
        "x" * 9000,
    ):
        assert "refused" in why(proof)


@pytest.mark.parametrize("payload", [b"[]", b"{", b'{"htm":"GET","htm":"GET"}', b'{"iat":NaN}', b"\xff", b"{}\x00"])
def test_what_it_says_is_strict_json(payload: bytes) -> None:
    assert "refused" in why(KEY.signed({"typ": "dpop+jwt", "alg": "ES256", "jwk": KEY.jwk}, payload))


# -- claims -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jti", [None, "", 1, [], "x" * 257, "a\x00b", "\ud800"])
def test_without_an_id_it_could_be_used_again(jti: object) -> None:
    assert "jti" in why(KEY.proof("GET", URL, jti=jti))


@pytest.mark.parametrize("htm", [None, "POST", "get", "", "GET ", 1])
def test_another_method(htm: object) -> None:
    assert "htm" in why(KEY.proof("GET", URL, htm=htm))


@pytest.mark.parametrize(
    "htu",
    [
        URL, f"{URL}?a=b", f"{URL}#c", f"{URL}?a#b", "HTTPS://API.TEST/orders", "https://api.test:443/orders",
        "https://api.test:/orders", "https://api.test/./orders", "https://api.test/x/../orders",
        "https://api.test/%6Frders",
    ],
)  # fmt: skip
def test_spellings_of_the_same_url(htu: str) -> None:
    assert why(KEY.proof("GET", URL, htu=htu)) == "accepted"


@pytest.mark.parametrize(
    "htu",
    [
        None, "", 1, "/orders", "api.test/orders", "http://api.test/orders", "https://api.test/orders/",
        "https://api.test//orders", "https://api.test/Orders", "https://api.test/orders/1", "https://api.test/",
        "https://api.test", "https://api.test:8443/orders", "https://api.test.evil.test/orders",
        "https://evil.test/orders", "https://u:p@api.test/orders", "https://api.test@evil.test/orders",
        "https://api.test\\@evil.test/orders", "https://api.test/ord%2Fers", "https://api.test/orders%00",
        "https://api.test/orders%", "https://api.test/orders\n", " https://api.test/orders", "https://[::1/orders",
        "https://api.test/%E0%A4%A", "https://äpi.test/orders", "https://api.test/orders;v=1", "ftp://api.test/orders",
    ],
)  # fmt: skip
def test_another_url(htu: object) -> None:
    assert "refused" in why(KEY.proof("GET", URL, htu=htu))


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("http://A.test:80", "http://a.test/"),
        ("http://a.test:8080/%7euser/%2f%C3%a9", "http://a.test:8080/~user/%2F%C3%A9"),
        ("https://a.test/a/b/../../c/.", "https://a.test/c/"),
        ("https://a.test/../../a", "https://a.test/a"),
        ("https://a.test/a/%2e%2e/b", "https://a.test/b"),
        ("https://[2001:DB8::1]/x?y#z", "https://[2001:db8::1]/x"),
        ("https://a.test/a//b/", "https://a.test/a//b/"),
        ("https://a.test/..", "https://a.test/"),
    ],
)
def test_the_one_spelling_of_a_url(url: str, normal: str) -> None:
    """RFC 3986 sections 6.2.2 and 6.2.3."""
    assert target_of(url) == normal
    assert target_of(normal) == normal


def test_an_origin_is_the_beginning_of_a_url() -> None:
    assert origin_of("HTTPS://Api.test:443/a/b?c") == "https://api.test"
    assert origin_of("http://[::1]:9000") == "http://[::1]:9000"
    with pytest.raises(NoTarget):
        origin_of("urn:shop")


@pytest.mark.parametrize(("late", "in_time"), [(-10, True), (-11, False), (0, True), (60, True), (61, False)])
def test_a_proof_is_of_now(late: int, in_time: bool) -> None:
    said = why(KEY.proof("GET", URL), now=NOON + late)
    assert said == ("accepted" if in_time else "the DPoP proof is refused: iat is too far from now")


def test_the_window_can_be_another_one() -> None:
    assert why(KEY.proof("GET", URL), now=NOON + 6, window=Window(5, 0)) != "accepted"
    assert why(KEY.proof("GET", URL), now=NOON - 1, window=Window(5, 0)) != "accepted"


@pytest.mark.parametrize("iat", [None, "1800000000", True, -1, 1e300, [], 1 << 50])
def test_a_time_that_is_none(iat: object) -> None:
    assert "iat" in why(KEY.proof("GET", URL, iat=iat))


def test_a_fraction_of_a_second_is_a_time() -> None:
    assert checked(KEY.proof("GET", URL, iat=NOON - 0.5)).iat == NOON - 1


def test_beside_a_token_its_hash_is_needed() -> None:
    assert why(KEY.proof("GET", URL, "token"), access_token="token") == "accepted"
    assert "ath" in why(KEY.proof("GET", URL), access_token="token")
    assert "ath" in why(KEY.proof("GET", URL, "other"), access_token="token")
    for ath in ("", 1, "é", "\ud800"):
        assert "ath" in why(KEY.proof("GET", URL, "token", ath=ath), access_token="token")


def test_what_is_refused_is_not_repeated_to_anybody() -> None:
    said = why(KEY.proof("GET", URL, htu="https://secret.test/"))
    assert "secret" not in said
    assert said.isascii()
    assert not set('"\\') & set(said)


# -- nonces -----------------------------------------------------------------------------------------------

NONCES = Nonces(bytes(range(32)))


def test_where_a_nonce_is_asked_for_none_and_a_strange_one_are_refused() -> None:
    for nonce in (None, "", "x", "é", Nonces(bytes(32)).current(NOON)):
        with pytest.raises(NonceNeeded):
            checked(KEY.proof("GET", URL, nonce=nonce), nonces=NONCES)
    assert "nonce" in why(KEY.proof("GET", URL, nonce=1), nonces=NONCES)


def test_a_nonce_is_good_for_the_minute_in_which_it_was_told_and_the_next() -> None:
    start = NOON // 60 * 60
    nonce = NONCES.current(start)
    assert NONCES.current(start + 59) == nonce != NONCES.current(start + 60)
    assert [NONCES.accepts(nonce, start + at) for at in (-1, 0, 59, 119, 120)] == [False, True, True, True, False]
    assert NONCES.ends(start) == start + 120


def test_a_nonce_stands_for_the_time() -> None:
    """RFC 9449 section 4.3, point 11: of a client whose clock is wrong, too, it is known when it made the proof."""
    proof = KEY.proof("GET", URL, nonce=NONCES.current(NOON), iat=NOON - 86_400)
    accepted = checked(proof, nonces=NONCES)
    assert accepted.until == NONCES.ends(NOON)
    assert "iat" in why(proof)


def test_a_short_key_makes_no_nonces() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Nonces(b"short")
