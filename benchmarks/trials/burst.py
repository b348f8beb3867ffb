"""`revocation_burst`: very many revocations at once, put into the database behind the server's back.

Measured meanwhile: the checkpoints that a raw stream reader gets, a verifier that follows, the server's memory, its
other answers, and what becomes of a stream whose reader does not read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

from benchmarks.child import Child, Message, child
from benchmarks.loader import LoadError
from benchmarks.site import RESOURCE
from benchmarks.trials.flood import flood
from benchmarks.trials.ground import Ground
from benchmarks.trials.probe import probing
from benchmarks.trials.result import TrialResult, percentile

NAME = "revocation_burst"
CATCH_UP_SECONDS = 100.0
SETTLE_SECONDS = 1.5


def burst(ground: Ground) -> Iterator[TrialResult]:
    verifier = {"issuer": ground.issuer, "audience": RESOURCE, "count": 1}
    with (
        child("benchmarks.follow.tracer", port=ground.site.port, headers={}) as tracer,
        child("benchmarks.follow.verifiers", **verifier) as following,
    ):
        following.hear()
        target = tracer.hear()["seq"] + ground.sizes.burst
        time.sleep(SETTLE_SECONDS)
        yield _measured(ground, tracer, following, target)


def _measured(ground: Ground, tracer: Child, following: Child, target: int) -> TrialResult:
    ground.server.forget_peak()
    before_mb, cpu = ground.server.rss_mb(), ground.server.cpu_seconds()
    for one in (tracer, following):
        one.tell(until=target, seconds=CATCH_UP_SECONDS)
    start = time.monotonic()
    with probing(f"{ground.issuer}/healthz") as answers:
        flood(ground.settings, ground.sizes.burst)
        inserted = time.monotonic()
        traced, followed = tracer.hear(), following.hear()
    if traced["reached"] is None or followed["reached"] is None:
        raise LoadError(f"sequence {target} was not reached within {CATCH_UP_SECONDS} s")
    peak_mb = ground.server.peak_rss_mb()
    return TrialResult(
        name=NAME,
        backend=ground.backend,
        figures={
            "rows": ground.sizes.burst,
            "insert_seconds": inserted - start,
            "catch_up_seconds": traced["reached"] - inserted,
            "verifier_catch_up_seconds": followed["reached"] - inserted,
            "rows_per_second": ground.sizes.burst / (traced["reached"] - start),
            "longest_checkpoint_gap_ms": _longest_gap(traced, start),
            "oldest_copy_ms": 1000 * followed["oldest"],
            "rss_mb_before": before_mb,
            "peak_rss_mb": peak_mb,
            "peak_growth_mb": peak_mb - before_mb,
            "verifier_peak_rss_mb": following.peak_rss_mb(),
            "server_cpu_us_per_row": 1e6 * (ground.server.cpu_seconds() - cpu) / ground.sizes.burst,
            **_answers(answers),
            "tracer_connections": traced["connections"],
            "slow_reader_dropped": int(traced["slow_reader_dropped"]),
        },
    )


def _longest_gap(traced: Message, start: float) -> float:
    """Milliseconds between two checkpoints of the stream, from the burst's start to the one that covers it."""
    moments = [moment for moment, _ in traced["checkpoints"] if start - 1.5 <= moment <= traced["reached"]]
    return 1000 * max((later - earlier for earlier, later in pairwise(moments)), default=float("nan"))


def _answers(taken: Sequence[float]) -> dict[str, float]:
    ordered = sorted(taken)
    return {"other_answers_p50_ms": percentile(ordered, 0.5), "other_answers_worst_ms": ordered[-1]}
