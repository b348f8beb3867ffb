"""A process of the benchmark's own that takes orders and answers them, a line of JSON each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any

import psutil

from benchmarks.loader import LoadError
from benchmarks.process import ROOT, environment, peak_rss

PATIENCE = 120.0
"""Seconds in which a child has to answer."""

Message = dict[str, Any]


class Child:
    def __init__(self, module: str, process: subprocess.Popen[str], orders: IO[str], answers: IO[str]) -> None:
        self._module, self._process, self._orders = module, process, orders
        self._heard: Queue[str] = Queue()
        Thread(target=self._listen, args=(answers,), daemon=True).start()

    def tell(self, **order: object) -> None:
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()

    def hear(self, seconds: float = PATIENCE) -> Message:
        """The next answer; raises LoadError when the child says "error", ends, or says nothing for so long."""
        try:
            line = self._heard.get(timeout=seconds)
        except Empty:
            raise LoadError(f"{self._module}: no answer within {seconds} s") from None
        answer: Message = json.loads(line) if line else {"error": f"{self._module} ended"}
        if "error" in answer:
            raise LoadError(str(answer["error"]))
        return answer

    def ask(self, **order: object) -> Message:
        self.tell(**order)
        return self.hear()

    def cpu_seconds(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def peak_rss_mb(self) -> float:
        return peak_rss(psutil.Process(self._process.pid)) / 2**20

    def _listen(self, answers: IO[str]) -> None:
        for line in answers:
            self._heard.put(line)
        self._heard.put("")


@contextmanager
def child(module: str, **config: object) -> Iterator[Child]:
    """`python -m MODULE`, told `config` as its first line; it ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise LoadError("a child without pipes")
        made = Child(module, process, process.stdin, process.stdout)
        made.tell(**config)
        try:
            yield made
        finally:
            process.stdin.close()
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Its orders are at an end, so it ends; one that does not is killed."""
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
