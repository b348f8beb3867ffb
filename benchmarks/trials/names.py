"""What can be asked for by name beside the requests of `benchmarks.scenarios`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.trials.burst import burst
from benchmarks.trials.cold_start import cold_start
from benchmarks.trials.ground import Ground
from benchmarks.trials.latency import latency
from benchmarks.trials.result import TrialResult
from benchmarks.trials.streams import streams
from benchmarks.trials.verify import verify

Part = Callable[[Ground], Iterator[TrialResult]]


@dataclass(frozen=True, slots=True)
class Trial:
    """Parts that share one server, in this order."""

    parts: Mapping[str, Part]
    """By the name with which one is asked for alone."""
    backends: tuple[str, ...]
    """When none is asked for."""


TRIALS = {
    "revocation": Trial(
        {
            "revocation_latency": latency,
            "revocation_streams": streams,
            "revocation_burst": burst,
            # After the burst, whose entries it finds.
            "revocation_cold_start": cold_start,
        },
        ("sqlite", "postgresql", "postgresql+valkey"),
    ),
    "verify": Trial({"verify": verify}, ("postgresql+valkey",)),
}
NAMES = [name for trial, one in TRIALS.items() for name in dict.fromkeys((trial, *one.parts))]
