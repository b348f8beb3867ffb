"""`revocation_cold_start`: a verifier that has nothing, against a log with very many living entries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from statistics import median

import httpx

from benchmarks.child import Message, child
from benchmarks.follow.events import claims_of
from benchmarks.loader import LoadError
from benchmarks.site import RESOURCE
from benchmarks.trials.flood import flood
from benchmarks.trials.ground import Ground
from benchmarks.trials.result import TrialResult

NAME = "revocation_cold_start"
STARTS = 5
WAIT_SECONDS = 90.0
NEAR = 1_024
"""Records that may follow the newest snapshot: with so many the server makes another."""


def cold_start(ground: Ground) -> Iterator[TrialResult]:
    _fill(ground)
    seq, snapshot = _position(ground)
    first = _start(ground)
    waited = _wait_for_snapshot(ground)
    starts = [_start(ground) for _ in range(STARTS)]
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
            "starts": STARTS,
            "first_ready_ms": first["ready_ms"],
            "first_records_after_snapshot": seq - snapshot,
            "snapshot_seconds": waited,
        },
    )


def _start(ground: Ground) -> Message:
    with child("benchmarks.follow.cold", issuer=ground.issuer, audience=RESOURCE) as one:
        return one.hear()


def _fill(ground: Ground) -> None:
    """Have so many entries in the log; a burst may have left them there."""
    missing = ground.sizes.burst - _position(ground)[0]
    if missing > 0:
        flood(ground.settings, missing)
    _wait(lambda: _position(ground)[0] >= ground.sizes.burst)


def _wait_for_snapshot(ground: Ground) -> float:
    """Seconds until there is one of nearly all records: the server looks now and then whether another is due."""

    def is_near() -> bool:
        seq, snapshot = _position(ground)
        return seq - snapshot <= NEAR

    start = time.monotonic()
    _wait(is_near)
    return time.monotonic() - start


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise LoadError(f"the log, or its snapshot, is not there after {WAIT_SECONDS} s")
        time.sleep(0.1)


def _position(ground: Ground) -> tuple[int, int]:
    """The sequence numbers of the log's head and of its newest snapshot (0 without one)."""
    with suppress(httpx.HTTPError):
        tail = httpx.get(f"{ground.issuer}/revocations/tail").raise_for_status()
        checkpoint = claims_of(tail.content.split(b"\n", 1)[0])
        return checkpoint["seq"], checkpoint["snap"]["seq"] if "snap" in checkpoint else 0
    return 0, 0
