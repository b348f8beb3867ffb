"""A checkpoint is believed only when the issuer said it, about now, in one form."""

from __future__ import annotations

from typing import Any

import jwt as pyjwt
import pytest

from authserver.verifier.checkpoint import TYP, Checkpoint, CheckpointReader, CheckpointRefused
from authserver.verifier.records import key_of
from authserver.verifier.testing_book import new_key
from authserver.verifier.testing_log import base64url
from tests.verifier.feed_world import ISSUER, LATER, START, World


@pytest.fixture
def world() -> World:
    world = World()
    for i in range(300):
        world.log.append("sid", f"sid-{i}", expires=LATER)
    world.log.take_snapshot(START)
    return world


def read(world: World, jwt: str, *, revoked: frozenset[bytes] = frozenset()) -> Checkpoint:
    def key_for(kid: str) -> Any:
        return world.known_keys[kid].private.public_key() if kid in world.known_keys else None

    return CheckpointReader(ISSUER, key_for, revoked.__contains__, world.wall).read(jwt)


def reason(world: World, jwt: str, **options: Any) -> str:
    with pytest.raises(CheckpointRefused) as refused:
        read(world, jwt, **options)
    return refused.value.reason


def changed(world: World, **claims: Any) -> str:
    """Signed all the same."""
    given = {**world.log.checkpoint_claims(world.issuer_time), **claims}
    return world.sign({name: value for name, value in given.items() if value is not ...}, TYP)


def test_a_checkpoint_of_the_issuer_is_read(world: World) -> None:
    checkpoint = read(world, jwt := world.checkpoint())
    assert (checkpoint.log, checkpoint.seq, checkpoint.h) == (world.log.log, 300, world.log.hashes[300])
    assert (checkpoint.at, checkpoint.floor, checkpoint.jwt) == (world.issuer_time, 1, jwt)
    assert checkpoint.snap is not None
    assert (checkpoint.snap.seq, checkpoint.snap.h) == (300, world.log.hashes[300])


def test_one_without_a_snapshot_is_read(world: World) -> None:
    assert read(world, changed(world, snap=...)).snap is None


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "application/at+jwt", "logout+jwt", "REV-CHECKPOINT+JWT", "", None])
def test_another_type_of_token_of_the_same_key_is_no_checkpoint(world: World, typ: str | None) -> None:
    """An access token with the right claims must not say what is revoked."""
    claims = world.log.checkpoint_claims(world.issuer_time)
    headers = {"kid": world.key.kid, "typ": typ}
    assert reason(world, pyjwt.encode(claims, world.key.private, "RS256", headers=headers))


@pytest.mark.parametrize("header", [{"crit": ["b64"]}, {"jku": "https://evil.test"}, {"jwk": {}}, {"x5c": []}])
def test_no_other_header_member_is_accepted(world: World, header: dict[str, Any]) -> None:
    claims = world.log.checkpoint_claims(world.issuer_time)
    assert reason(world, world.sign(claims, TYP, **header)) == "missing or unexpected header member"


@pytest.mark.parametrize("alg", ["RS384", "PS256"])
def test_another_algorithm_is_refused_even_with_the_right_key(world: World, alg: str) -> None:
    claims = world.log.checkpoint_claims(world.issuer_time)
    headers = {"kid": world.key.kid, "typ": TYP}
    jwt = pyjwt.encode(claims, world.key.private, alg, headers=headers)
    assert reason(world, jwt) == "header not acceptable"


def test_an_unsigned_one_is_refused(world: World) -> None:
    head = base64url(b'{"alg":"none","kid":"%s","typ":"%s"}' % (world.key.kid.encode(), TYP.encode()))
    assert reason(world, f"{head}.{world.checkpoint().split('.')[1]}.")


def test_an_unknown_key_is_refused(world: World) -> None:
    world.key = new_key()
    assert reason(world, world.checkpoint()) == "key not known"


def test_a_key_that_signs_under_anothers_name_is_refused(world: World) -> None:
    other, jwt = new_key(), world.checkpoint()
    world.known_keys[world.key.kid] = other
    assert reason(world, jwt) == "signature not valid"


def test_a_revoked_key_vouches_for_nothing_whatever_the_jwks_says(world: World) -> None:
    listed = frozenset([key_of("kid", ISSUER, world.key.kid)])
    assert reason(world, world.checkpoint(), revoked=listed) == "signed with a revoked key"


def test_a_changed_one_is_refused(world: World) -> None:
    head, payload, signature = world.checkpoint().split(".")
    other = changed(world, seq=301).split(".")[1]
    assert reason(world, f"{head}.{other}.{signature}") == "signature not valid"
    assert reason(world, f"{head}.{payload}.{signature[:-4]}AAAA") == "signature not valid"


@pytest.mark.parametrize("issuer", ["https://issuer.test/", "https://issuer.test.evil", ["https://issuer.test"], ...])
def test_another_issuers_is_refused(world: World, issuer: Any) -> None:
    assert reason(world, changed(world, iss=issuer)) == "another issuer"


@pytest.mark.parametrize(("ahead", "accepted"), [(-100, False), (-60, True), (0, True), (119, True), (120, False)])
def test_one_that_is_over_is_refused_where_clocks_differ_by_a_minute_at_most(
    world: World, ahead: float, accepted: bool
) -> None:
    """`ahead`: our clock of the issuer's. exp is a minute after iat."""
    jwt = world.checkpoint()
    world.wall.seconds += ahead
    if accepted:
        assert read(world, jwt)
    else:
        assert reason(world, jwt) == ("expired" if ahead > 0 else "from the future")


def test_a_moment_in_the_future_is_refused_whatever_iat_says(world: World) -> None:
    assert reason(world, changed(world, at=world.issuer_time + 61_000)) == "from the future"


@pytest.mark.parametrize(
    "claims",
    [
        {"log": "5C0B7E0F2F6A4D11"},
        {"log": "x"},
        {"log": 5},
        {"seq": "300"},
        {"seq": True},
        {"seq": -1},
        {"seq": 300.0},
        {"seq": 10**15},
        {"seq": ...},
        {"h": "AAAA"},
        {"h": ...},
        {"h": 5},
        {"h": "A" * 42 + "B"},
        {"at": 1.5},
        {"at": ...},
        {"iat": ...},
        {"exp": ...},
        {"exp": 1e12},
        {"floor": ...},
        {"floor": 5},
        {"floor": 512},
        {"snap": []},
        {"snap": {}},
        {"snap": {"seq": 301, "h": "A" * 43, "sha256": "A" * 43}},
        {"snap": {"seq": 300, "h": "A" * 43, "sha256": "A" * 42}},
    ],
)
def test_claims_of_another_form_are_refused(world: World, claims: dict[str, Any]) -> None:
    assert reason(world, changed(world, **claims)) == "claims not understood"


@pytest.mark.parametrize("jwt", ["", "a.b", "a.b.c.d", "é.b.c", "x" * 9000, "{}"])
def test_what_is_no_jwt_is_refused(world: World, jwt: str) -> None:
    assert reason(world, jwt)
