"""What is listed denies, in any order, for as long as it must; a naive list says the same."""

from __future__ import annotations

import random
import tracemalloc
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authserver.verifier.records import KINDS, Record, key_of
from authserver.verifier.state import BUCKET, Revocations
from authserver.verifier.token import TokenKeys
from tests.verifier.feed_world import ISSUER, LATER, START, keys


def record(kind: str, value: str, version: int = 0, expires: int = LATER) -> Record:
    return Record(1, kind, key_of(kind, ISSUER, value), version, expires, b"")


def listing(*records: Record) -> Revocations:
    revocations = Revocations(ISSUER)
    revocations.apply(records)
    return revocations


@pytest.mark.parametrize(
    ("kind", "value"),
    [("kid", "kid-1"), ("jti", "jti-1"), ("sid", "sid-1"), ("sub", "ann"), ("cli", "shop"), ("iss", "")],
)
def test_each_kind_denies_by_itself(kind: str, value: str) -> None:
    assert listing(record(kind, value, version=2)).refusal(keys()) == kind
    assert listing(*[record(other, "somebody else", 9) for other in KINDS]).refusal(keys()) is None


@pytest.mark.parametrize(("kind", "value"), [("sub", "ann"), ("cli", "shop"), ("iss", "")])
def test_versions_deny_what_is_older(kind: str, value: str) -> None:
    assert listing(record(kind, value, version=1)).refusal(keys()) is None
    assert listing(record(kind, value, version=2)).refusal(keys()) == kind


@pytest.mark.parametrize("order", [1, -1])
def test_client_and_issuer_minimum_both_hold_in_either_order(order: int) -> None:
    """Servers that merged them had holes: one that is newer must not stand in for the other."""
    both = listing(*[record("iss", "", 2), record("cli", "shop", 1)][::order])
    assert both.refusal(keys()) == "iss"
    both = listing(*[record("iss", "", 1), record("cli", "shop", 2)][::order])
    assert both.refusal(keys()) == "cli"


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_records_about_one_thing_the_greater_version_and_the_greater_end_hold(order: int) -> None:
    early, late = record("sub", "ann", version=3, expires=START), record("sub", "ann", version=2, expires=LATER)
    revocations = listing(*[early, late][::order])
    revocations.purge(START + 100)
    assert revocations.entries == 1
    assert revocations.refusal(keys()._replace(s=2)) == "sub"
    assert revocations.refusal(keys()._replace(s=3)) is None


def test_a_token_without_a_session_is_asked_for_the_rest() -> None:
    anonymous = keys()._replace(sid=None)
    assert listing(record("sid", "sid-1")).refusal(anonymous) is None
    assert listing(record("jti", "jti-1")).refusal(anonymous) == "jti"


def test_another_issuers_minimum_is_not_ours() -> None:
    other = Record(1, "iss", key_of("iss", "https://other.test", ""), 9, LATER, b"")
    assert listing(other).refusal(keys()) is None


def test_nothing_is_forgotten_before_its_end_and_everything_soon_after() -> None:
    revocations = listing(*[record(kind, "", version=2) for kind in KINDS])
    revocations.purge(LATER)
    assert revocations.entries == 6
    revocations.purge(LATER + BUCKET)
    assert revocations.entries == 0
    assert revocations.refusal(keys()) is None


def test_forgetting_goes_in_small_steps() -> None:
    revocations = listing(*[record("sid", str(i)) for i in range(25)])
    assert revocations.purge(LATER + BUCKET, limit=10)
    assert revocations.entries == 15
    assert revocations.purge(LATER + BUCKET, limit=10)
    assert not revocations.purge(LATER + BUCKET, limit=10)
    assert revocations.entries == 0


def test_keys_that_were_revoked_stay_so_in_the_next_log() -> None:
    old, new = listing(record("kid", "kid-1"), record("sid", "sid-1")), listing()
    new.take_kids(old)
    assert new.lists_kid(key_of("kid", ISSUER, "kid-1"))
    assert new.entries == 1
    new.purge(LATER)
    assert new.refusal(keys()) == "kid"


# -- against a naive oracle ---------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
EVENT = st.one_of(
    st.tuples(st.sampled_from(KINDS), NAMES, st.integers(0, 3), st.integers(0, 200)),
    st.integers(0, 250),  # time passes to this second, and a purge runs
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENT, max_size=30), st.tuples(*[NAMES] * 5), st.tuples(*[st.integers(0, 3)] * 3))
def test_what_is_alive_denies_as_a_plain_list_of_records_would(
    events: list[tuple[str, str, int, int] | int], names: tuple[str, ...], versions: tuple[int, int, int]
) -> None:
    revocations, listed, now = Revocations(ISSUER), list[Record](), 0
    for happened in events:
        if isinstance(happened, int):
            now = max(now, happened)
            revocations.purge(now, limit=3)
        else:
            kind, name, version, expires = happened
            listed.append(record(kind, "" if kind == "iss" else name, version, now + expires))
            revocations.apply(listed[-1:])
    kid, jti, sid, sub, cli = (key_of(kind, ISSUER, name) for kind, name in zip(KINDS, names, strict=False))
    token = TokenKeys(kid, jti, sid, sub, cli, *versions)
    must = {r.kind for r in listed if r.expires >= now and _denies(r, token)}
    may = {r.kind for r in listed if _denies(r, token)}
    answer = revocations.refusal(token)
    assert answer in may if answer else not must


def _denies(listed: Record, token: TokenKeys) -> bool:
    least = {"sub": token.s, "cli": token.c, "iss": token.i}
    if listed.kind in least:
        about = {"sub": token.sub, "cli": token.cli, "iss": key_of("iss", ISSUER, "")}[listed.kind]
        return listed.key == about and least[listed.kind] < listed.version
    return listed.key == getattr(token, listed.kind)


# -- cost ---------------------------------------------------------------------------------------


def test_a_hundred_thousand_entries_cost_little_memory_and_no_time_to_ask() -> None:
    """Generous bounds, for busy machines: 0.2 kB and 0.4 µs are measured."""
    rng = random.Random(1)
    tracemalloc.start()
    revocations = listing()
    revocations.apply(Record(1, "sid", rng.randbytes(16), 0, LATER + i // 100, b"") for i in range(100_000))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 100_000 * 300
    asked, best = keys(), 1.0
    for _ in range(5):
        started = perf_counter()
        for _ in range(2000):
            revocations.refusal(asked)
        best = min(best, (perf_counter() - started) / 2000)
    assert best < 3e-6
