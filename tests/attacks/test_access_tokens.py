"""Attacks on access tokens, as this server meets them: one test a line of the list.

Every attack is shown to `authenticate`, the one way in for bearer tokens, over a real database that would
find the token alive: what refuses it is the check under test.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.model.audit import SYSTEM
from authserver.model.errors import InvalidToken
from authserver.model.grant import Versions
from authserver.model.revocation import RevocationTarget
from authserver.model.time import MINUTE, SECOND
from authserver.tokens import jwt
from authserver.tokens.algorithms import ALGORITHMS, VerifyingKey
from authserver.tokens.issuer import TokenIssuer
from authserver.tokens.keyring import KeyRing
from authserver.tokens.masterkey import MasterKeyError
from authserver.tokens.opaque import OpaqueTokens
from authserver.tokens.rotation import KeyRotation
from authserver.tokens.signingkey import public_jwk
from authserver.tokens.validation import AccessTokens
from authserver.verifier import strict
from tests.unit.tokens.builders import (
    ISSUER,
    MASTER,
    NOON,
    CountingKeys,
    FakeClock,
    a_client,
    a_signing_server,
    an_authorization,
    base64url,
    parts,
    signed,
)


@dataclass
class Server:
    """As much of the server as takes a bearer token."""

    stores: Any
    clock: FakeClock
    rotation: KeyRotation
    keys: CountingKeys
    issuer: TokenIssuer
    tokens: AccessTokens
    token: str
    """A living token to start from: a client's own, so that it stands on one row of the database."""

    async def refuses(self, token: str) -> str:
        with pytest.raises(InvalidToken) as refused:
            await self.tokens.authenticate(token)
        return refused.value.description

    async def accepts(self, token: str) -> bool:
        _, state = await self.tokens.authenticate(token)
        return state.alive

    def forge(self, header: dict[str, Any] | None = None, claims: dict[str, Any] | None = None) -> str:
        """The living token with other header members or claims (None removes one), signed by the real key: the
        signature is not what refuses it."""
        good_header, good_claims, _ = parts(self.token)
        changed = [
            {name: value for name, value in {**good, **(changes or {})}.items() if value is not None}
            for good, changes in ((good_header, header), (good_claims, claims))
        ]
        return signed(changed[0], changed[1], self.rotation.ring.signing.private)


@pytest.fixture
async def server(sqlite_stores: Any) -> Server:
    clock = FakeClock()
    event = AuditLog(clock).event(EventType.CLIENT_CREATED, SYSTEM, client_id="web-app")
    await sqlite_stores.clients.add(a_client(), event=event)
    rotation = await a_signing_server(sqlite_stores.keys, clock)
    keys = CountingKeys(sqlite_stores.keys)
    ring = KeyRing(keys, MASTER, clock)  # type: ignore[arg-type]  # it counts, and hands on all the rest
    await ring.load()
    issuer = TokenIssuer(ISSUER, ring, 5 * MINUTE, clock)
    token = issuer.access_token(
        an_authorization(
            subject="web-app", family_id=None, auth_time=None, acr=None, amr=(), versions=Versions(0, 0, 0)
        )
    ).token
    tokens = AccessTokens(
        ring, sqlite_stores.revocations, ISSUER, clock, OpaqueTokens(MASTER, sqlite_stores.references)
    )
    made = Server(sqlite_stores, clock, rotation, keys, issuer, tokens, token)
    assert await made.accepts(made.token)
    assert await made.accepts(made.forge())
    keys.readings = 0
    return made


# -- algorithms -------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "None ", "rs256", "RS256 ", "RS256\x00"])
@pytest.mark.parametrize("signature", ["", "AAAA", "good"])
async def test_alg_none_in_any_case_with_or_without_a_signature(server: Server, alg: str, signature: str) -> None:
    forged = server.forge(header={"alg": alg})
    head, payload, good = forged.split(".")
    await server.refuses(f"{head}.{payload}.{good if signature == 'good' else signature}")


def _pem(public: Any) -> bytes:
    return bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _pkcs1(public: Any) -> bytes:
    return bytes(public.public_bytes(Encoding.PEM, PublicFormat.PKCS1))


def _der(public: Any) -> bytes:
    return bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _jwk(public: Any) -> bytes:
    return json.dumps(public_jwk(public, "x"), separators=(",", ":")).encode()


