"""Bytes of records and claims of checkpoints, against the text of docs/feed.md and the verifier's own reader."""

from __future__ import annotations

import hashlib
import json

import pytest

from authserver.clock import PurgeClock
from authserver.model.log import LogEnd, LogRecord, SnapshotRef
from authserver.model.revocation import EntryKind, OutboxEntry
from authserver.model.time import HOUR, MINUTE
from authserver.revocation.checkpoint import Checkpoint, base64url
from authserver.revocation.records import Composer, carry, chain_start, chained, key_of, line_of, link
from authserver.verifier import records as verifier

ISSUER = "https://auth.example"
LOG = "5c0b7e0f2f6a4d11"
NOW = 1_800_000_000_000
KINDS: tuple[EntryKind, ...] = ("jti", "sid", "sub", "cli", "kid", "iss")


def entries(count: int) -> list[OutboxEntry]:
    return [
        OutboxEntry(id=10 * n, kind=KINDS[n % 6], value=f"v{n}", version=n, expires_at=NOW + n * MINUTE, created_at=NOW)
        for n in range(1, count + 1)
    ]


def test_a_record_is_one_line_of_json_in_the_order_of_the_document() -> None:
    record = LogRecord(257, "sid", "Hjw2OG4nVbUvqmJWzy2p3Q", 0, 1_790_000_000)
    assert line_of(record) == b'{"s":257,"t":"sid","k":"Hjw2OG4nVbUvqmJWzy2p3Q","v":0,"x":1790000000}'


def test_a_key_is_the_beginning_of_a_hash_over_kind_issuer_and_value() -> None:
    digest = hashlib.sha256(b"sub|https://auth.example|alice").digest()
    assert key_of("sub", ISSUER, "alice") == base64url(digest[:16])
    assert len(key_of("iss", ISSUER, "")) == 22
    assert len({key_of(kind, ISSUER, "x") for kind in KINDS}) == 6


def test_what_the_server_writes_the_verifier_reads() -> None:
    linked = Composer(ISSUER)(LogEnd(LOG, 0, chain_start(LOG), MINUTE, NOW), entries(12))
    read = [verifier.parse_record(line_of(each.record)) for each in linked]
    assert [(each.seq, each.kind, each.version, each.expires) for each in read] == [
        (each.record.seq, each.record.kind, each.record.version, each.record.expires) for each in linked
    ]
    assert [each.key for each in read] == [verifier.key_of(e.kind, ISSUER, e.value) for e in entries(12)]
    assert verifier.chained(verifier.chain_start(LOG), read) == linked[-1].hash


def test_each_hash_is_over_the_one_before_and_the_record() -> None:
    linked = Composer(ISSUER)(LogEnd(LOG, 4, b"p" * 32, MINUTE, NOW), entries(3))
    assert [each.record.seq for each in linked] == [5, 6, 7]
    assert [each.outbox_id for each in linked] == [10, 20, 30]
    assert linked[0].hash == hashlib.sha256(b"p" * 32 + line_of(linked[0].record)).digest()
    assert linked[1].hash == link(linked[0].hash, line_of(linked[1].record))
    assert chained(b"p" * 32, [line_of(each.record) for each in linked]) == linked[-1].hash


def test_a_record_that_is_carried_over_changes_its_number_only() -> None:
    old = LogRecord(99, "kid", key_of("kid", ISSUER, "k"), 0, 77)
    (moved,) = carry(LogEnd("00112233445566ff", 1, b"p" * 32, MINUTE, NOW), [old])
    assert (moved.record, moved.outbox_id) == (old._replace(seq=2), None)
    assert moved.hash == link(b"p" * 32, line_of(moved.record))


@pytest.mark.parametrize("snapshot", [None, SnapshotRef(5, b"h" * 32, b"s" * 32)])
def test_the_claims_of_a_checkpoint_are_those_of_the_document(snapshot: SnapshotRef | None) -> None:
    checkpoint = Checkpoint(log=LOG, seq=7, hash=b"x" * 32, at=NOW + 999, floor=1, snapshot=snapshot)
    claims = checkpoint.claims(ISSUER)
    assert json.loads(json.dumps(claims)) == {
        "iss": ISSUER,
        "log": LOG,
        "seq": 7,
        "h": base64url(b"x" * 32),
        "at": NOW + 999,
        "iat": NOW // 1000,
        "exp": NOW // 1000 + 60,
        "floor": 1,
        **({"snap": {"seq": 5, "h": base64url(b"h" * 32), "sha256": base64url(b"s" * 32)}} if snapshot else {}),
    }
    assert len(claims["h"]) == 43


def test_the_clock_of_forgetting_never_runs_ahead_and_follows_back() -> None:
    wall, ticks = [NOW], [0]
    clock = PurgeClock(lambda: wall[0], lambda: ticks[0] * 1_000_000)

    def after(steps: int, passed: int) -> int:
        wall[0] += steps
        ticks[0] += passed
        return clock() - NOW

    assert after(MINUTE, MINUTE) == MINUTE
    assert after(HOUR, MINUTE) == 2 * MINUTE  # an hour ahead
    assert after(-HOUR + MINUTE, 0) == 2 * MINUTE  # and back
    assert after(-MINUTE, 0) == MINUTE  # behind: nothing is forgotten sooner than the clock says
    assert after(HOUR, MINUTE) == 2 * MINUTE  # nor is the time made up for
