"""RS256, PS256, ES256, EdDSA: made, sealed, published, signed with, and never confused."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.model.audit import SYSTEM
from authserver.model.errors import Conflict, InvalidToken
from authserver.model.key import SigningKey
from authserver.model.time import DAY, MINUTE, SECOND
from authserver.tokens import jwt
from authserver.tokens.algorithms import ALGORITHMS
from authserver.tokens.issuer import TokenIssuer
from authserver.tokens.keyring import ActiveKey, NoSigningKey
from authserver.tokens.masterkey import MasterKeyError
from authserver.tokens.past import stored_key
from authserver.tokens.rotation import RotationPolicy
from authserver.tokens.signingkey import KeyPair, make_signing_key, open_signing_key, thumbprint
from tests.unit.tokens.builders import (
    ISSUER,
    MASTER,
    NOON,
    POLICY,
    FakeClock,
    a_client,
    a_rotation,
    a_signing_server,
    an_authorization,
    base64url,
    parts,
    unbase64url,
)

NAMES = list(ALGORITHMS)
OTHERS = ["PS256", "ES256", "EdDSA"]
CLAIMS = {"iss": ISSUER, "iat": NOON // SECOND, "exp": NOON // SECOND + 300}
ALL = replace(POLICY, algorithms=tuple(NAMES))


@cache
def stored(name: str) -> SigningKey:
    return make_signing_key(2048, MASTER, NOON, name)


@cache
def pair(name: str) -> KeyPair:
    return open_signing_key(stored(name), MASTER)


def key(name: str) -> ActiveKey:
    return ActiveKey(pair(name).kid, name, pair(name).private)


def verify(token: str, *names: str) -> dict[str, Any]:
    known = {pair(name).kid: pair(name).verifying for name in names or NAMES}
    return jwt.verify(token, known.get, typ="at+jwt", issuer=ISSUER, now=NOON).claims


# -- one key ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_was_signed_is_what_is_read(name: str) -> None:
    token = jwt.sign(CLAIMS, key(name), "at+jwt")
    assert verify(token) == CLAIMS
    assert parts(token)[0] == {"alg": name, "typ": "at+jwt", "kid": pair(name).kid}


@pytest.mark.parametrize("name", NAMES)
def test_other_libraries_read_it_with_the_published_jwk(name: str) -> None:
    token = jwt.sign(CLAIMS, key(name), "at+jwt")
    jwk = pyjwt.PyJWK.from_json(stored(name).public_jwk)
    read = pyjwt.decode(
        token, jwk, algorithms=[name], issuer=ISSUER, options={"verify_exp": False, "verify_iat": False}
    )
    assert read == CLAIMS


@pytest.mark.parametrize("name", NAMES)
def test_we_read_what_other_libraries_sign(name: str) -> None:
    headers = {"typ": "at+jwt", "kid": pair(name).kid}
    assert verify(pyjwt.encode(CLAIMS, pair(name).private, algorithm=name, headers=headers)) == CLAIMS


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("RS256", {"kty", "n", "e"}),
        ("PS256", {"kty", "n", "e"}),
        ("ES256", {"kty", "crv", "x", "y"}),
        ("EdDSA", {"kty", "crv", "x"}),
    ],
)
def test_the_jwk_says_what_the_key_is_for_and_nothing_private(name: str, members: set[str]) -> None:
    jwk = json.loads(stored(name).public_jwk)
    assert jwk.keys() == members | {"kid", "use", "alg"}
    assert (jwk["use"], jwk["alg"], jwk["kid"]) == ("sig", name, stored(name).kid)
    assert thumbprint({member: jwk[member] for member in members}) == jwk["kid"]


def test_the_coordinates_of_a_point_keep_their_leading_zeros() -> None:
    """RFC 7518 section 6.2.1.2: 32 bytes each, whatever the number."""
    for number in range(1, 600):
        members = ALGORITHMS["ES256"].members(derive_private_key(number, SECP256R1()).public_key())
        assert {len(unbase64url(members[axis])) for axis in "xy"} == {32}


def test_an_es256_signature_has_64_bytes_whatever_its_numbers_are() -> None:
    lengths = {len(parts(jwt.sign({**CLAIMS, "n": n}, key("ES256"), "at+jwt"))[2]) for n in range(600)}
    assert lengths == {64}


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_key_is_nothing_without_the_master_key_and_its_own_public_half(name: str) -> None:
    other = make_signing_key(2048, MASTER, NOON, name)
    with pytest.raises(MasterKeyError, match="does not match"):
        open_signing_key(replace(stored(name), public_jwk=other.public_jwk), MASTER)
    with pytest.raises(MasterKeyError, match="not the master key"):
        open_signing_key(replace(stored(name), private_encrypted=other.private_encrypted), MASTER)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("claimed", [*NAMES, "ES384", "none", "HS256"])
def test_a_stored_key_cannot_be_turned_to_another_algorithm(name: str, claimed: str) -> None:
    jwk = {**json.loads(stored(name).public_jwk), "alg": claimed}
    turned = replace(stored(name), algorithm=claimed)
    if claimed == name:
        assert open_signing_key(turned, MASTER).kid == stored(name).kid
        return
    with pytest.raises(MasterKeyError):
        open_signing_key(turned, MASTER)
    if {name, claimed} != {"RS256", "PS256"}:  # for which the key material is the same
        with pytest.raises(MasterKeyError, match=f"not an acceptable key for {claimed}"):
            open_signing_key(replace(turned, public_jwk=json.dumps(jwk)), MASTER)


@pytest.mark.parametrize("name", NAMES)
def test_a_key_of_the_past_reads_what_it_signed(name: str) -> None:
    known = stored_key(stored(name))
    assert known is not None
    signing_input, _, signature = jwt.sign(CLAIMS, key(name), "at+jwt").rpartition(".")
    assert known.verify(signing_input.encode(), unbase64url(signature))
    assert stored_key(replace(stored(name), algorithm="XY999")) is None


# -- confusion --------------------------------------------------------------------------------


@pytest.mark.parametrize("signed_by", NAMES)
@pytest.mark.parametrize("said", [*NAMES, "HS256", "none", "RS512", "ES384", "ed25519", "", None, 1, [], {}])
def test_the_key_decides_the_algorithm_and_not_the_header(signed_by: str, said: object) -> None:
    header = {"alg": said, "typ": "at+jwt", "kid": pair(signed_by).kid}
    signing_input = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(CLAIMS).encode())}"
    signature = ALGORITHMS[signed_by].sign(pair(signed_by).private, signing_input.encode())
    token = f"{signing_input}.{base64url(signature)}"
    if said == signed_by:
        assert verify(token) == CLAIMS
    else:
        with pytest.raises(InvalidToken, match="algorithm is not acceptable"):
            verify(token)


def test_a_pss_signature_under_a_key_for_pkcs1_is_no_signature() -> None:
    signing_input, _, _ = jwt.sign(CLAIMS, key("RS256"), "at+jwt").rpartition(".")
    as_pss = ALGORITHMS["PS256"].sign(pair("RS256").private, signing_input.encode())
    with pytest.raises(InvalidToken, match="signature is not valid"):
        verify(f"{signing_input}.{base64url(as_pss)}")


@pytest.mark.parametrize("signature", [b"\x00" * 64, b"\x00" * 63, b"\xff" * 64, b"0", b"\x00" * 96])
@pytest.mark.parametrize("name", ["ES256", "EdDSA"])
def test_signatures_of_zeros_or_another_length_are_none(name: str, signature: bytes) -> None:
    """The first one passed in a Java library in 2022."""
    signing_input, _, _ = jwt.sign(CLAIMS, key(name), "at+jwt").rpartition(".")
    with pytest.raises(InvalidToken, match="signature is not valid"):
        verify(f"{signing_input}.{base64url(signature)}")


def test_a_der_signature_is_none() -> None:
    signing_input, _, _ = jwt.sign(CLAIMS, key("ES256"), "at+jwt").rpartition(".")
    private: Any = pair("ES256").private
    der = private.sign(signing_input.encode(), ECDSA(SHA256()))
    with pytest.raises(InvalidToken, match="signature is not valid"):
        verify(f"{signing_input}.{base64url(der)}")


@pytest.mark.parametrize("name", NAMES)
def test_every_changed_byte_of_a_signature_is_noticed(name: str) -> None:
    signing_input, _, text = jwt.sign(CLAIMS, key(name), "at+jwt").rpartition(".")
    signature = unbase64url(text)
    for index in range(len(signature)):
        changed = signature[:index] + bytes([signature[index] ^ 1]) + signature[index + 1 :]
        with pytest.raises(InvalidToken, match="signature is not valid"):
            verify(f"{signing_input}.{base64url(changed)}")


# -- the ring ---------------------------------------------------------------------------------


async def test_each_algorithm_has_a_key_of_its_own_from_the_first_start(sqlite_stores: Any) -> None:
    rotation = a_rotation(sqlite_stores.keys, FakeClock(), policy=ALL)
    await rotation.ensure_keys()
    keys = {name: rotation.ring.signing_for(name) for name in NAMES}
    assert len({key.kid for key in keys.values()}) == 4
    assert rotation.ring.signing is keys["RS256"]
    published = json.loads(rotation.ring.jwks.body)["keys"]
    assert [jwk["alg"] for jwk in published] == NAMES, "RS256 first, for clients that take the first they find"


async def test_an_algorithm_that_is_named_later_gets_its_key_at_the_next_start(sqlite_stores: Any) -> None:
    clock = FakeClock()
    before = await a_signing_server(sqlite_stores.keys, clock)
    with pytest.raises(NoSigningKey):
        before.ring.signing_for("ES256")
    after = a_rotation(sqlite_stores.keys, clock, policy=replace(POLICY, algorithms=("RS256", "ES256")))
    await after.ensure_keys()
    assert after.ring.signing.kid == before.ring.signing.kid
    assert after.ring.signing_for("ES256").algorithm == "ES256"
    await before.ring.load()
    assert before.ring.signing_for("ES256").kid == after.ring.signing_for("ES256").kid, "a server beside it knows it"


async def test_each_algorithm_rotates_on_its_own_schedule(sqlite_stores: Any) -> None:
    clock = FakeClock()
    await a_signing_server(sqlite_stores.keys, clock)
    clock.advance(40 * DAY)
    rotation = a_rotation(sqlite_stores.keys, clock, policy=replace(POLICY, algorithms=("RS256", "ES256")))
    await rotation.ensure_keys()
    first = {name: rotation.ring.signing_for(name).kid for name in ("RS256", "ES256")}
    clock.advance(49 * DAY)
    await rotation.tick()
    assert _states(rotation.ring.snapshot.keys) == {"RS256": ["active", "announced"], "ES256": ["active"]}
    clock.advance(DAY)
    await rotation.tick()
    assert rotation.ring.signing.kid != first["RS256"]
    assert rotation.ring.signing_for("ES256").kid == first["ES256"]
    clock.advance(40 * DAY)
    for _ in range(3):
        await rotation.tick()
        clock.advance(DAY)
    assert rotation.ring.signing_for("ES256").kid != first["ES256"]


def _states(keys: Any) -> dict[str, list[str]]:
    return {name: [k.state for k in keys if k.algorithm == name] for name in {k.algorithm for k in keys}}


async def test_by_hand_one_algorithm_rotates_and_the_others_stay(sqlite_stores: Any) -> None:
    rotation = a_rotation(sqlite_stores.keys, FakeClock(), policy=replace(POLICY, algorithms=("RS256", "EdDSA")))
    await rotation.ensure_keys()
    kept, old = rotation.ring.signing.kid, rotation.ring.signing_for("EdDSA").kid
    new = await rotation.rotate(algorithm="EdDSA", now=True, caller=rotation.caller)
    assert (new.algorithm, new.state) == ("EdDSA", "active")
    assert rotation.ring.signing.kid == kept
    assert rotation.ring.signing_for("EdDSA").kid == new.kid != old
    assert rotation.ring.public(old) is not None


async def test_a_withdrawn_key_takes_the_announced_one_of_its_algorithm_along_and_no_other(sqlite_stores: Any) -> None:
    rotation = a_rotation(sqlite_stores.keys, FakeClock(), policy=replace(POLICY, algorithms=("RS256", "ES256")))
    await rotation.ensure_keys()
    waiting = {name: await rotation.rotate(algorithm=name, caller=rotation.caller) for name in ("RS256", "ES256")}
    old, kept = rotation.ring.signing_for("ES256").kid, rotation.ring.signing.kid
    assert await rotation.withdraw(old, caller=rotation.caller)
    assert rotation.ring.public(old) is None
    assert rotation.ring.public(waiting["ES256"].kid) is None
    assert rotation.ring.signing_for("ES256").kid not in (old, waiting["ES256"].kid)
    assert rotation.ring.signing.kid == kept
    assert rotation.ring.public(waiting["RS256"].kid) is not None


@pytest.mark.parametrize("algorithms", [(), ("ES256",), ("RS256", "HS256"), ("RS256", "none")])
def test_a_plan_without_rs256_or_with_what_is_not_known_is_refused(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="signing algorithms are RS256 and any of"):
        RotationPolicy(algorithms=algorithms)


@pytest.mark.parametrize("name", OTHERS)
async def test_a_clients_tokens_are_signed_as_it_is_registered(sqlite_stores: Any, name: str) -> None:
    clock = FakeClock()
    rotation = a_rotation(sqlite_stores.keys, clock, policy=replace(POLICY, algorithms=("RS256", name)))
    await rotation.ensure_keys()
    issuer = TokenIssuer(ISSUER, rotation.ring, 5 * MINUTE, clock)
    client = a_client(access_token_signed_response_alg=name)
    token = issuer.access_token(an_authorization(client=client)).token
    assert parts(token)[0] == {"alg": name, "typ": "at+jwt", "kid": rotation.ring.signing_for(name).kid}
    assert parts(issuer.access_token(an_authorization()).token)[0]["alg"] == "RS256"


async def test_a_key_of_an_algorithm_that_is_given_up_retires_without_a_successor(sqlite_stores: Any) -> None:
    clock = FakeClock()
    before = a_rotation(sqlite_stores.keys, clock, policy=replace(POLICY, algorithms=("RS256", "ES256")))
    await before.ensure_keys()
    old = before.ring.snapshot.in_state("active", "ES256")
    assert old is not None
    rotation = a_rotation(sqlite_stores.keys, clock)
    await rotation.ensure_keys()
    with pytest.raises(Conflict, match="SIGNING_ALGORITHMS"):
        await rotation.rotate(algorithm="ES256", now=True, caller=rotation.caller)
    await rotation.retire(old, caller=rotation.caller)
    with pytest.raises(NoSigningKey):
        rotation.ring.signing_for("ES256")
    assert rotation.ring.public(old.kid) is not None, "for the tokens that it signed"
    clock.advance(DAY)
    await rotation.tick()
    assert old.kid not in {key.kid for key in rotation.ring.snapshot.keys}
    assert rotation.ring.signing.algorithm == "RS256"


async def test_only_one_of_many_gives_a_key_up(sqlite_stores: Any) -> None:
    rotation = await a_signing_server(sqlite_stores.keys, FakeClock())
    event = AuditLog(FakeClock()).event(EventType.KEY_RETIRED, SYSTEM)
    kid = rotation.ring.signing.kid
    tried = [
        await sqlite_stores.keys.give_up(each, at=NOON, remove_at=NOON + DAY, event=event)
        for each in (kid, kid, "nobody")
    ]
    assert tried == [True, False, False]


def test_no_kid_looks_like_an_option_of_a_command() -> None:
    kids = [make_signing_key(2048, MASTER, NOON, "EdDSA").kid for _ in range(600)]
    assert not [kid for kid in kids if kid.startswith("-")], "one in 64 would"