def _modulus(public: Any) -> bytes:
    return bytes(public.public_numbers().n.to_bytes(256))


def _hmac_signed(server: Server, alg: str, secret: bytes) -> str:
    header, claims, _ = parts(server.token)
    signing_input = f"{base64url(json.dumps({**header, 'alg': alg}).encode())}.{base64url(json.dumps(claims).encode())}"
    return f"{signing_input}.{base64url(hmac.digest(secret, signing_input.encode(), 'sha256'))}"


@pytest.mark.parametrize("form", [_pem, _pkcs1, _der, _jwk, _modulus])
@pytest.mark.parametrize("alg", ["HS256", "RS256"])
async def test_hs256_signed_with_any_form_of_the_public_key(
    server: Server, form: Callable[[Any], bytes], alg: str
) -> None:
    await server.refuses(_hmac_signed(server, alg, form(server.rotation.ring.signing.private.public_key())))


@pytest.mark.parametrize("alg", ["HS256", "RS256"])
async def test_hs256_with_an_empty_key(server: Server, alg: str) -> None:
    await server.refuses(_hmac_signed(server, alg, b""))


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256", "ES256", "EdDSA", ["RS256"], {"alg": "RS256"}, 256, True])
async def test_an_alg_that_is_not_the_keys(server: Server, alg: object) -> None:
    assert "algorithm is not acceptable" in await server.refuses(server.forge(header={"alg": alg}))


async def test_a_genuine_signature_under_another_algorithm_of_the_same_key(server: Server) -> None:
    header, claims, _ = parts(server.token)
    private = server.rotation.ring.signing.private
    for alg, padding, digest in (
        ("PS256", PSS(MGF1(SHA256()), PSS.DIGEST_LENGTH), SHA256()),
        ("RS512", PKCS1v15(), SHA512()),
    ):
        for named in (alg, "RS256"):
            raw = (json.dumps({**header, "alg": named}).encode(), json.dumps(claims).encode())
            signing_input = ".".join(map(base64url, raw))
            await server.refuses(f"{signing_input}.{base64url(private.sign(signing_input.encode(), padding, digest))}")


# -- keys named or brought along --------------------------------------------------------------


@pytest.mark.parametrize(
    "kid",
    [
        "../../dev/null",
        "/etc/passwd",
        "' OR 1=1 --",
        "x' UNION SELECT kid FROM signing_keys --",
        "k" * 10_000,
        "\x00",
        "",
        "https://evil.example/key",
        "é",
        "\ud800",
        1,
        True,
        [],
        {},
        ["kid"],
        "A" * 42,
        "A" * 44,
        "A" * 42 + "=",
    ],
)
async def test_a_kid_that_is_a_path_a_query_long_or_no_text_reaches_neither_file_nor_database(
    server: Server, kid: object
) -> None:
    opened: list[str] = []
    _watch_files_and_network(opened)
    await server.refuses(server.forge(header={"kid": kid}))
    assert server.keys.readings == 0
    assert _stop_watching(opened) == []


async def test_no_kid_at_all(server: Server) -> None:
    await server.refuses(server.forge(header={"kid": None}))


