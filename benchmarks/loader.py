"""The load process as the benchmark sees it: a plan goes in, windows come out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.load.plan import Plan, Window
from benchmarks.process import ROOT, environment

NO_LIMIT = 1_000_000


class LoadError(Exception):
    """A request was answered with anything but what it should be; the run is void."""


class Load:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def window(self, seconds: float, *, at_most: int = NO_LIMIT) -> Window:
        """Let it send for `seconds` or `at_most` requests; raises LoadError on the first wrong answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"seconds": seconds, "at_most": at_most}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise LoadError("the load process ended")
        window = Window.from_json(line)
        if window.error:
            raise LoadError(window.error)
        return window


@contextmanager
def loading(plan: Plan) -> Iterator[Load]:
    """A load process for this plan; it ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(plan.to_json() + "\n")
        process.stdin.flush()
        try:
            yield Load(process)
        finally:
            process.stdin.close()
