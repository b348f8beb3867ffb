"""The run for people (a table) and for programs (JSON, the shape that docs/benchmark.md describes)."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.cores import PINNED
from benchmarks.goals import Verdict, goals_for
from benchmarks.measure import Measurement
from benchmarks.trials.result import TrialResult

WIDTH = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    name: str
    backend: str
    bare: str
    measurement: Measurement
    distinct_tokens: int | None = None

    @property
    def verdicts(self) -> list[Verdict]:
        goals = goals_for(self.name, self.backend)
        return [Verdict(goal, getattr(self.measurement, goal.figure)) for goal in goals]

    def as_json(self) -> dict[str, object]:
        one = self.measurement
        figures: dict[str, object] = {
            "name": self.name,
            "backend": self.backend,
            "requests_per_second": round(one.requests_per_second, 1),
            "p50_ms": round(one.p50_ms, 3),
            "p99_ms": round(one.p99_ms, 3),
            "cpu_us_per_request": round(one.cpu_us_per_request, 1),
            "requests_per_cpu_second": round(one.requests_per_cpu_second),
            "peak_rss_mb": round(one.peak_rss_mb, 1),
            "limit_ratio": round(one.limit_ratio, 3),
            "bare_work": self.bare,
            "bare_us": round(one.bare_us, 1),
            "requests": one.requests,
            "goals": [verdict.as_json() for verdict in self.verdicts],
        }
        return figures if self.distinct_tokens is None else figures | {"distinct_tokens": self.distinct_tokens}


def machine() -> dict[str, object]:
    """Where it ran, so that two outputs are compared only when they may be."""
    packages = ("cryptography", "pyjwt", "uvicorn", "uvloop", "starlette", "sqlalchemy", "asyncpg")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "server_core_reserved": PINNED,
        "packages": {name: version(name) for name in packages},
    }


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def print_tables(where: dict[str, object], results: Sequence[Result | TrialResult]) -> None:
    # A pipe has no width of its own; the figures need this much.
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    requests = [result for result in results if isinstance(result, Result)]
    trials = [result for result in results if isinstance(result, TrialResult)]
    if requests:
        console.print(_figures(requests))
    if trials:
        console.print(_trials(trials))
    console.print(_goals(results))
    console.print(_caption(where, requests))


def _figures(results: Sequence[Result]) -> Table:
    table = Table(title="authserver, one worker")
    for heading in ("name", "backend"):
        table.add_column(heading)
    for heading in ("req/s", "p50 ms", "p99 ms", "CPU µs/req", "req/CPU-s", "peak MB", "bare µs", "ratio"):
        table.add_column(heading, justify="right")
    for result in results:
        table.add_row(*_row(result))
    return table


def _row(result: Result) -> list[str]:
    one = result.measurement
    return [
        result.name, result.backend, f"{one.requests_per_second:,.0f}", f"{one.p50_ms:.2f}", f"{one.p99_ms:.2f}",
        f"{one.cpu_us_per_request:,.0f}", f"{one.requests_per_cpu_second:,.0f}", f"{one.peak_rss_mb:.0f}",
        f"{one.bare_us:,.1f}", f"{one.limit_ratio:.2f}",
    ]  # fmt: skip


def _trials(results: Sequence[TrialResult]) -> Table:
    table = Table(title="revocation and validation")
    for heading in ("name", "backend", "variant", "figure"):
        table.add_column(heading)
    table.add_column("measured", justify="right")
    for result in results:
        for number, (figure, value) in enumerate(result.figures.items()):
            which = (result.name, result.backend, result.variant) if number == 0 else ("", "", "")
            table.add_row(*which, figure, f"{value:,.4g}" if value < 1_000 else f"{value:,.0f}")
        table.add_section()
    return table


def _goals(results: Sequence[Result | TrialResult]) -> Table:
    table = Table(title="goals")
    for heading in ("name", "backend", "variant", "goal", "measured", ""):
        table.add_column(heading)
    for result in results:
        for verdict in result.verdicts:
            word = "[green]met[/]" if verdict.met else "[red]missed[/]"
            variant = result.variant if isinstance(result, TrialResult) else ""
            table.add_row(result.name, result.backend, variant, str(verdict.goal), f"{verdict.measured:,.5g}", word)
    return table


def _caption(where: dict[str, object], requests: Sequence[Result]) -> str:
    core = "a core of its own" if where["server_core_reserved"] else "no core of its own"
    ratio = " ratio = CPU time of the bare work / server CPU time per request." if requests else ""
    return (
        f"{where['processor']}, {where['cores']} cores, load {where['load_average']} at the start; "
        f"the server has {core}. A load above 0.5 means that others disturbed it.{ratio}"
    )
