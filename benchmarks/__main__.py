"""`scripts/bench [NAME...] [--json] [--seconds N] [--windows N] [--backend B]... [--plot DIR]`, and sizes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from rich.console import Console

from benchmarks.backends import BACKENDS
from benchmarks.cores import keep_beside_server
from benchmarks.loader import LoadError
from benchmarks.measure import Effort
from benchmarks.plots import write_plots
from benchmarks.process import StartError
from benchmarks.report import Result, machine, print_tables
from benchmarks.run import run
from benchmarks.scenarios import SCENARIOS
from benchmarks.trials.names import NAMES, TRIALS
from benchmarks.trials.result import TrialResult
from benchmarks.trials.sizes import SIZES, Sizes

ALL = (*SCENARIOS, *TRIALS)
KNOWN = (*SCENARIOS, *NAMES)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: measured, whether goals were met or not. 1: an answer was wrong, or a server did not start."""
    asked = _parser().parse_args(arguments)
    where = machine()
    keep_beside_server()
    try:
        results = _measure(asked)
    except (LoadError, StartError) as error:
        Console(stderr=True).print(f"{type(error).__name__}: {error}", style="red", markup=False)
        return 1
    if asked.plot:
        write_plots(asked.plot, results)
    if asked.json:
        print(json.dumps({"machine": where, "results": [result.as_json() for result in results]}, indent=2))
    else:
        print_tables(where, results)
    return 0


def _measure(asked: argparse.Namespace) -> list[Result | TrialResult]:
    effort = Effort(seconds=asked.seconds, windows=asked.windows)
    sizes = Sizes(**{field.name: getattr(asked, field.name) for field in fields(Sizes)})
    with Console(stderr=True).status("starting") as status:
        progress = status.update if sys.stderr.isatty() else _line
        return list(run(asked.name or ALL, asked.backend or (), effort, sizes, progress))


def _line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _known(name: str) -> str:
    if name not in KNOWN:
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(KNOWN)}")
    return name


def _seconds(text: str) -> float:
    if not 0.2 <= float(text) <= 60:
        raise argparse.ArgumentTypeError("a window lasts 0.2 to 60 seconds")
    return float(text)


def _number(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="What a request costs the real server.")
    parser.add_argument("name", nargs="*", type=_known, metavar="NAME", help=f"all, or some of: {', '.join(KNOWN)}")
    parser.add_argument("--backend", action="append", choices=list(BACKENDS), help="may be given again")
    parser.add_argument("--seconds", type=_seconds, default=3.0, help="length of one window (default 3)")
    parser.add_argument("--windows", type=int, default=3, help="windows, of which the median counts (default 3)")
    parser.add_argument("--json", action="store_true", help="JSON on standard output")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="write benchmark-*.svg of what was measured there")
    for field in fields(Sizes):
        option, default = f"--{field.name}", field.default
        parser.add_argument(option, type=_number, default=default, metavar="N", help=f"{SIZES[field.name]} ({default})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
