"""`revocation_streams`: what many open streams cost one worker, and how soon a revocation has reached all of them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import httpx

from benchmarks.child import Child, child
from benchmarks.loader import LoadError
from benchmarks.trials.ground import Ground
from benchmarks.trials.result import TrialResult, percentile

NAME = "revocation_streams"
DELIVERIES = 50
PAUSE = (0.3, 1.3)
"""Seconds between two revocations: more than a second of phases between them and the checkpoints of each second."""


def streams(ground: Ground) -> Iterator[TrialResult]:
    count, deliveries = ground.sizes.streams, min(DELIVERIES, ground.sizes.revocations)
    tokens = ground.site.access_tokens(deliveries)
    ground.server.forget_peak()
    alone, before_mb = _idle_percent(ground), ground.server.rss_mb()
    with child("benchmarks.follow.readers", port=ground.site.port, headers={}, count=count) as readers:
        readers.hear()
        idle, with_mb = _idle_percent(ground), ground.server.rss_mb()
        delays, whole, cpu_ms, readers_ms = _deliver(ground, readers, tokens)
    yield TrialResult(
        name=NAME,
        backend=ground.backend,
        figures={
            "idle_cpu_percent": idle,
            "idle_cpu_percent_without_streams": alone,
            "p50_ms": percentile(delays, 0.5),
            "p99_ms": percentile(delays, 0.99),
            "worst_ms": delays[-1],
            "from_request_p50_ms": percentile(whole, 0.5),
            "from_request_p99_ms": percentile(whole, 0.99),
            "server_cpu_ms_per_revocation": cpu_ms,
            "readers_cpu_ms_per_revocation": readers_ms,
            "rss_mb_without_streams": before_mb,
            "rss_mb": with_mb,
            "peak_rss_mb": ground.server.peak_rss_mb(),
            "kb_per_stream": 1024 * (with_mb - before_mb) / count,
            "streams": count,
            "revocations": deliveries,
        },
        samples=delays,
    )


def _idle_percent(ground: Ground) -> float:
    """Of one core, over as long as all windows of another scenario."""
    seconds = ground.effort.seconds * ground.effort.windows
    before, start = ground.server.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return 100 * (ground.server.cpu_seconds() - before) / (time.monotonic() - start)


def _deliver(ground: Ground, readers: Child, tokens: list[str]) -> tuple[list[float], list[float], float, float]:
    """Milliseconds to the checkpoint for each stream and token, from the answer and from the request; CPU ms of server
    and readers a revocation, with which the seconds' own checkpoints in between are counted.
    """
    delays: list[float] = []
    whole: list[float] = []
    server, reading = ground.server.cpu_seconds(), readers.cpu_seconds()
    with ground.administrator() as http:
        for token in tokens:
            time.sleep(random.uniform(*PAUSE))
            sent, answered, moments = _one(http, readers, token)
            delays += [max(0.0, 1000 * (moment - answered)) for moment in moments]
            whole += [1000 * (moment - sent) for moment in moments]
    server, reading = ground.server.cpu_seconds() - server, readers.cpu_seconds() - reading
    return sorted(delays), sorted(whole), 1000 * server / len(tokens), 1000 * reading / len(tokens)


def _one(http: httpx.Client, readers: Child, token: str) -> tuple[float, float, list[float]]:
    """When the request was sent, when it was answered, and when each stream had it."""
    readers.ask()
    sent = time.monotonic()
    http.post("/admin/revocations", json={"token": token, "reason": "benchmark"}).raise_for_status()
    answered = time.monotonic()
    told = readers.hear()
    if told["lost"]:
        raise LoadError(f"{told['lost']} streams did not get a revocation")
    return sent, answered, told["moments"]
