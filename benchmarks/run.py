"""One run: each backend in turn, with a fresh server that goes through all scenarios, and one for each trial."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import bare
from benchmarks.backends import BACKENDS, DEFAULT_BACKENDS, Settings
from benchmarks.bare import BareWork
from benchmarks.loader import loading
from benchmarks.measure import Effort, measure
from benchmarks.prepare import of_issuer, running_site
from benchmarks.process import ServerProcess
from benchmarks.report import Result
from benchmarks.scenarios import CONNECTIONS, SCENARIOS, BareName, Scenario
from benchmarks.site import Site
from benchmarks.trials.ground import Ground
from benchmarks.trials.names import TRIALS
from benchmarks.trials.result import TrialResult
from benchmarks.trials.sizes import Sizes

Progress = Callable[[str], None]


def run(
    names: Sequence[str], backends: Sequence[str], effort: Effort, sizes: Sizes, progress: Progress
) -> Iterator[Result | TrialResult]:
    """The results as they come, on `backends` or those that each name has; raises LoadError for a wrong answer."""
    if any(name in SCENARIOS for name in names):
        yield from _scenarios(names, backends or DEFAULT_BACKENDS, effort, progress)
    for trial in TRIALS:
        parts = _asked(trial, names)
        if parts:
            yield from _trial(trial, parts, backends or TRIALS[trial].backends, effort, sizes, progress)


def _scenarios(names: Sequence[str], backends: Sequence[str], effort: Effort, progress: Progress) -> Iterator[Result]:
    for backend in backends:
        progress(f"{backend}: starting")
        with _running(backend) as (scratch, _, server, site):
            for name, scenario in SCENARIOS.items():
                if name in names:
                    progress(f"{backend}: {name}")
                    yield _one(scenario, backend, server, site, effort, scratch)


def _asked(trial: str, names: Sequence[str]) -> list[str]:
    """Its parts that were named, all of them if it was itself."""
    return [part for part in TRIALS[trial].parts if trial in names or part in names]


def _trial(
    trial: str, parts: Sequence[str], backends: Sequence[str], effort: Effort, sizes: Sizes, progress: Progress
) -> Iterator[TrialResult]:
    for backend in backends:
        progress(f"{backend}: starting")
        with _running(backend) as (scratch, settings, server, site):
            ground = Ground(
                scratch=scratch,
                backend=backend,
                settings=settings,
                server=server,
                site=site,
                effort=effort,
                sizes=sizes,
            )
            for part in parts:
                progress(f"{backend}: {part}")
                yield from TRIALS[trial].parts[part](ground)


@contextmanager
def _running(backend: str) -> Iterator[tuple[Path, Settings, ServerProcess, Site]]:
    """A new issuer on a database of its own; both are gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="authserver-bench-") as directory,
        BACKENDS[backend](Path(directory)) as database,
    ):
        scratch = Path(directory)
        settings = of_issuer(scratch, database)
        with running_site(scratch, settings) as (server, site):
            yield scratch, settings, server, site


def _one(scenario: Scenario, backend: str, server: ServerProcess, site: Site, effort: Effort, scratch: Path) -> Result:
    load = scenario.prepare(site, effort)
    with _bare_work(scenario.bare, effort, scratch) as work, loading(load.plan) as process:
        measurement = measure(server, process, work, effort, at_most=load.at_most)
    return Result(
        name=scenario.name,
        backend=backend,
        bare=scenario.bare,
        measurement=measurement,
        distinct_tokens=load.distinct_tokens,
    )


_IN_THIS_PROCESS = {
    "signature": bare.signature,
    "two_signatures": bare.two_signatures,
    "signature_check": bare.signature_check,
    "password_hash": bare.password_hash,
}


@contextmanager
def _bare_work(name: BareName, effort: Effort, scratch: Path) -> Iterator[BareWork]:
    if name == "empty_answer":
        with bare.empty_answer(effort.bare, CONNECTIONS, scratch) as work:
            yield work
    else:
        yield _IN_THIS_PROCESS[name](effort.bare)
