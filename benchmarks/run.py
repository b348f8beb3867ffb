"""One run: each backend in turn, each with a fresh server that goes through all scenarios."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import bare
from benchmarks.backends import BACKENDS
from benchmarks.bare import BareWork
from benchmarks.loader import loading
from benchmarks.measure import Effort, measure
from benchmarks.prepare import running_site
from benchmarks.process import ServerProcess
from benchmarks.report import Result
from benchmarks.scenarios import CONNECTIONS, SCENARIOS, BareName, Scenario
from benchmarks.site import Site

Progress = Callable[[str], None]


def run(names: Sequence[str], backends: Sequence[str], effort: Effort, progress: Progress) -> Iterator[Result]:
    """The results as they come; raises LoadError when any answer was wrong."""
    for backend in backends:
        progress(f"{backend}: starting")
        with (
            tempfile.TemporaryDirectory(prefix="authserver-bench-") as scratch,
            BACKENDS[backend](Path(scratch)) as settings,
            running_site(Path(scratch), settings) as (server, site),
        ):
            for name, scenario in SCENARIOS.items():
                if name in names:
                    progress(f"{backend}: {name}")
                    yield _one(scenario, backend, server, site, effort, Path(scratch))


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


@contextmanager
def _bare_work(name: BareName, effort: Effort, scratch: Path) -> Iterator[BareWork]:
    if name == "empty_answer":
        with bare.empty_answer(effort.bare, CONNECTIONS, scratch) as work:
            yield work
    elif name == "password_hash":
        yield bare.password_hash(effort.bare)
    else:
        yield {"signature": bare.signature, "signature_check": bare.signature_check}[name](effort.bare)
