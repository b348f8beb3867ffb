"""`revocation`: from the answer to POST /admin/revocations to the refusal by every verifier.

One revocation at a time, at moments that do not keep step with anybody's polling. On PostgreSQL also with the request
sent to another node than the one that is followed: then nothing but the bus or the next look at the database tells.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx

from benchmarks.child import Child, child
from benchmarks.loader import LoadError
from benchmarks.process import ServerProcess
from benchmarks.site import RESOURCE
from benchmarks.trials.ground import Ground
from benchmarks.trials.result import TrialResult, percentile

NAME = "revocation"
SAME, OTHER = "the server that is followed", "another server"
PAUSE = (0.02, 0.12)
"""Seconds between two revocations."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """One revocation: monotonic seconds."""

    sent: float
    answered: float
    refused: Sequence[float]
    """By each verifier."""

    @property
    def delays(self) -> list[float]:
        """Milliseconds; a verifier may well be earlier than the answer is here."""
        return [max(0.0, 1000 * (moment - self.answered)) for moment in self.refused]


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds so far, of servers and of verifiers."""

    servers: float
    verifiers: float


def latency(ground: Ground) -> Iterator[TrialResult]:
    tokens = iter(ground.site.access_tokens(ground.sizes.revocations * (2 if ground.several_nodes else 1)))
    with verifiers(ground, ground.sizes.verifiers) as children:
        some = [next(tokens) for _ in range(ground.sizes.revocations)]
        yield _measured(ground, children, [ground.server], some, SAME)
        if ground.several_nodes:
            with ground.another_node() as other:
                yield _measured(ground, children, [other, ground.server], list(tokens), OTHER)


@contextmanager
def verifiers(ground: Ground, count: int) -> Iterator[list[Child]]:
    """So many verifiers over the processes, all of them ready."""
    processes = min(count, ground.sizes.processes)
    shares = [count // processes + (number < count % processes) for number in range(processes)]
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                child("benchmarks.follow.verifiers", issuer=ground.issuer, audience=RESOURCE, count=share)
            )
            for share in shares
        ]
        for one in children:
            one.hear()
        yield children


def _measured(
    ground: Ground, children: Sequence[Child], servers: Sequence[ServerProcess], tokens: Sequence[str], variant: str
) -> TrialResult:
    """The first of `servers` is told to revoke."""
    done: list[Revoked] = []
    with ground.administrator(servers[0].port) as http:
        before = _spent(servers, children)
        for token in tokens:
            time.sleep(random.uniform(*PAUSE))
            done.append(revoke_and_wait(http, children, token))
        after = _spent(servers, children)
    return _result(ground, variant, done, before, after)


def revoke_and_wait(http: httpx.Client, children: Sequence[Child], token: str) -> Revoked:
    """Have every verifier accept the token, revoke it, wait for every refusal; raises LoadError when one lacks."""
    for one in children:
        one.tell(watch=token)
    for one in children:
        one.hear()
    sent = time.monotonic()
    answer = http.post("/admin/revocations", json={"token": token, "reason": "benchmark"})
    answered = time.monotonic()
    if answer.is_error:
        raise LoadError(f"POST /admin/revocations: {answer.status_code} {answer.text}")
    refused: list[float] = []
    for one in children:
        told = one.hear()
        if told["late"] or told["codes"] != ["revoked_jti"]:
            raise LoadError(f"{told['late']} verifiers still accept a revoked token; others say {told['codes']}")
        refused += told["moments"]
    return Revoked(sent, answered, refused)


def _spent(servers: Sequence[ServerProcess], children: Sequence[Child]) -> Spent:
    return Spent(sum(one.cpu_seconds() for one in servers), sum(one.cpu_seconds() for one in children))


def _result(ground: Ground, variant: str, done: Sequence[Revoked], before: Spent, after: Spent) -> TrialResult:
    delays = sorted(delay for one in done for delay in one.delays)
    answers = sorted(1000 * (one.answered - one.sent) for one in done)
    whole = sorted(1000 * (moment - one.sent) for one in done for moment in one.refused)
    return TrialResult(
        name=NAME,
        backend=ground.backend,
        variant=variant,
        figures={
            "p50_ms": percentile(delays, 0.5),
            "p99_ms": percentile(delays, 0.99),
            "worst_ms": delays[-1],
            "answer_p50_ms": percentile(answers, 0.5),
            "answer_p99_ms": percentile(answers, 0.99),
            "from_request_p50_ms": percentile(whole, 0.5),
            "from_request_p99_ms": percentile(whole, 0.99),
            "server_cpu_ms_per_revocation": 1000 * (after.servers - before.servers) / len(done),
            "verifiers_cpu_ms_per_revocation": 1000 * (after.verifiers - before.verifiers) / len(done),
            "peak_rss_mb": ground.server.peak_rss_mb(),
            "verifiers": ground.sizes.verifiers,
            "revocations": len(done),
        },
        samples=delays,
    )
