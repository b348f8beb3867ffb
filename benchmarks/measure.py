"""Windows of load around samples of the bare work, and the median of what they say."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from benchmarks.bare import BareWork
from benchmarks.load.plan import Window
from benchmarks.loader import NO_LIMIT, Load
from benchmarks.process import ServerProcess


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how often to measure."""

    seconds: float
    windows: int = 3

    @property
    def warm_up(self) -> float:
        return self.seconds / 2

    @property
    def bare(self) -> float:
        """Seconds of one sample of the bare work."""
        return min(0.5, self.seconds / 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One window with the bare work as it was just before and just after."""

    window: Window
    cpu_seconds: float
    bare_us: float

    @property
    def cpu_us(self) -> float:
        return 1e6 * self.cpu_seconds / self.window.requests

    @property
    def limit_ratio(self) -> float:
        return self.bare_us / self.cpu_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Medians over the windows."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_request: float
    bare_us: float
    limit_ratio: float
    peak_rss_mb: float
    requests: int

    @property
    def requests_per_cpu_second(self) -> float:
        return 1e6 / self.cpu_us_per_request


def measure(
    server: ServerProcess, load: Load, bare: BareWork, effort: Effort, *, at_most: int = NO_LIMIT
) -> Measurement:
    """Warm up, then alternate bare work and load; raises LoadError when any answer was wrong."""
    load.window(effort.warm_up, at_most=at_most)
    samples = []
    before = bare()
    for _ in range(effort.windows):
        start = server.cpu_seconds()
        window = load.window(effort.seconds, at_most=at_most)
        spent = server.cpu_seconds() - start
        after = bare()
        samples.append(Sample(window=window, cpu_seconds=spent, bare_us=(before + after) / 2))
        before = after
    return _medians(samples, server.peak_rss_mb())


def _medians(samples: list[Sample], peak_rss_mb: float) -> Measurement:
    return Measurement(
        requests_per_second=median(one.window.requests / one.window.seconds for one in samples),
        p50_ms=median(one.window.p50_ms for one in samples),
        p99_ms=median(one.window.p99_ms for one in samples),
        cpu_us_per_request=median(one.cpu_us for one in samples),
        bare_us=median(one.bare_us for one in samples),
        limit_ratio=median(one.limit_ratio for one in samples),
        peak_rss_mb=peak_rss_mb,
        requests=sum(one.window.requests for one in samples),
    )