async def test_ten_thousand_unknown_kids_in_a_second_cost_one_reading_and_known_keys_go_on(server: Server) -> None:
    payload, signature = server.token.split(".")[1:]
    for number in range(10_000):
        kid = base64url(hashlib.sha256(str(number).encode()).digest())
        header = base64url(json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": kid}).encode())
        assert "key is not known" in await server.refuses(f"{header}.{payload}.{signature}")
    assert server.keys.readings == 1
    assert await server.accepts(server.token)


@pytest.mark.parametrize(
    "name", ["jku", "x5u", "jwk", "x5c", "x5t", "x5t#S256", "cty", "zip", "enc", "b64", "iss", "x"]
)
async def test_a_key_or_its_address_in_the_header_is_refused_and_nothing_is_fetched(server: Server, name: str) -> None:
    attacker = generate_private_key(65537, 2048)
    header, claims, _ = parts(server.token)
    brought = {
        "jwk": public_jwk(attacker.public_key(), header["kid"]),
        "x5c": [base64.b64encode(_der(attacker.public_key())).decode()],
    }.get(name, "https://evil.example/keys")
    opened: list[str] = []
    _watch_files_and_network(opened)
    for key in (attacker, server.rotation.ring.signing.private):
        await server.refuses(signed({**header, name: brought}, claims, key))
    assert _stop_watching(opened) == []


@pytest.mark.parametrize("crit", [["x"], ["b64"], ["exp"], [], "b64", None, 1])
async def test_crit_whatever_it_names(server: Server, crit: object) -> None:
    header, claims, _ = parts(server.token)
    for extra in ({"crit": crit}, {"crit": crit, "b64": False}, {"crit": crit, "x": 1}):
        await server.refuses(signed({**header, **extra}, claims, server.rotation.ring.signing.private))


async def test_a_payload_that_is_not_encoded(server: Server) -> None:
    """RFC 7797: `b64` false, the payload as it is."""
    header, claims, _ = parts(server.token)
    first = base64url(json.dumps({**header, "b64": False, "crit": ["b64"]}).encode())
    signing_input = f"{first}.{json.dumps(claims)}"
    signature = server.rotation.ring.signing.private.sign(signing_input.encode(), PKCS1v15(), SHA256())
    await server.refuses(f"{signing_input}.{base64url(signature)}")
    await server.refuses(f"{first}..{base64url(signature)}")


async def test_a_token_of_a_strangers_key_under_our_kid(server: Server) -> None:
    header, claims, _ = parts(server.token)
    assert "signature" in await server.refuses(signed(header, claims, generate_private_key(65537, 2048)))


# -- one kind of token for another ------------------------------------------------------------


@pytest.mark.parametrize(
    "typ",
    [
        "jwt",
        "at+JWT",
        "AT+JWT",
        "id_token+jwt",
        "logout+jwt",
        "secevent+jwt",
        "rev-checkpoint+jwt",
        "dpop+jwt",
        "client-authentication+jwt",
        "token-introspection+jwt",
        "statuslist+jwt",
        "application/jwt",
        "application/at+jwt ",
        "application/application/at+jwt",
        "at+jwt;x=y",
        "",
        1,
        ["at+jwt"],
        None,
    ],
)
async def test_another_type_of_jwt_as_an_access_token(server: Server, typ: object) -> None:
    await server.refuses(server.forge(header={"typ": typ}))


@pytest.mark.parametrize("missing", ["client_id", "rv", "jti"])
async def test_an_id_token_as_an_access_token(server: Server, missing: str) -> None:
    """Access tokens may have the type of id tokens, for clients that want it so: then the claims tell them apart."""
    plain = server.forge({"typ": "JWT"})
    assert (await server.tokens.authenticate(plain))[0].client_id == "web-app"
    await server.refuses(server.forge({"typ": "JWT"}, {missing: None}))


@pytest.mark.parametrize(
    "typ", ["JWT", "logout+jwt", "secevent+jwt", "rev-checkpoint+jwt", "client-authentication+jwt"]
)
async def test_an_access_token_as_another_type_of_jwt(server: Server, typ: str) -> None:
    with pytest.raises(InvalidToken, match="type is not acceptable"):
        jwt.verify(server.token, server.rotation.ring.public, typ=typ, issuer=ISSUER, now=NOON)


# -- claims -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "iss",
    [
        None,
        "",
        "https://auth.example.com.evil.example",
        "https://auth.example.co",
        "https://auth.example.com/",
        [ISSUER],
        "https://AUTH.example.com",
        "http://auth.example.com",
        "https://evil.example",
        {"iss": ISSUER},
        True,
        1,
        f" {ISSUER}",
        f"{ISSUER}\x00",
    ],
)
async def test_a_wrong_absent_or_similar_issuer(server: Server, iss: object) -> None:
    assert "not from this issuer" in await server.refuses(server.forge(claims={"iss": iss}))


@pytest.mark.parametrize("aud", [None, "", [], [""], [1], ["https://api.example.com", None], {}, 1, True])
async def test_an_absent_or_malformed_audience(server: Server, aud: object) -> None:
    assert "aud claim" in await server.refuses(server.forge(claims={"aud": aud}))


async def test_a_thousand_audiences(server: Server) -> None:
    assert "aud claim" in await server.refuses(server.forge(claims={"aud": ["x"] * 1000}))
    assert "too long" in await server.refuses(server.forge(claims={"aud": ["https://api.example.com"] * 1000}))


