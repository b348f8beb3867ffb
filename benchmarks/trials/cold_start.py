"""`revocation_cold_start`: a verifier that has nothing, against a log with very many living entries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from statistics import median

import httpx

from benchmarks.child import child
from benchmarks.follow.events import claims_of
from benchmarks.site import RESOURCE
from benchmarks.trials.flood import flood
from benchmarks.trials.ground import Ground
from benchmarks.trials.result import TrialResult

NAME = "revocation_cold_start"
STARTS = 5
SNAPSHOT_SECONDS = 90.0
NEAR = 1_024
"""Records that may follow the newest snapshot: with so many the server makes another."""


def cold_start(ground: Ground) -> Iterator[TrialResult]:
    snapshot = _snapshot_of(ground)
    starts = []
    for _ in range(STARTS):
        with child("benchmarks.follow.cold", issuer=ground.issuer, audience=RESOURCE) as one:
            starts.append(one.hear())
    middle = {name: median(start[name] for start in starts) for name in starts[0]}
    yield TrialResult(
        name=NAME,
        backend=ground.backend,
        figures={
            "ready_ms": middle["ready_ms"],
            "worst_ready_ms": max(start["ready_ms"] for start in starts),
            "import_ms": middle["import_ms"],
            "entries": middle["entries"],
            "rss_mb_before": middle["rss_before_mb"],
            "rss_mb": middle["rss_mb"],
            "peak_rss_mb": middle["peak_rss_mb"],
            "snapshot_seconds": snapshot,
            "starts": STARTS,
        },
    )


def _snapshot_of(ground: Ground) -> float:
    """Have so many entries in the log (a burst may have left them), and wait for a snapshot of nearly all of them.

    Seconds that the snapshot took; the server makes one when it finds that enough records follow the last.
    """
    missing = ground.sizes.burst - _position(ground)[0]
    if missing > 0:
        flood(ground.settings, missing)
    start = time.monotonic()
    while time.monotonic() < start + SNAPSHOT_SECONDS:
        seq, snapshot = _position(ground)
        if seq >= ground.sizes.burst and seq - snapshot <= NEAR:
            break
        time.sleep(0.1)
    return time.monotonic() - start


def _position(ground: Ground) -> tuple[int, int]:
    """The sequence numbers of the log's head and of its newest snapshot (0 without one)."""
    with suppress(httpx.HTTPError):
        tail = httpx.get(f"{ground.issuer}/revocations/tail").raise_for_status()
        checkpoint = claims_of(tail.content.split(b"\n", 1)[0])
        return checkpoint["seq"], checkpoint["snap"]["seq"] if "snap" in checkpoint else 0
    return 0, 0
