"""The run for people (a table) and for programs (JSON, the shape that docs/benchmark.md describes)."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.cores import PINNED
from benchmarks.goals import Goal, goals_for
from benchmarks.measure import Measurement

WIDTH = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    name: str
    backend: str
    bare: str
    measurement: Measurement
    distinct_tokens: int | None = None

    @property
    def verdicts(self) -> list[tuple[Goal, bool]]:
        return [(goal, goal.met(self.measurement)) for goal in goals_for(self.name, self.backend)]

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
            "goals": [{"goal": str(goal), "met": met} for goal, met in self.verdicts],
        }
        return figures if self.distinct_tokens is None else figures | {"distinct_tokens": self.distinct_tokens}


def machine() -> dict[str, object]:
    """Where it ran, so that two outputs are compared only when they may be."""
    packages = ("cryptography", "uvicorn", "uvloop", "starlette", "sqlalchemy", "asyncpg")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "server_core_reserved": PINNED,
        "packages": {name: version(name) for name in packages},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def print_tables(where: dict[str, object], results: list[Result]) -> None:
    # A pipe has no width of its own; the figures need this much.
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    console.print(_figures(where, results))
    console.print(_goals(results))


def _figures(where: dict[str, object], results: list[Result]) -> Table:
    table = Table(title="authserver, one worker", caption=_caption(where), caption_justify="left")
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


def _goals(results: list[Result]) -> Table:
    table = Table(title="goals")
    for heading in ("name", "backend", "goal", "measured", ""):
        table.add_column(heading)
    for result in results:
        for goal, met in result.verdicts:
            measured = f"{getattr(result.measurement, goal.figure):,.5g}"
            verdict = "[green]met[/]" if met else "[red]missed[/]"
            table.add_row(result.name, result.backend, str(goal), measured, verdict)
    return table


def _caption(where: dict[str, object]) -> str:
    core = "a core of its own" if where["server_core_reserved"] else "no core of its own"
    return (
        f"{where['processor']}, {where['cores']} cores, load {where['load_average']} at the start; "
        f"the server has {core}. A load above 0.5 means that others disturbed it. "
        f"ratio = CPU time of the bare work / server CPU time per request."
    )