@pytest.mark.parametrize("name", ["iat", "nbf"])
async def test_a_token_from_more_than_a_minute_ahead(server: Server, name: str) -> None:
    ahead = NOON // SECOND + 60
    assert await server.accepts(server.forge(claims={name: ahead}))
    assert "not valid yet" in await server.refuses(server.forge(claims={name: ahead + 1}))


async def test_an_expired_token(server: Server) -> None:
    server.clock.advance(5 * MINUTE)
    assert "expired" in await server.refuses(server.token)
    assert "expired" in await server.refuses(server.forge(claims={"exp": NOON // SECOND - 1}))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "rv"])
async def test_a_required_claim_left_out(server: Server, name: str) -> None:
    await server.refuses(server.forge(claims={name: None}))


@pytest.mark.parametrize(
    "rv", ["", "0.0", "0.0.0.0", "-1.0.0", "0x1.0.0", "٣.0.0", "0.0.0\n", 0, [0, 0, 0], "9" * 5000 + ".0.0"]
)
async def test_versions_that_are_no_counters(server: Server, rv: object) -> None:
    assert "rv claim" in await server.refuses(server.forge(claims={"rv": rv}))


# -- other forms of JOSE ----------------------------------------------------------------------


async def test_an_encrypted_token_is_refused_before_anything_is_decrypted_or_inflated(server: Server) -> None:
    bomb = zlib.compress(b"\x00" * 50_000_000)[:3000]
    for header in (
        {"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF"},
        {"alg": "PBES2-HS256+A128KW", "enc": "A128CBC-HS256", "p2c": 2_000_000_000, "p2s": "AAAA"},
        {"alg": "dir", "enc": "A256GCM"},
    ):
        token = ".".join(map(base64url, (json.dumps(header).encode(), b"key", b"iv", bomb, b"tag")))
        assert "malformed" in await server.refuses(token)


async def test_the_json_serialisations(server: Server) -> None:
    head, payload, signature = server.token.split(".")
    flattened = {"payload": payload, "protected": head, "signature": signature}
    general = {"payload": payload, "signatures": [{"protected": head, "signature": signature}]}
    unprotected = {"payload": payload, "header": {"alg": "none"}, "signature": ""}
    for form in (flattened, general, unprotected):
        assert "malformed" in await server.refuses(json.dumps(form))


async def test_other_spellings_of_a_good_token(server: Server) -> None:
    head, payload, signature = server.token.split(".")
    for spelling in (
        f"{server.token}=",
        f"{head}==.{payload}.{signature}",
        f"{server.token} ",
        f"\t{server.token}",
        f"{server.token}\r\n",
        f"{server.token}.",
        f"Bearer {server.token}",
        f"{head}.{payload}.{signature}\x00",
        f"{head}.{payload}.{signature[:-1]}é",
        f"{head}\n.{payload}.{signature}",
        server.token.replace("-", "+").replace("_", "/") + ("" if "-" in server.token or "_" in server.token else "+"),
    ):
        await server.refuses(spelling)


async def test_a_claim_that_comes_twice(server: Server) -> None:
    header, claims, _ = parts(server.token)
    twice = json.dumps(claims).replace("{", '{"sub":"root",', 1).encode()
    assert "malformed" in await server.refuses(signed(header, twice, server.rotation.ring.signing.private))


@pytest.mark.parametrize("size", [8193, 100_000, 10_000_000])
async def test_a_huge_token_is_refused_without_being_parsed(server: Server, size: int) -> None:
    assert "too long" in await server.refuses("A" * size)


# -- keys in the database ---------------------------------------------------------------------


@pytest.mark.parametrize(("exponent", "bits"), [(65537, 1024), (3, 2048)])
async def test_a_weak_key_in_the_database_is_refused(server: Server, exponent: int, bits: int) -> None:
    """Even one that is encrypted rightly, as an import by hand could make it."""
    weak = generate_private_key(exponent, bits)
    kid = "A" * 43
    der = weak.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    stored = next(iter(await server.stores.keys.all()))
    key = replace(
        stored,
        kid=kid,
        state="announced",
        created_at=NOON,
        active_at=NOON,
        public_jwk=json.dumps(public_jwk(weak.public_key(), kid)),
        private_encrypted=MASTER.encrypt(der, kid.encode()),
    )
    event = AuditLog(server.clock).event(EventType.KEY_ANNOUNCED, SYSTEM, kid=kid)
    assert await server.stores.keys.add_announced(key, event=event)
    with pytest.raises(MasterKeyError, match="not an acceptable key for RS256"):
        await KeyRing(server.stores.keys, MASTER, server.clock).load()


async def test_a_key_slipped_into_the_database_without_the_master_key_is_refused(server: Server) -> None:
    """Who can only write the database cannot have his own key published."""
    foreign = generate_private_key(65537, 2048)
    stored = next(iter(await server.stores.keys.all()))
    key = replace(
        stored, kid="B" * 43, state="announced", public_jwk=json.dumps(public_jwk(foreign.public_key(), "B" * 43))
    )
    event = AuditLog(server.clock).event(EventType.KEY_ANNOUNCED, SYSTEM, kid="B" * 43)
    assert await server.stores.keys.add_announced(key, event=event)
    with pytest.raises(MasterKeyError):
        await server.tokens._ring.load()
    assert server.tokens._ring.public("B" * 43) is None
    assert await server.accepts(server.token)


async def test_after_a_rotation_tokens_of_the_old_key_are_good_until_they_expire(server: Server) -> None:
    await server.rotation.rotate(now=True, caller=SYSTEM)
    await server.tokens._ring.load()
    server.clock.advance(5 * MINUTE - 1)
    assert await server.accepts(server.token)
    server.clock.advance(1)
    assert "expired" in await server.refuses(server.token)


async def test_after_a_withdrawal_tokens_of_the_old_key_are_refused_even_by_an_instance_that_has_not_heard(
    server: Server,
) -> None:
    await server.rotation.withdraw(server.rotation.ring.signing.kid, caller=SYSTEM)
    assert server.tokens.verify(server.token)  # this instance's ring is behind
    assert "revoked" in await server.refuses(server.token)
    await server.tokens._ring.load()
    assert "key is not known" in await server.refuses(server.token)


async def test_a_token_whose_signature_is_remembered_is_refused_at_the_next_request_after_its_revocation(
    server: Server,
) -> None:
    for _ in range(3):
        assert await server.accepts(server.token)
    claims = server.tokens.verify(server.token)
    target = RevocationTarget(kind="jti", value=claims.jti, expires_at=claims.exp)
    event = AuditLog(server.clock).event(EventType.TOKEN_REVOKED, SYSTEM, client_id="web-app")
    await server.stores.revocations.revoke(target, at=NOON, reason="test", event=event)
    assert "revoked" in await server.refuses(server.token)


async def test_a_refused_token_is_not_remembered_as_good(server: Server) -> None:
    head, payload, signature = server.token.split(".")
    other = signature[:-6] + ("AAAAAA" if signature[-6:] != "AAAAAA" else "BBBBBA")
    for _ in range(2):
        await server.refuses(f"{head}.{payload}.{other}")


# -- watching for side effects ----------------------------------------------------------------

_watchers: list[list[str]] = []


def _audit_hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watchers and event in ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"):
        _watchers[-1].append(f"{event} {arguments[:1]}")


sys.addaudithook(_audit_hook)


def _watch_files_and_network(into: list[str]) -> None:
    _watchers.append(into)


def _stop_watching(opened: list[str]) -> list[str]:
    _watchers.remove(opened)
    return opened


def test_the_watch_sees_what_it_is_for(tmp_path: Any) -> None:
    opened: list[str] = []
    _watch_files_and_network(opened)
    (tmp_path / "file").write_text("")
    with socket.socket() as unconnected:
        unconnected.connect_ex(("127.0.0.1", 1))
    assert [entry.split()[0] for entry in _stop_watching(opened)] == ["open", "socket.connect"]


def test_no_symmetric_key_can_be_configured() -> None:
    """The one table of what is signed and checked knows four algorithms, and none takes a key that is a text."""
    assert list(ALGORITHMS) == ["RS256", "PS256", "ES256", "EdDSA"]
    signing_input, _, signature = pyjwt.encode({}, "k" * 32, algorithm="HS256").rpartition(".")
    for algorithm in ALGORITHMS.values():
        with pytest.raises(AttributeError):
            VerifyingKey(algorithm, "k" * 32).verify(signing_input.encode(), strict.decoded(signature))  # type: ignore[arg-type]  # that is the attack
