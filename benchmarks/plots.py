"""The plots of docs/benchmark.md, from the results of one run."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Result, processor
from benchmarks.svg import Axis, Chart, Line, Mark, Points
from benchmarks.trials.latency import NAME as REVOCATION
from benchmarks.trials.result import TrialResult, percentile
from benchmarks.trials.verify import NAME as VERIFY

STEPS = 500
MILLISECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
MICROSECONDS = (0.1, 1, 10, 100, 1_000, 10_000)
SHARES = tuple(number / 10 for number in range(11))


def write_plots(directory: Path, results: Sequence[Result | TrialResult]) -> None:
    """`benchmark-revocation.svg` and `benchmark-verify.svg`, each if it was measured."""
    trials = [one for one in results if isinstance(one, TrialResult)]
    directory.mkdir(parents=True, exist_ok=True)
    latencies = [one for one in trials if one.name == REVOCATION]
    if latencies:
        (directory / "benchmark-revocation.svg").write_text(_latency(latencies).svg())
    for one in trials:
        if one.name == VERIFY:
            (directory / "benchmark-verify.svg").write_text(_verify(one).svg())


def _latency(results: Sequence[TrialResult]) -> Chart:
    worst = max(one.samples[-1] for one in results)
    ticks = [tick for tick in MILLISECONDS if tick / 2 < max(worst, 500)]
    first = results[0].figures
    return Chart(
        title="From the acknowledged revocation to refusal by the resource server",
        subtitle=f"{first['verifiers']:,} verifiers, {first['revocations']:,} revocations a line; {_where()}",
        x=Axis(
            name="milliseconds after the answer to POST /admin/revocations",
            ticks=ticks,
            label=_at_least_one,
            logarithmic=True,
        ),
        y=Axis(name="verifiers that refuse", ticks=SHARES, label="{:.0%}".format),
        lines=[Line(name=f"{one.backend}: {_told(one.variant)}", points=_shares(one.samples)) for one in results],
        marks=[Mark(name="goal: half in 60 ms", x=60, y=0.5), Mark(name="goal: 99 % in 300 ms", x=300, y=0.99)],
    )


def _at_least_one(milliseconds: float) -> str:
    return "≤ 1" if milliseconds == 1 else f"{milliseconds:,g}"


def _told(variant: str) -> str:
    return f"told to {variant}"


def _shares(ordered: Sequence[float]) -> Points:
    return [(percentile(ordered, step / STEPS), step / STEPS) for step in range(STEPS + 1)]


def _verify(result: TrialResult) -> Chart:
    scale = result.lists["by_entries"]
    entries = [entry["entries"] for entry in scale]
    figures = result.figures
    level = {
        "introspection, one call (time)": "introspection_us",
        "joserfc decode, no revocations": "joserfc_us",
        "jwt.decode, no revocations": "jwt_decode_us",
        "verify, token not seen before": "unseen_us",
    }
    flat = [Line(name=name, points=[(at, figures[figure]) for at in entries]) for name, figure in level.items()]
    changing = {"verify, token seen before": "seen_us", "the look-ups alone": "lookups_us"}
    return Chart(
        title="What it costs to check an access token",
        subtitle=f"µs of CPU, by entries in the copy; bare RSA check {figures['bare_us']:.0f} µs; {_where()}",
        x=Axis(name="entries", ticks=entries, label="{:,.0f}".format, logarithmic=True),
        y=Axis(name="µs", ticks=MICROSECONDS, label="{:,g}".format, logarithmic=True),
        lines=flat
        + [
            Line(name=name, points=[(entry["entries"], entry[figure]) for entry in scale], dots=True)
            for name, figure in changing.items()
        ],
    )


def _where() -> str:
    return f"{processor()}, Python {platform.python_version()}"
